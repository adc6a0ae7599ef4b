import {readFile, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';

/**
 * The memory controller of cgroup v2. With it the kernel ends what goes beyond a limit at that moment; without it
 * somebody has to look from time to time.
 */

/** Lets cgroups below this one have limits of memory; false where this one has none to pass on, or holds processes. */
export async function passMemoryOn(path: string): Promise<boolean> {
  const parent = dirname(path);
  return (await passesMemoryOn(path)) || ((await enable(parent)) && (await enable(path)));
}

export async function passesMemoryOn(path: string): Promise<boolean> {
  return (await readWords(path, 'cgroup.subtree_control')).includes('memory');
}

async function enable(path: string): Promise<boolean> {
  await write(path, 'cgroup.subtree_control', '+memory');
  return passesMemoryOn(path);
}

/**
 * Holds all that is in a cgroup and below it to so much memory, none of it on disk. Whoever needs more ends with all the
 * others: an agent of which a part is missing is no agent. Nothing happens where the kernel cannot.
 */
export async function holdMemory(path: string, bytesMax: number): Promise<void> {
  if (!(await enable(dirname(path)))) return;
  await write(path, 'memory.oom.group', '1');
  await write(path, 'memory.swap.max', '0');
  await write(path, 'memory.max', String(bytesMax));
}

/** The limit that the kernel holds; undefined where it holds none. The agent could have changed it: it is one user. */
export async function heldMemoryBytesMax(path: string): Promise<number | undefined> {
  const [text = ''] = await readWords(path, 'memory.max');
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Whether the kernel has ended a process of this cgroup for want of memory. */
export async function ranOutOfMemory(path: string): Promise<boolean> {
  const words = await readWords(path, 'memory.events');
  return Number(words[words.indexOf('oom_kill') + 1] ?? 0) > 0;
}

async function readWords(path: string, file: string): Promise<readonly string[]> {
  const text = await readFile(join(path, file), 'utf8').catch(() => '');
  return text.split(/\s+/).filter(word => word !== '');
}

/** What is refused shows when it is read again. */
async function write(path: string, file: string, text: string): Promise<void> {
  await writeFile(join(path, file), text, {flag: 'r+'}).catch(() => undefined);
}
