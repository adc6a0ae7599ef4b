import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Executed, Settled, Work} from './fleet-core.ts';

/** Operations that may wait for the commit before them. */
const waitingMax = 10_000;
/** From so many operations in one batch on, more are let join the next: each saves a share of a commit and of a frame. */
const crowdMin = 4;
const crowdWaitMs = 2;

export type Committer = {
  /** Runs operations as one transaction. Throws when the transaction failed as a whole. */
  readonly execute: (works: readonly Work<unknown>[]) => Executed;
  /** Resolves when everything written so far is durable. */
  readonly sync: () => Promise<void>;
  /** Resolves after so many milliseconds; after 0, once events that have arrived already were let in. */
  readonly letIn: (ms: number) => Promise<void>;
  /** Takes what a batch sends; called once for each batch, in order. */
  readonly deliver: (executed: Executed) => void;
};

type Waiting = {readonly work: Work<unknown>; readonly settle: (settled: Settled<unknown>) => void};

/**
 * Natural group commit. The platform makes one durable write for each transaction that comes alone, which costs far
 * more than the work; so the first operation runs at once, and those that arrive while its write is under way form the
 * next batch. One caller pays nothing, a thousand callers share.
 */
export class GroupCommit {
  readonly #committer: Committer;
  #waiting: Waiting[] = [];
  #isSyncing = false;

  constructor(committer: Committer) {
    this.#committer = committer;
  }

  /** Rejects with what the operation threw; `unavailable` when too many wait. Resolves once the batch was executed. */
  run<Value>(work: Work<Value>): Promise<Value> {
    if (this.#waiting.length >= waitingMax)
      return Promise.reject(new SwitchyardError('unavailable', `${waitingMax} operations wait`, {retryAfterMs: 1_000}));
    return new Promise((resolve, reject) => {
      const settle = (settled: Settled<unknown>): void => {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the value of this very work, which is typed
        if (settled.ok) resolve(settled.value as Value);
        else reject(asError(settled.error));
      };
      this.#waiting.push({work, settle});
      if (!this.#isSyncing) this.#commit();
    });
  }

  #commit(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    let executed: Executed;
    try {
      executed = this.#committer.execute(batch.map(({work}) => work));
    } catch (error) {
      for (const {settle} of batch) settle({ok: false, error});
      return;
    }
    this.#committer.deliver(executed);
    batch.forEach(({settle}, index) => settle(executed.results[index] ?? {ok: false, error: new Error('no result')}));
    void this.#commitNext(batch.length);
  }

  async #commitNext(committed: number): Promise<void> {
    this.#isSyncing = true;
    try {
      await this.#committer.sync();
    } catch {
      // A write that failed breaks the object, and with it every reply that waits behind the output gate.
    }
    // Where operations come together more are on their way, and a commit costs far more than letting them in.
    const crowd = Math.max(committed, this.#waiting.length);
    if (crowd > 1) await this.#committer.letIn(crowd < crowdMin ? 0 : crowdWaitMs);
    this.#isSyncing = false;
    if (this.#waiting.length > 0) this.#commit();
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
