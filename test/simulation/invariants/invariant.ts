import type {Fact} from '../kernel/fact.ts';
import type {World} from '../world.ts';

/** What an invariant found: a sentence that names the attempt and the machines. */
export type Finding = string | undefined;

type Handlers = {readonly [T in Fact['t']]?: (fact: Extract<Fact, {t: T}>) => Finding};

export type Watch = {
  /** Called for each fact of a step, after the step. */
  readonly on: Handlers;
  /** Called after every step in which something happened. */
  readonly look?: () => Finding;
};

export type Invariant = {
  /** The number under which the protocol states it. */
  readonly number: number;
  readonly name: string;
  readonly sentence: string;
  readonly watch: (world: World) => Watch;
};

export type Violation = {readonly number: number; readonly name: string; readonly found: string; readonly atMs: number};

/** A machine that wakes looks at its boot clock within a second, and the kill takes a moment. */
export const wakeGraceMs = 1_900;
