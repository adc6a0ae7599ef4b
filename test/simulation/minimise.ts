import type {Plan, Step} from './faults/step.ts';
import type {Outcome} from './run.ts';

/**
 * The shortest schedule that still breaks the same invariant, by delta debugging (Zeller and Hildebrandt, 2002): ever
 * smaller parts are left out as long as what is left fails. `again` runs a plan; `runsMax` bounds the effort.
 */
export function minimise(
  plan: Plan,
  number: number,
  {again, runsMax}: {again: (plan: Plan) => Outcome; runsMax: number},
): Plan {
  let runs = 0;
  const fails = (steps: readonly Step[]): boolean => {
    runs += 1;
    return again({...plan, steps}).violation?.number === number;
  };
  let {steps} = plan;
  for (let parts = 2; steps.length > 1 && runs < runsMax;) {
    const size = Math.ceil(steps.length / parts);
    const shorter = partsOf(steps, size)
      .map(part => steps.filter(step => !part.has(step)))
      .find(rest => runs < runsMax && fails(rest));
    if (shorter !== undefined) {
      steps = shorter;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) break;
    else parts = Math.min(steps.length, parts * 2);
  }
  return {...plan, steps};
}

function partsOf(steps: readonly Step[], size: number): readonly ReadonlySet<Step>[] {
  const parts: Set<Step>[] = [];
  for (let at = 0; at < steps.length; at += size) parts.push(new Set(steps.slice(at, at + size)));
  return parts;
}
