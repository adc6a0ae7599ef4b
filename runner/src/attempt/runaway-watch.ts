import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {
  asked,
  firstSigns,
  judgeRunaway,
  looked,
  noted,
  seen,
  type AgentLimits,
  type AgentUse,
  type Signs,
} from '@switchyard/shared/policy/runaway.ts';
import type {OpenAsk} from './ask-desk.ts';
import {attemptKey, type AttemptRef} from './attempt-state.ts';
import type {AgentEnd, AttemptPlan, WorkObserver} from './attempt-work.ts';

export type RunawayWatchOptions = {
  /** Bytes that the attempt has written to its log. */
  readonly outputBytes: (plan: AttemptPlan) => number;
  /** Bytes that have passed between the attempt and its models. */
  readonly modelBytes: (of: AttemptRef) => number;
  /** What the processes of the attempt use right now; null where nobody can tell. */
  readonly use: (plan: AttemptPlan) => Promise<AgentUse | null>;
  readonly limitsOf: (plan: AttemptPlan) => AgentLimits;
  readonly nowMs: () => number;
};

const lookEveryMs = 10_000;

const eventData = z.looseObject({
  id: z.string().optional().catch(undefined),
  status: z.string().optional().catch(undefined),
});

type Watched = {signs: Signs; bytes: number; lookedMs: number; isLooking: boolean};

/** Ends agents that run in circles, have fallen silent or use too much, and says which limit ended them. */
export class RunawayWatch {
  readonly #options: RunawayWatchOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: RunawayWatchOptions) {
    this.#options = options;
  }

  /** The same observer, whose events and questions are looked at on the way. */
  hear(observer: WorkObserver): WorkObserver {
    return {
      ...observer,
      agentEvent: (plan, event) => {
        const {id, status} = eventData.safeParse(event.data).data ?? {};
        this.#change(plan, (signs, nowMs) => noted(signs, {kind: event.kind, id, status}, nowMs));
        observer.agentEvent(plan, event);
      },
      askPerson: (plan, ask) => this.#waiting(plan, observer.askPerson(plan, ask)),
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
    const nowMs = this.#options.nowMs();
    const watched = {signs: firstSigns(nowMs), bytes: this.#bytesOf(plan), lookedMs: nowMs, isLooking: false};
    this.#watched.set(key, watched);
    const runaway = Promise.withResolvers<never>();
    const ending = new AbortController();
    const timer = setInterval(() => {
      this.#look(plan, watched).then(
        error => {
          if (error === undefined) return;
          clearInterval(timer);
          runaway.reject(error);
          ending.abort();
        },
        (error: unknown) => runaway.reject(error),
      );
    }, lookEveryMs);
    try {
      return await Promise.race([runaway.promise, run(AbortSignal.any([signal, ending.signal]))]);
    } finally {
      clearInterval(timer);
      this.#watched.delete(key);
    }
  }

  async #look(plan: AttemptPlan, watched: Watched): Promise<SwitchyardError | undefined> {
    // A machine that is slow to answer is not asked again meanwhile.
    if (watched.isLooking) return undefined;
    watched.isLooking = true;
    try {
      const use = await this.#options.use(plan);
      const nowMs = this.#options.nowMs();
      const bytes = this.#bytesOf(plan);
      if (bytes !== watched.bytes) watched.signs = seen(watched.signs, nowMs);
      watched.signs = looked(watched.signs, use, {nowMs, elapsedMs: nowMs - watched.lookedMs});
      watched.bytes = bytes;
      watched.lookedMs = nowMs;
      const found = judgeRunaway(watched.signs, nowMs, this.#options.limitsOf(plan));
      return found === null
        ? undefined
        : new SwitchyardError('agent_runaway', `killed by ${found.killedBy}: ${found.detail}`);
    } finally {
      watched.isLooking = false;
    }
  }

  #waiting(plan: AttemptPlan, ask: OpenAsk): OpenAsk {
    let isOpen = true;
    this.#change(plan, (signs, nowMs) => asked(signs, 1, nowMs));
    const over = (): void => {
      if (!isOpen) return;
      isOpen = false;
      this.#change(plan, (signs, nowMs) => asked(signs, -1, nowMs));
    };
    return {
      answer: ask.answer.finally(over),
      close: () => {
        over();
        ask.close();
      },
      withdraw: () => {
        over();
        ask.withdraw();
      },
    };
  }

  #change(plan: AttemptPlan, change: (signs: Signs, nowMs: number) => Signs): void {
    const watched = this.#watched.get(attemptKey(plan));
    if (watched !== undefined) watched.signs = change(watched.signs, this.#options.nowMs());
  }

  #bytesOf(plan: AttemptPlan): number {
    return this.#options.outputBytes(plan) + this.#options.modelBytes(plan);
  }
}
