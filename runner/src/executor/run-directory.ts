import {execFile} from 'node:child_process';
import {constants} from 'node:fs';
import {lstat, mkdir, open, rename, unlink} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {promisify} from 'node:util';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import * as z from 'zod';
import {createExposedFile, readExposedFile} from '../state/exposed-file.ts';
import {attemptLabel} from './attempt-name.ts';
import type {ProcessIdentity} from './process-identity.ts';
import {isDiskFull} from '../state/disk-full.ts';

/**
 * All files of one attempt, the same on every executor.
 *
 *     in          FIFO, read by the agent          deadline   "<soft> <hard>" in ms of the boot clock
 *     in.eof      the agent may see end of file    claim/     made by the shim that will run the agent
 *     out  err    what it printed, append-only     claim/go   made by whoever decides whether it starts
 *     pid         identity of the shim             killed     "<reason> <boot ms>"
 *     agent       identity of the agent            exit       "<code> <boot ms>", last of all
 *     home/ tmp/  its own                          meta.json  what a later runner must know to adopt it
 *
 * The agent runs as the same user and may write anything here, so every file is read as hostile: no links are
 * followed, nothing but a regular file is opened, sizes are bounded and unreadable content counts as absent.
 */
export const runFiles = {
  in: 'in',
  inEof: 'in.eof',
  out: 'out',
  err: 'err',
  pid: 'pid',
  agent: 'agent',
  claim: 'claim',
  go: 'claim/go',
  deadline: 'deadline',
  exit: 'exit',
  killed: 'killed',
  meta: 'meta.json',
  home: 'home',
  tmp: 'tmp',
} as const;

/** Both in milliseconds of this machine's boot clock: the agent is asked to stop, then killed. */
export type Deadline = {readonly softMs: number; readonly hardMs: number};

/** Holds no secret: no environment, no arguments. */
const metaSchema = z.object({
  version: z.literal(1),
  task: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  epoch: z.int().min(1),
  executor: z.enum(['host', 'tmux', 'docker', 'ssh', 'lima']),
  channels: z.enum(['separate', 'merged']),
  /** Where the agent works: leftovers are looked for there. */
  cwd: z.string().max(4_096),
  /** The cgroup of this attempt; absent where the machine has none for us. */
  cgroup: z.string().max(4_096).optional(),
});
export type RunMeta = z.infer<typeof metaSchema>;

export type HeldBy = 'cgroup' | 'group';
export type ShimIdentity = ProcessIdentity & {readonly heldBy: HeldBy};

const SMALL_FILE_BYTES_MAX = 16_384;
let writes = 0;
const execFileAsync = promisify(execFile);

/** Makes the directory with its FIFO and empty logs, 0700. Repeating it changes nothing, so a launch may be repeated. */
export async function createRunDirectory(runDir: string): Promise<void> {
  await mkdir(runDir, {recursive: true, mode: 0o700});
  for (const folder of [runFiles.home, runFiles.tmp]) await mkdir(join(runDir, folder), {recursive: true, mode: 0o700});
  for (const log of [runFiles.out, runFiles.err]) {
    const flags =
      constants.O_CREAT | constants.O_APPEND | constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    await (await open(join(runDir, log), flags, 0o600)).close();
  }
  await makeFifo(join(runDir, runFiles.in));
}

/** Node has no call for it. Looked for first, because every verb of an attempt makes sure of its run directory. */
async function makeFifo(path: string): Promise<void> {
  const isThere = async (): Promise<boolean> => (await lstat(path).catch(() => undefined))?.isFIFO() === true;
  if (await isThere()) return;
  try {
    await execFileAsync('mkfifo', ['-m', '600', path], {timeout: 5_000});
  } catch (cause) {
    if (!(await isThere())) throw new SwitchyardError('executor_unavailable', `mkfifo ${path} failed`, {cause});
  }
}

/**
 * Replaces a file so that a reader sees the old content or the new one, never a part.
 * @throws SwitchyardError disk_full, or internal for any other refusal of the file system
 */
export async function writeRunFile(runDir: string, name: string, text: string): Promise<void> {
  const path = join(runDir, name);
  writes += 1;
  const temporary = `${path}.${process.pid}-${writes}.tmp`;
  try {
    await using file = await createExposedFile(temporary);
    await file.writeFile(text);
    await rename(temporary, path);
  } catch (cause) {
    await unlink(temporary).catch(() => undefined);
    const isFull = isDiskFull(cause);
    throw new SwitchyardError(isFull ? 'disk_full' : 'internal', `cannot write ${path}`, {cause});
  }
}

