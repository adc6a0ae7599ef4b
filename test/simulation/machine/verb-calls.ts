import type {AttemptRef, WorkVerb} from '../../../runner/src/attempt/attempt-state.ts';
import {attemptKey} from '../../../runner/src/attempt/attempt-state.ts';
import type {WorkAnswer} from '../../../runner/src/attempt/runner-state.ts';

export type Call = {readonly verb: WorkVerb; isAborted: boolean; isSettled: boolean; readonly waiting: (() => void)[]};

type Clock = {
  readonly after: (delayMs: number, run: () => void) => void;
  readonly settleMs: () => number;
  readonly answer: (of: AttemptRef, answer: WorkAnswer) => void;
};

const settleMaxMs = 5_000;

/**
 * The verbs under way, with the rules of `WorkCalls` and no promise: one call of each verb but `stop`; an aborted call
 * settles within a second and answers nothing.
 */
export class VerbCalls {
  readonly #clock: Clock;
  readonly #calls = new Map<string, Set<Call>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(verb: WorkVerb, plan: AttemptRef, body: (call: Call, done: (answer: WorkAnswer) => void) => void): void {
    const key = attemptKey(plan);
    const calls = this.#calls.get(key) ?? new Set<Call>();
    this.#calls.set(key, calls);
    if (verb !== 'stop' && [...calls].some(each => each.verb === verb)) return;
    const call: Call = {verb, isAborted: false, isSettled: false, waiting: []};
    calls.add(call);
    const {task, epoch} = plan;
    body(call, answer => {
      if (call.isSettled) return;
      this.#settle(key, call);
      if (!call.isAborted) this.#clock.answer({task, epoch}, answer);
    });
  }

  under(plan: AttemptRef, verbs: readonly WorkVerb[]): readonly Call[] {
    return [...(this.#calls.get(attemptKey(plan)) ?? [])].filter(({verb}) => verbs.includes(verb));
  }

  abort(plan: AttemptRef, verbs: readonly WorkVerb[]): readonly Call[] {
    const calls = this.under(plan, verbs);
    for (const call of calls) {
      if (call.isAborted) continue;
      call.isAborted = true;
      // `stop` listens to no signal.
      if (call.verb !== 'stop') this.#clock.after(this.#clock.settleMs(), () => this.#settle(attemptKey(plan), call));
    }
    return calls;
  }

  /** Continues when all have settled, and after a while in any case. */
  whenSettled(calls: readonly Call[], run: () => void): void {
    let left = calls.filter(({isSettled}) => !isSettled).length;
    let isDone = false;
    const once = (): void => {
      if (isDone) return;
      isDone = true;
      run();
    };
    if (left === 0) {
      once();
      return;
    }
    for (const call of calls)
      if (!call.isSettled)
        call.waiting.push(() => {
          left -= 1;
          if (left === 0) once();
        });
    this.#clock.after(settleMaxMs, once);
  }

  #settle(key: string, call: Call): void {
    if (call.isSettled) return;
    call.isSettled = true;
    const calls = this.#calls.get(key);
    calls?.delete(call);
    if (calls?.size === 0) this.#calls.delete(key);
    for (const run of call.waiting.splice(0)) run();
  }
}
