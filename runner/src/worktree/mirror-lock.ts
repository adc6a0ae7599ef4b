import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

const defaultDeadlineMs = 120_000;

export interface LockWait {
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Locks by path, first come first served. They live in memory: the lock of the state directory (`state-lock.ts`) makes
 * this process the only one that works below its root, and a lock that ends with the process is never left behind.
 */
export class MirrorLocks {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `work` while nobody else holds the lock. Throws `worktree_busy` when it is not free within the deadline. */
  async hold<T>(lockPath: string, work: () => Promise<T>, wait: LockWait = {}): Promise<T> {
    const previous = this.#tails.get(lockPath) ?? Promise.resolve();
    const {promise: done, resolve: release} = Promise.withResolvers<void>();
    // Whoever gives up lets those behind it wait for the holder before it.
    const tail = previous.then(() => done);
    this.#tails.set(lockPath, tail);
    try {
      await untilFree(previous, lockPath, wait);
      return await work();
    } finally {
      release();
      if (this.#tails.get(lockPath) === tail) this.#tails.delete(lockPath);
    }
  }
}

async function untilFree(previous: Promise<void>, lockPath: string, {deadlineMs, signal}: LockWait): Promise<void> {
  signal?.throwIfAborted();
  const {promise: gaveUp, reject} = Promise.withResolvers<never>();
  const late = setTimeout(
    () => reject(new SwitchyardError('worktree_busy', `${lockPath} was not free in time`)),
    deadlineMs ?? defaultDeadlineMs,
  );
  const onAbort = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, {once: true});
  try {
    await Promise.race([previous, gaveUp]);
  } finally {
    clearTimeout(late);
    signal?.removeEventListener('abort', onAbort);
  }
}
