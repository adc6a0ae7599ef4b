import type {Fact} from '../kernel/fact.ts';
import type {World} from '../world.ts';
import {allEnds} from './all-ends.ts';
import {askedOnce} from './asked-once.ts';
import {deadByDeadline} from './dead-by-deadline.ts';
import {epochRises} from './epoch-rises.ts';
import type {Finding, Invariant, Violation} from './invariant.ts';
import {noSecret} from './no-secret.ts';
import {nothingForgotten} from './nothing-forgotten.ts';
import {nothingLeft} from './nothing-left.ts';
import {oneAgent} from './one-agent.ts';
import {oneEnd} from './one-end.ts';
import {reconnectKeeps} from './reconnect-keeps.ts';
import {startsOnGo} from './starts-on-go.ts';
import {wholeLog} from './whole-log.ts';
import {withinSlots} from './within-slots.ts';

/** The thirteen, as the protocol numbers them. */
export const invariants: readonly Invariant[] = [
  oneAgent,
  oneEnd,
  epochRises,
  startsOnGo,
  deadByDeadline,
  wholeLog,
  noSecret,
  withinSlots,
  allEnds,
  nothingLeft,
  reconnectKeeps,
  askedOnce,
  nothingForgotten,
];

type Handler = {readonly of: Invariant; readonly see: (fact: Fact) => Finding};

/** All of them over one world: after each step every fact of it is judged, then the state of the world. */
export class Judges {
  readonly #world: World;
  readonly #handlers = new Map<Fact['t'], Handler[]>();
  readonly #looks: {readonly of: Invariant; readonly look: () => Finding}[] = [];
  /** Facts that at least one of them was asked about. */
  judged = 0;

  constructor(world: World, chosen: readonly Invariant[] = invariants) {
    this.#world = world;
    for (const of of chosen) {
      const {on, look} = of.watch(world);
      for (const [t, see] of Object.entries(on)) {
        const handlers = this.#handlers.get(t as Fact['t']) ?? [];
        this.#handlers.set(t as Fact['t'], handlers);
        handlers.push({of, see: see as (fact: Fact) => Finding});
      }
      if (look !== undefined) this.#looks.push({of, look});
    }
  }

  judge(): Violation | undefined {
    const {facts, timeline} = this.#world;
    for (const fact of facts) {
      for (const {of, see} of this.#handlers.get(fact.t) ?? []) {
        this.judged += 1;
        const found = see(fact);
        if (found !== undefined) return {number: of.number, name: of.name, found, atMs: timeline.nowMs};
      }
    }
    facts.length = 0;
    for (const {of, look} of this.#looks) {
      const found = look();
      if (found !== undefined) return {number: of.number, name: of.name, found, atMs: timeline.nowMs};
    }
    return undefined;
  }
}
