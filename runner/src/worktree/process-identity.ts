import {execFile} from 'node:child_process';
import {readFile} from 'node:fs/promises';
import {promisify} from 'node:util';
import * as z from 'zod';

const deadlineMs = 5_000;

/** A process that cannot be mistaken for a later one with the same number: its start is part of the identity. */
export const processIdentitySchema = z.strictObject({
  pid: z.int().positive(),
  /** Linux: clock ticks since boot, with the boot id; elsewhere what `ps` prints. */
  start: z.string().max(200),
});
export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

/** Undefined when no such process lives (a zombie counts as dead). */
export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const start = process.platform === 'linux' ? await startOnLinux(pid) : await startByPs(pid);
  return start === undefined ? undefined : {pid, start};
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identityOf(identity.pid))?.start === identity.start;
}

async function startOnLinux(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in brackets and may hold spaces and brackets: count from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, start] = [fields[0], fields[19]];
    if (state === 'Z' || state === 'X' || start === undefined) return undefined;
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${boot.trim()}/${start}`;
  } catch {
    return undefined;
  }
}

async function startByPs(pid: number): Promise<string | undefined> {
  try {
    const {stdout} = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)], {
      timeout: deadlineMs,
      env: {LC_ALL: 'C', PATH: '/bin:/usr/bin'},
    });
    return stdout.trim() === '' ? undefined : stdout.trim();
  } catch {
    return undefined;
  }
}