/** The text of a small regular file; undefined when it is absent, is anything else, or is larger than expected. */
export async function readRunFile(runDir: string, name: string): Promise<string | undefined> {
  return readExposedFile(join(runDir, name), SMALL_FILE_BYTES_MAX).catch(() => undefined);
}

export async function writeMeta(runDir: string, meta: RunMeta): Promise<void> {
  await writeRunFile(runDir, runFiles.meta, `${JSON.stringify(metaSchema.parse(meta))}\n`);
}

/** Undefined where it names another attempt than the directory does: to believe it would have us kill somebody else. */
export async function readMeta(runDir: string): Promise<RunMeta | undefined> {
  const meta = metaSchema.safeParse(parseJson((await readRunFile(runDir, runFiles.meta)) ?? '')).data;
  if (meta === undefined || attemptLabel(meta) !== basename(runDir)) return undefined;
  return meta.cgroup === undefined || basename(meta.cgroup) === basename(runDir) ? meta : undefined;
}

/** @throws SwitchyardError invalid_request unless 0 <= soft <= hard, in whole milliseconds */
export async function writeDeadline(runDir: string, {softMs, hardMs}: Deadline): Promise<void> {
  if (![softMs, hardMs].every(ms => Number.isSafeInteger(ms) && ms >= 0 && ms < 1e15) || softMs > hardMs)
    throw new SwitchyardError('invalid_request', `deadline ${softMs} ${hardMs}: expected 0 <= soft <= hard in ms`);
  await writeRunFile(runDir, runFiles.deadline, `${softMs} ${hardMs}\n`);
}

export async function readDeadline(runDir: string): Promise<Deadline | undefined> {
  const [, soft, hard] = /^(\d{1,15}) (\d{1,15})\n$/.exec((await readRunFile(runDir, runFiles.deadline)) ?? '') ?? [];
  return soft === undefined || hard === undefined ? undefined : {softMs: Number(soft), hardMs: Number(hard)};
}

export async function readShimIdentity(runDir: string): Promise<ShimIdentity | undefined> {
  return parseShimIdentity(await readRunFile(runDir, runFiles.pid));
}

export async function readAgentIdentity(runDir: string): Promise<ProcessIdentity | undefined> {
  return parseShimIdentity(await readRunFile(runDir, runFiles.agent));
}

export function parseShimIdentity(text = ''): ShimIdentity | undefined {
  const [, pid, started, bootId, heldBy] =
    /^([1-9]\d{0,9}) ([\w:]{1,40}) ([0-9A-Za-z-]{8,64}) (cgroup|group)\n$/.exec(text) ?? [];
  if (pid === undefined || started === undefined || bootId === undefined || Number(pid) < 2) return undefined;
  return {pid: Number(pid), started, bootId, heldBy: heldBy === 'cgroup' ? 'cgroup' : 'group'};
}

/** `atBootMs` is when the shim wrote it, on the boot clock of that time. */
export type ExitRecord = {readonly code: number; readonly atBootMs: number};

/** Of a process: a signal n that ended it is told as 128 + n. */
const EXIT_CODE_MAX = 255;

export async function readExit(runDir: string): Promise<ExitRecord | undefined> {
  const [, code, at] = /^(\d{1,3}) (\d{1,15}) *\n$/.exec((await readRunFile(runDir, runFiles.exit)) ?? '') ?? [];
  if (code === undefined || at === undefined || Number(code) > EXIT_CODE_MAX) return undefined;
  return {code: Number(code), atBootMs: Number(at)};
}

const KILL_REASON = /^[a-z_]{1,32}$/;

/** Says why, before the kill: whoever adopts the attempt later tells a kill from a crash by this file. */
export async function writeKilled(runDir: string, reason: string, atBootMs: number): Promise<void> {
  if (!KILL_REASON.test(reason)) throw new SwitchyardError('invalid_request', `kill reason ${JSON.stringify(reason)}`);
  await writeRunFile(runDir, runFiles.killed, `${reason} ${atBootMs}\n`);
}

export async function readKilled(runDir: string): Promise<string | undefined> {
  return /^([a-z_]{1,32}) \d{1,15}\n$/.exec((await readRunFile(runDir, runFiles.killed)) ?? '')?.[1];
}
