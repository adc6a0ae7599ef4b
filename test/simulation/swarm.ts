import {fork, type ChildProcess} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import type {Job, Judged, Told} from './swarm-process.ts';

export type SwarmOptions = {
  readonly seed: number;
  /** Faults in the schedule of one seed. */
  readonly faultsEach: number;
  /** Stops after so many seeds, or after so many faults took effect. */
  readonly seedsMax: number;
  readonly faultsMax: number;
  readonly workers: number;
  readonly mutant: string | undefined;
  readonly judges?: Judged;
  readonly onTold: (told: Told, sum: Sum) => void;
};

export type Sum = {
  seeds: number;
  faults: number;
  steps: number;
  tasks: number;
  virtualMs: number;
  cpuMs: number;
  readonly failures: Told[];
};

const program = fileURLToPath(new URL('swarm-process.ts', import.meta.url));

/** Runs seeds in processes of their own until enough has happened. Resolves with the sum of all. */
export async function swarm(options: SwarmOptions): Promise<Sum> {
  const sum: Sum = {seeds: 0, faults: 0, steps: 0, tasks: 0, virtualMs: 0, cpuMs: 0, failures: []};
  let next = options.seed;
  const isEnough = (): boolean =>
    sum.faults >= options.faultsMax || next >= options.seed + options.seedsMax || sum.failures.length > 0;
  const work = async (): Promise<void> => {
    const child = fork(program, options.mutant === undefined ? [] : [options.mutant], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    try {
      await heard(child);
      while (!isEnough()) {
        const job: Job = {seed: next, faults: options.faultsEach, judges: options.judges ?? {}};
        next += 1;
        child.send(job);
        add(sum, await heard<Told>(child), options);
      }
    } finally {
      child.kill();
    }
  };
  await Promise.all(Array.from({length: options.workers}, work));
  return sum;
}

function add(sum: Sum, told: Told, {onTold}: SwarmOptions): void {
  sum.seeds += 1;
  sum.faults += told.faults;
  sum.steps += told.steps;
  sum.tasks += told.tasks;
  sum.virtualMs += told.virtualMs;
  sum.cpuMs += told.cpuMs;
  if (told.violation !== undefined) sum.failures.push(told);
  onTold(told, sum);
}

function heard<Value>(child: ChildProcess): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`a process of the swarm ended with ${code}`));
    child.once('exit', onExit);
    child.once('message', message => {
      child.off('exit', onExit);
      resolve(message as Value);
    });
  });
}
