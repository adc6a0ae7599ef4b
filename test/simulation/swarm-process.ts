import {plant} from './mutants/plant.ts';

/**
 * One process of the swarm: runs the seeds that it is sent, one by one, until nobody sends any more. With a mutant, the
 * shipped code is changed before it is loaded.
 */
export type Job = {readonly seed: number; readonly faults: number; readonly judges: Judged};
/** By which invariants: all of them, one alone, or all but one. */
export type Judged = {readonly only?: number | undefined; readonly without?: number | undefined};
export type Told = {
  readonly seed: number;
  readonly faults: number;
  readonly steps: number;
  readonly tasks: number;
  readonly virtualMs: number;
  readonly cpuMs: number;
  readonly violation:
    | {readonly number: number; readonly name: string; readonly found: string; readonly atMs: number}
    | undefined;
};

const [mutant] = process.argv.slice(2);
if (mutant !== undefined && mutant !== '') plant(mutant);
const {planOf} = await import('./faults/swarm.ts');
const {run} = await import('./run.ts');
const {invariants} = await import('./invariants/all.ts');

process.on('message', ({seed, faults, judges}: Job) => {
  const before = process.cpuUsage();
  const chosen = invariants.filter(
    ({number}) => number !== judges.without && (judges.only === undefined || number === judges.only),
  );
  let told: Told;
  try {
    const {violation, ...outcome} = run(planOf(seed, faults), {chosen});
    const {user, system} = process.cpuUsage(before);
    const {steps, tasks, virtualMs} = outcome;
    told = {seed, faults: outcome.faults, steps, tasks, virtualMs, cpuMs: (user + system) / 1_000, violation};
  } catch (error) {
    const found = error instanceof Error ? (error.stack ?? error.message) : String(error);
    told = {
      seed,
      faults: 0,
      steps: 0,
      tasks: 0,
      virtualMs: 0,
      cpuMs: 0,
      violation: {number: 0, name: 'thrown', found, atMs: 0},
    };
  }
  process.send?.(told);
});
process.send?.('ready');
