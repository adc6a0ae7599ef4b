import {execFile} from 'node:child_process';
import {existsSync} from 'node:fs';
import {readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {parseAttemptLabel} from '../executor/attempt-name.ts';
import type {BootClock} from '../executor/boot-clock.ts';
import {killTree} from '../executor/kill-tree.ts';
import type {Machine} from '../executor/process-identity.ts';

const tmuxMs = 5_000;

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
  await closeViewers(runnerDirectory);
  return outcomes.flatMap(({survivors}) => survivors);
}

/** The tmux server of `switchyard attach` shows logs only; without attempts there is nothing to see. */
async function closeViewers(runnerDirectory: string): Promise<void> {
  const socket = join(runnerDirectory, 'tmux.sock');
  if (!existsSync(socket)) return;
  await promisify(execFile)('tmux', ['-S', socket, 'kill-server'], {timeout: tmuxMs}).catch(() => undefined);
}
