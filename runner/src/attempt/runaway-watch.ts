import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {firstSigns, judgeRunaway, noted, seen, type Signs} from '@switchyard/shared/policy/runaway.ts';
import {attemptKey, type AttemptRef} from './attempt-state.ts';
import type {AgentEnd, AttemptPlan, WorkObserver} from './attempt-work.ts';

export type RunawayWatchOptions = {
  /** Bytes that the attempt has written to its log. */
  readonly outputBytes: (plan: AttemptPlan) => number;
  /** Bytes that have passed between the attempt and its models. */
  readonly modelBytes: (of: AttemptRef) => number;
  readonly nowMs: () => number;
};

const lookEveryMs = 10_000;

const eventData = z.looseObject({
  id: z.string().optional().catch(undefined),
  status: z.string().optional().catch(undefined),
});

type Watched = {signs: Signs; bytes: number};

/** Ends agents that run in circles or have fallen silent, and says which limit ended them. */
export class RunawayWatch {
  readonly #options: RunawayWatchOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: RunawayWatchOptions) {
    this.#options = options;
  }

  /** The same observer, whose events are looked at on the way. */
  hear(observer: WorkObserver): WorkObserver {
    return {
      ...observer,
      agentEvent: (plan, event) => {
        const watched = this.#watched.get(attemptKey(plan));
        if (watched !== undefined) {
          const {id, status} = eventData.safeParse(event.data).data ?? {};
          watched.signs = noted(watched.signs, {kind: event.kind, id, status}, this.#options.nowMs());
        }
        observer.agentEvent(plan, event);
      },
    };
  }

  /**
   * Runs an agent while it behaves.
   *
   * @throws SwitchyardError agent_runaway with the limit that ended it
   */
  async guard(
    plan: AttemptPlan,
    signal: AbortSignal,
    run: (signal: AbortSignal) => Promise<AgentEnd>,
  ): Promise<AgentEnd> {
    const key = attemptKey(plan);
    const watched = {signs: firstSigns(this.#options.nowMs()), bytes: this.#bytesOf(plan)};
    this.#watched.set(key, watched);
    const runaway = Promise.withResolvers<never>();
    const ending = new AbortController();
    const timer = setInterval(() => {
      const error = this.#look(plan, watched);
      if (error === undefined) return;
      clearInterval(timer);
      runaway.reject(error);
      ending.abort();
    }, lookEveryMs);
    try {
      return await Promise.race([runaway.promise, run(AbortSignal.any([signal, ending.signal]))]);
    } finally {
      clearInterval(timer);
      this.#watched.delete(key);
    }
  }

  #look(plan: AttemptPlan, watched: Watched): SwitchyardError | undefined {
    const nowMs = this.#options.nowMs();
    const bytes = this.#bytesOf(plan);
    if (bytes !== watched.bytes) watched.signs = seen(watched.signs, nowMs);
    watched.bytes = bytes;
    const found = judgeRunaway(watched.signs, nowMs);
    return found === null
      ? undefined
      : new SwitchyardError('agent_runaway', `killed by ${found.killedBy}: ${found.detail}`);
  }

  #bytesOf(plan: AttemptPlan): number {
    return this.#options.outputBytes(plan) + this.#options.modelBytes(plan);
  }
}
