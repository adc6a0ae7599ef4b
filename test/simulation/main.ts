import {availableParallelism} from 'node:os';
import {parseArgs} from 'node:util';
import {plant} from './mutants/plant.ts';
import {mutants} from './mutants/mutants.ts';
import {swarm, type Sum} from './swarm.ts';
import type {Judged, Told} from './swarm-process.ts';

/**
 * `npm run simulate`: many small worlds, each with its own faults, and thirteen invariants after every step.
 *
 *   --seeds N      worlds to run (default 200)       --faults N   run until so many faults took effect
 *   --seed S       the first one (default 1)          --each N     faults in the schedule of one world (default 400)
 *   --workers N    processes (default: all cores)     --json       the figures as one line of JSON
 *   --mutant ID    with one bug planted; exit 0 when its invariant finds it
 *   --mutants      every planted bug: found by its own invariant, and by no other
 *   --replay       runs --seed alone, shows what happened around its failure and the shortest schedule that fails
 */
const {values} = parseArgs({
  options: {
    seeds: {type: 'string'},
    seed: {type: 'string', default: '1'},
    faults: {type: 'string'},
    each: {type: 'string', default: '400'},
    workers: {type: 'string', default: String(availableParallelism())},
    json: {type: 'boolean', default: false},
    mutant: {type: 'string'},
    mutants: {type: 'boolean', default: false},
    replay: {type: 'boolean', default: false},
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const seed = Number(values.seed);
const faultsEach = Number(values.each);
const progressEveryMs = 5_000;
const begunMs = performance.now();

if (values.mutants) await killMutants();
else if (values.replay) await replay(seed);
else await campaign();

async function campaign(): Promise<void> {
  let saidMs = begunMs;
  const sum = await swarm({
    seed,
    faultsEach,
    seedsMax: Number(values.seeds ?? (values.faults === undefined ? 200 : Infinity)),
    faultsMax: Number(values.faults ?? Infinity),
    workers: Number(values.workers),
    mutant: values.mutant,
    onTold: (_told, so) => {
      if (performance.now() - saidMs < progressEveryMs || values.json) return;
      saidMs = performance.now();
      say(figures(so));
    },
  });
  say(values.json ? JSON.stringify({...sum, wallMs: Math.round(performance.now() - begunMs)}) : figures(sum));
  const [failure] = sum.failures;
  if (values.mutant !== undefined) judgeMutant(failure);
  else if (failure !== undefined) {
    process.exitCode = 1;
    await replay(failure.seed);
  }
}

function judgeMutant(failure: Told | undefined): void {
  const mutant = mutants.find(({id}) => id === values.mutant);
  const isKilled = failure?.violation?.number === mutant?.invariant;
  const found = failure === undefined ? 'it survives' : described(failure);
  say(isKilled ? `killed: ${found}` : `NOT killed by ${mutant?.invariant}: ${found}`);
  process.exitCode = isKilled ? 0 : 1;
}

function described(failure: Told | undefined): string {
  return `seed ${failure?.seed}: invariant ${failure?.violation?.number} ${failure?.violation?.name}: ${failure?.violation?.found}`;
}

function figures({seeds, faults, tasks, steps, virtualMs, cpuMs, failures}: Sum): string {
  const hours = (virtualMs / 3_600_000).toFixed(1);
  const perSecond = Math.round((faults / Math.max(1, cpuMs)) * 1_000);
  return `${seeds} seeds, ${faults} faults, ${tasks} tasks, ${steps} steps, ${hours} virtual hours, ${perSecond} faults/s/core, ${failures.length} failures`;
}

/** The same seed again in this process: what was seen around the failure, and the shortest schedule that still fails. */
async function replay(failing: number): Promise<void> {
  if (values.mutant !== undefined) plant(values.mutant);
  const {planOf} = await import('./faults/swarm.ts');
  const {run} = await import('./run.ts');
  const {minimise} = await import('./minimise.ts');
  const plan = planOf(failing, faultsEach);
  const {violation, hash} = run(plan);
  say(`seed ${failing}, trace ${hash}`);
  if (violation === undefined) {
    say('it holds');
    return;
  }
  const least = minimise(plan, violation.number, {again: tried => run(tried), runsMax: 300});
  say(`\nthe shortest schedule that fails: ${least.steps.length} of ${plan.steps.length} steps`);
  for (const step of least.steps) say(JSON.stringify(step));
  say('\nwhat was seen before it:');
  run(least, {
    watch: (world, {violation: found}) => {
      const task = /tsk_\w+/.exec(found?.found ?? '')?.[0];
      for (const line of task === undefined ? world.trace.last(60) : world.trace.of(task, 60)) say(line);
      say(`\ninvariant ${found?.number} ${found?.name}: ${found?.found} (at ${found?.atMs} ms)`);
    },
  });
}

/** Every mutant: its own invariant, alone, finds it; all the others together do not. */
async function killMutants(): Promise<void> {
  const chosen = mutants.filter(({id}) => values.mutant === undefined || values.mutant === id);
  for (const {id, invariant} of chosen) {
    const hunt = async (judges: Judged): Promise<Sum> =>
      swarm({
        seed,
        faultsEach,
        seedsMax: Number(values.seeds ?? 100),
        faultsMax: Infinity,
        workers: Number(values.workers),
        mutant: id,
        judges,
        onTold: () => undefined,
      });
    const own = await hunt({only: invariant});
    const others = await hunt({without: invariant});
    const [killer] = own.failures;
    const [rival] = others.failures;
    if (killer === undefined || rival !== undefined) process.exitCode = 1;
    say(`${id}: ${killer === undefined ? `NOT found by ${invariant}` : `found by ${described(killer)}`}`);
    say(
      `    ${rival === undefined ? `not found by the other twelve in ${others.seeds} seeds` : `ALSO found by ${described(rival)}`}`,
    );
  }
}
