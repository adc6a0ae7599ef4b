import {readdir, readlink} from 'node:fs/promises';
import {sep} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {execa} from 'execa';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

const lsofDeadlineMs = 10_000;
const pollMs = 50;

/**
 * Numbers of the live processes whose working directory is `path` or below it. On Linux from /proc; elsewhere from lsof,
 * and empty when that is not installed. Processes of other users cannot always be seen.
 */
export async function processesInside(path: string): Promise<number[]> {
  const directories = process.platform === 'linux' ? await fromProc() : await fromLsof();
  return directories.filter(({cwd}) => cwd === path || cwd.startsWith(path + sep)).map(({pid}) => pid);
}

/** Throws `worktree_busy` when somebody is still inside at the deadline. */
export async function awaitNobodyInside(
  path: string,
  wait: {deadlineMs: number; signal?: AbortSignal | undefined},
): Promise<void> {
  const late = AbortSignal.timeout(wait.deadlineMs);
  for (;;) {
    const pids = await processesInside(path);
    if (pids.length === 0) return;
    wait.signal?.throwIfAborted();
    if (late.aborted) throw busy(path, pids);
    await delay(pollMs);
  }
}

export function busy(path: string, pids: readonly number[]): SwitchyardError {
  return new SwitchyardError(
    'worktree_busy',
    `${path} is the working directory of process ${pids.slice(0, 10).join(', ')}.`,
  );
}

async function fromProc(): Promise<{pid: number; cwd: string}[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async pid => ({pid: Number(pid), cwd: await readlink(`/proc/${pid}/cwd`).catch(() => '')})),
  );
  return found.map(({pid, cwd}) => ({pid, cwd: cwd.replace(/ \(deleted\)$/, '')}));
}

async function fromLsof(): Promise<{pid: number; cwd: string}[]> {
  const result = await execa('lsof', ['-w', '-d', 'cwd', '-F', 'pn'], {
    reject: false,
    timeout: lsofDeadlineMs,
    stdin: 'ignore',
    extendEnv: false,
    env: {PATH: '/usr/sbin:/usr/bin:/bin', LC_ALL: 'C'},
  });
  const found: {pid: number; cwd: string}[] = [];
  let pid = 0;
  for (const line of (result.stdout ?? '').split('\n')) {
    if (line.startsWith('p')) pid = Number(line.slice(1));
    if (line.startsWith('n')) found.push({pid, cwd: line.slice(1)});
  }
  return found;
}
