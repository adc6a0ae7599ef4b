import {access, mkdir, readFile, readdir, rmdir, writeFile} from 'node:fs/promises';
import {constants, rmdirSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {attemptLabel, parseAttemptLabel, type AttemptName} from './attempt-name.ts';
import {holdMemory, passesMemoryOn, passMemoryOn} from './cgroup-memory.ts';

/**
 * One cgroup v2 directory per attempt: the shim in its child `shim`, the agent and all it starts in its child `agent`.
 * No descendant can leave it by setsid, double fork or an empty environment, and one write ends all at once (Linux 5.14).
 * Itself it holds no process: only then may its children have limits.
 */
export type Cgroup = {readonly path: string; readonly shimPath: string; readonly agentPath: string};

export function cgroupAt(path: string): Cgroup {
  return {path, shimPath: join(path, 'shim'), agentPath: join(path, 'agent')};
}

/** Mount points of cgroup v2: /sys/fs/cgroup as a rule, a folder below it where v1 is mounted too. */
export function parseCgroup2Mounts(mounts: string): string[] {
  return mounts.split('\n').flatMap(line => {
    const [, at, type] = line.split(' ');
    return type === 'cgroup2' && at !== undefined ? [at.replaceAll('\\040', ' ')] : [];
  });
}

/** This process's own place in the v2 tree, such as `/user.slice/switchyard.service`. */
export function parseOwnCgroup(text: string): string {
  return /^0::(\/.*)$/m.exec(text)?.[1] ?? '/';
}

/**
 * The folder that holds the cgroups of all attempts, made if need be; undefined when this machine gives us none
 * (macOS, no cgroup v2, no delegation, a kernel before 5.14). It is the nearest one, from the own cgroup to the root,
 * in which attempts can have limits of memory, or else the nearest. `name` keeps two runners of one machine apart.
 */
export async function findCgroupBase(name = 'switchyard'): Promise<string | undefined> {
  const mounts = await readFile('/proc/mounts', 'utf8').catch(() => '');
  const own = parseOwnCgroup(await readFile('/proc/self/cgroup', 'utf8').catch(() => ''));
  const bases = parseCgroup2Mounts(mounts).flatMap(mount => upTo(mount, join(mount, own)).map(at => join(at, name)));
  let nearest: string | undefined;
  for (const base of bases) {
    if (!(await isUsable(base))) continue;
    const holdsMemory = await passMemoryOn(base);
    const unused = holdsMemory ? nearest : nearest === undefined ? undefined : base;
    leaveCgroupBase(unused);
    if (holdsMemory) return base;
    nearest ??= base;
  }
  return nearest;
}

/** A folder and those above it, as far as one that holds it. */
function upTo(top: string, from: string): readonly string[] {
  const path = join(from, '.').replace(/(?<=.)\/$/, '');
  return path === top || !path.startsWith(`${top}/`) ? [top] : [path, ...upTo(top, dirname(path))];
}

/** Takes the folder away where nothing is in it: what runs on keeps it for the next start. */
export function leaveCgroupBase(base: string | undefined): void {
  try {
    if (base !== undefined) rmdirSync(base);
  } catch {
    // Agents live in it, or it is gone.
  }
}

/** Whether a runner that is started here would have such a folder, and whether attempts in it can have limits of memory. */
export async function lookForCgroupBase(): Promise<{readonly base: string; readonly holdsMemory: boolean} | undefined> {
  const base = await findCgroupBase();
  if (base === undefined) return undefined;
  const holdsMemory = await passesMemoryOn(base);
  leaveCgroupBase(base);
  return {base, holdsMemory};
}

async function isUsable(base: string): Promise<boolean> {
  try {
    await mkdir(base).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await access(join(base, 'cgroup.kill'), constants.W_OK);
    // Moving a process in needs the right to write to the common ancestor as well.
    await access(join(base, '..', 'cgroup.procs'), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export function cgroupOf(base: string, attempt: AttemptName): Cgroup {
  return cgroupAt(join(base, attemptLabel(attempt)));
}

/** `memoryBytesMax` bounds what the agent and all it starts hold together, where the kernel can. */
export async function createCgroup({shimPath, agentPath}: Cgroup, memoryBytesMax?: number): Promise<void> {
  for (const path of [shimPath, agentPath]) await mkdir(path, {recursive: true});
  if (memoryBytesMax !== undefined) await holdMemory(agentPath, memoryBytesMax);
}

/** Live pids in a cgroup and below it; none when it is gone. Zombies are not listed. */
export async function cgroupPids(path: string): Promise<number[]> {
  const [own, children] = await Promise.all([
    readFile(join(path, 'cgroup.procs'), 'utf8').catch(() => ''),
    childrenOf(path),
  ]);
  const below = await Promise.all(children.map(cgroupPids));
  return [
    ...own
      .split('\n')
      .map(Number)
      .filter(pid => pid > 0),
    ...below.flat(),
  ];
}

/** Kills everything in it and below it at once, also what forks meanwhile. A cgroup that is gone is no error. */
export async function killCgroup(path: string): Promise<void> {
  await writeFile(join(path, 'cgroup.kill'), '1', {flag: 'r+'}).catch(() => undefined);
}

/** A killed process leaves its cgroup a moment after it has gone from every list. */
const REMOVE_MS_MAX = 2_000;
const REMOVE_POLL_MS = 10;

/** Removes a cgroup with its children; false when somebody still lives in it after 2 s. */
export async function removeCgroup(path: string): Promise<boolean> {
  for (const deadline = AbortSignal.timeout(REMOVE_MS_MAX); !(await tryRemove(path)); await wait(REMOVE_POLL_MS))
    if (deadline.aborted) return false;
  return true;
}

/** Nobody is ended by it: one with a process in it, or in its children, stays. */
export async function removeEmptyCgroup(path: string): Promise<boolean> {
  return (await cgroupPids(path)).length === 0 && tryRemove(path);
}

async function tryRemove(path: string): Promise<boolean> {
  for (const child of await childrenOf(path)) await tryRemove(child);
  return rmdir(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
}

/** The attempts that have a cgroup below the base. */
export async function listCgroups(base: string): Promise<{attempt: AttemptName; path: string}[]> {
  return (await childrenOf(base)).flatMap(path => {
    const attempt = parseAttemptLabel(path.slice(base.length + 1));
    return attempt === undefined ? [] : [{attempt, path}];
  });
}

async function childrenOf(path: string): Promise<string[]> {
  const entries = await readdir(path, {withFileTypes: true}).catch(() => []);
  return entries.filter(entry => entry.isDirectory()).map(entry => join(path, entry.name));
}
