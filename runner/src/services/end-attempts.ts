import {readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {parseAttemptLabel} from '../executor/attempt-name.ts';
import type {BootClock} from '../executor/boot-clock.ts';
import {killTree} from '../executor/kill-tree.ts';
import type {Machine} from '../executor/process-identity.ts';

export type HostMachine = Machine & {readonly clock: BootClock};

/**
 * Ends the agents that a runner left alive: it was killed, or could not end them in time. Only for a runner that is gone
 * and was started by the caller; the next start of it reports them. Answers whom not even SIGKILL ended.
 */
export async function endAttempts(runnerDirectory: string, machine: HostMachine): Promise<readonly number[]> {
  const runs = join(runnerDirectory, 'runs');
  const labels = (await readdir(runs).catch(() => [])).filter(name => parseAttemptLabel(name) !== undefined);
  const outcomes = await Promise.all(
    labels.map(async label => killTree(join(runs, label), {reason: 'interrupted', graceMs: 0}, machine)),
  );
  return outcomes.flatMap(({survivors}) => survivors);
}
