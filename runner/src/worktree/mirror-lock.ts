import {link, mkdir, readFile, unlink, writeFile} from 'node:fs/promises';
import {dirname} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {identityOf, isAlive, processIdentitySchema, type ProcessIdentity} from './process-identity.ts';

const defaultDeadlineMs = 120_000;
const pollMs = 25;

const holderSchema = z.strictObject({...processIdentitySchema.shape, token: z.string().max(200)});

export interface LockWait {
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Locks by path: first-come order inside this process, a lock file between processes. A lock whose holder is dead (its
 * process number is free, or was given to another process) is taken over.
 */
export class MirrorLocks {
  readonly #tails = new Map<string, Promise<void>>();
  readonly #randomHex: () => string;

  constructor(randomHex: () => string) {
    this.#randomHex = randomHex;
  }

  /** Runs `work` while nobody else holds the lock. Throws `worktree_busy` when it is not free within the deadline. */
  async hold<T>(lockPath: string, work: () => Promise<T>, wait: LockWait = {}): Promise<T> {
    const signal = AbortSignal.any([
      AbortSignal.timeout(wait.deadlineMs ?? defaultDeadlineMs),
      ...(wait.signal ? [wait.signal] : []),
    ]);
    const previous = this.#tails.get(lockPath) ?? Promise.resolve();
    const {promise: done, resolve: release} = Promise.withResolvers<void>();
    const tail = previous.then(() => done);
    this.#tails.set(lockPath, tail);
    try {
      await untilAborted(previous, signal);
      const token = await this.#take(lockPath, signal);
      try {
        return await work();
      } finally {
        await releaseFile(lockPath, token);
      }
    } catch (error) {
      wait.signal?.throwIfAborted();
      if (signal.aborted && error === signal.reason) {
        throw new SwitchyardError('worktree_busy', `${lockPath} was not free in time`, {cause: error});
      }
      throw error;
    } finally {
      release();
      if (this.#tails.get(lockPath) === tail) this.#tails.delete(lockPath);
    }
  }

  /** A link is made complete or not at all, so no reader ever sees a half-written holder. */
  async #take(lockPath: string, signal: AbortSignal): Promise<string> {
    const token = this.#randomHex();
    const own = await identityOf(process.pid);
    const draftPath = `${lockPath}.${token}`;
    await mkdir(dirname(lockPath), {recursive: true});
    await writeFile(draftPath, JSON.stringify({...(own ?? {pid: process.pid, start: ''}), token}), {
      flag: 'wx',
      mode: 0o600,
    });
    try {
      while (!(await isLinked(draftPath, lockPath))) {
        signal.throwIfAborted();
        if (!(await breakIfStale(lockPath, draftPath)))
          await delay(pollMs, undefined, {signal}).catch(() => signal.throwIfAborted());
      }
      return token;
    } finally {
      await unlink(draftPath);
    }
  }
}

async function isLinked(draftPath: string, lockPath: string): Promise<boolean> {
  try {
    await link(draftPath, lockPath);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/**
 * Breakers exclude one another with a second file and judge again while they hold it: else one could remove the lock
 * that another has just taken in place of the stale one.
 */
async function breakIfStale(lockPath: string, draftPath: string): Promise<boolean> {
  if (!(await isStale(lockPath))) return false;
  const guardPath = `${lockPath}.break`;
  if (!(await isLinked(draftPath, guardPath))) {
    if (await isStale(guardPath)) await unlink(guardPath).catch(ignoreMissing);
    return false;
  }
  try {
    if (await isStale(lockPath)) await unlink(lockPath).catch(ignoreMissing);
    return true;
  } finally {
    await unlink(guardPath).catch(ignoreMissing);
  }
}

async function isStale(path: string): Promise<boolean> {
  const holder = await holderOf(path);
  if (holder === 'missing') return false;
  return holder === 'unreadable' || !(await isAlive(holder));
}

async function holderOf(path: string): Promise<(ProcessIdentity & {token: string}) | 'missing' | 'unreadable'> {
  try {
    const parsed = holderSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    return parsed.success ? parsed.data : 'unreadable';
  } catch (error) {
    return isErrno(error, 'ENOENT') ? 'missing' : 'unreadable';
  }
}

async function releaseFile(lockPath: string, token: string): Promise<void> {
  const holder = await holderOf(lockPath);
  if (typeof holder === 'object' && holder.token === token) await unlink(lockPath).catch(ignoreMissing);
}

function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const {promise: aborted, reject} = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, {once: true});
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, 'ENOENT')) throw error;
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
