import {calm, inject} from './faults/inject.ts';
import type {Plan} from './faults/step.ts';
import {invariants, Judges} from './invariants/all.ts';
import type {Invariant, Violation} from './invariants/invariant.ts';
import {World} from './world.ts';

export type Outcome = {
  readonly seed: number;
  readonly violation: Violation | undefined;
  /** Faults of the plan that took effect. */
  readonly faults: number;
  readonly steps: number;
  readonly tasks: number;
  readonly virtualMs: number;
  readonly hash: string;
};

/** After the faults stop everything must come to rest within this time: all attempts, their leases and their backoffs. */
export const restMaxMs = 3 * 3_600_000;
const lookMs = 2_000;
/** What is told late, such as the history, is told by then. */
const settleMs = 5_000;

/**
 * Runs a world to its end, or to the first step after which something is that must never be. `watch` sees the world
 * before it is let go.
 */
export function run(
  plan: Plan,
  {
    chosen = invariants,
    watch,
  }: {readonly chosen?: readonly Invariant[]; readonly watch?: (world: World, outcome: Outcome) => void} = {},
): Outcome {
  const world = new World(plan);
  const judges = new Judges(world, chosen);
  plan.steps.forEach((step, index) => world.timeline.at(step.atMs, () => inject(world, step, index)));
  world.timeline.at(plan.calmAtMs, () => calm(world));
  const {steps, violation} = live(world, judges, plan.calmAtMs);
  const {timeline, taken, trace, fleet} = world;
  const outcome: Outcome = {
    seed: plan.seed,
    violation,
    faults: taken.size,
    steps,
    tasks: fleet.rows.size,
    virtualMs: timeline.nowMs,
    hash: `${trace.hash.toString(16)}-${trace.count}`,
  };
  watch?.(world, outcome);
  world.release();
  return outcome;
}

function live(world: World, judges: Judges, calmAtMs: number): Pick<Outcome, 'steps' | 'violation'> {
  const {timeline} = world;
  const endsAtMs = calmAtMs + restMaxMs;
  let untilMs = endsAtMs;
  let nextLookMs = calmAtMs + lookMs;
  for (let steps = 1; ; steps += 1) {
    const isOver = !timeline.step(untilMs);
    if (isOver) world.see({t: 'rest'});
    const violation = judges.judge();
    if (violation !== undefined || isOver) return {steps, violation};
    if (untilMs < endsAtMs || timeline.nowMs < nextLookMs) continue;
    nextLookMs = timeline.nowMs + lookMs;
    if (world.isAtRest()) untilMs = timeline.nowMs + settleMs;
  }
}
