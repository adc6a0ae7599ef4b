import type {Fact} from '../kernel/fact.ts';
import {wakeGraceMs} from './invariant.ts';

/** Which machines are awake for long enough to have looked at their clocks. */
export class Wakefulness {
  readonly #suspended = new Set<number>();
  readonly #wokeMs = new Map<number, number>();

  suspended({machine}: {readonly machine: number}): undefined {
    this.#suspended.add(machine);
  }

  woke({machine}: {readonly machine: number}, nowMs: number): undefined {
    this.#suspended.delete(machine);
    this.#wokeMs.set(machine, nowMs);
  }

  crashed({machine}: {readonly machine: number}): undefined {
    this.#suspended.delete(machine);
  }

  isAwake(machine: number, nowMs: number): boolean {
    return !this.#suspended.has(machine) && nowMs - (this.#wokeMs.get(machine) ?? -Infinity) > wakeGraceMs;
  }
}

export type AgentFact = Extract<Fact, {t: 'agent.started'}>;
