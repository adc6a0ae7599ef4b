import {setTimeout as delay} from 'node:timers/promises';
import {errorCodes, SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {isDiskFull} from '../state/disk-full.ts';
import {attemptKey, type AttemptRef, type WorkVerb} from './attempt-state.ts';
import type {AttemptPlan, AttemptWork} from './attempt-work.ts';
import type {RunnerEffect, WorkAnswer, WorkFailure} from './runner-state.ts';

type Call = {readonly verb: WorkVerb; readonly controller: AbortController; readonly settled: Promise<void>};

export type WorkEffect = Extract<
  RunnerEffect,
  {kind: 'prepare' | 'run' | 'finish' | 'stop' | 'kill' | 'seal' | 'clean' | 'extend' | 'input' | 'warn'}
>;

type Hooks = {
  readonly answer: (of: AttemptRef, answer: WorkAnswer) => void;
  readonly inputDone: (of: AttemptRef, seq: number, delivered: boolean) => void;
  readonly log: (line: string) => void;
};

/** How long a verb may take to settle after its signal aborted; the port promises one second. */
const settleMaxMs = 5_000;

/** Calls the verbs of the work port for the effects of the reducer and turns whatever comes of it into an event. */
export class WorkCalls {
  readonly #work: AttemptWork;
  readonly #hooks: Hooks;
  readonly #calls = new Map<string, Set<Call>>();
  #closed = false;

  constructor(work: AttemptWork, hooks: Hooks) {
    this.#work = work;
    this.#hooks = hooks;
  }

  perform(effect: WorkEffect): void {
    const {plan} = effect;
    switch (effect.kind) {
      case 'prepare':
        this.#start('prepare', plan, async signal => ({
          verb: 'prepare',
          result: await this.#work.prepare(plan, signal),
        }));
        return;
      case 'run':
        this.#start('run', plan, async signal => ({verb: 'run', end: await this.#work.run(plan, signal)}));
        return;
      case 'finish':
        this.#start('finish', plan, async signal => ({
          verb: 'finish',
          completion: await this.#work.finish(plan, effect.end, signal),
        }));
        return;
      case 'seal':
        this.#start('seal', plan, async signal => ({
          verb: 'seal',
          sealed: await this.#work.seal(plan, {line: effect.line}, signal),
        }));
        return;
      case 'stop':
        this.#start('stop', plan, async () => this.#stop(plan, effect.graceMs));
        return;
      case 'kill':
        this.#start('kill', plan, async () => this.#kill(plan));
        return;
      case 'clean':
        this.#start('clean', plan, async () => this.#clean(plan));
        return;
      case 'extend':
        this.#extend(effect);
        return;
      case 'input':
        this.#input(effect);
        return;
      case 'warn':
        this.#warn(effect);
        return;
    }
  }

  spoolLength(plan: AttemptPlan): number {
    return this.#work.spoolLength(plan);
  }

  /** Lets go of everything without ending it: agents live on and are adopted by the next process. */
  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#calls.values()].flatMap(calls => [...calls]);
    for (const {controller} of all) controller.abort();
    await settled(all);
  }

  #callsOf(plan: AttemptRef): Set<Call> {
    const key = attemptKey(plan);
    const calls = this.#calls.get(key) ?? new Set<Call>();
    this.#calls.set(key, calls);
    return calls;
  }

  /** A verb under way answers for both callers, except `stop`: a second one may have less patience. */
  #start(verb: WorkVerb, plan: AttemptPlan, call: (signal: AbortSignal) => Promise<WorkAnswer>): void {
    const calls = this.#callsOf(plan);
    if (this.#closed || (verb !== 'stop' && [...calls].some(each => each.verb === verb))) return;
    const controller = new AbortController();
    const {task, epoch} = plan;
    const answered = async (): Promise<void> => {
      const answer = await call(controller.signal).catch((error: unknown): WorkAnswer => ({
        verb: 'failed',
        of: verb,
        failure: failureOf(error),
      }));
      calls.delete(entry);
      if (calls.size === 0) this.#calls.delete(attemptKey(plan));
      if (!controller.signal.aborted) this.#hooks.answer({task, epoch}, answer);
    };
    // The call begins in a later turn, when its entry exists.
    const entry: Call = {verb, controller, settled: Promise.resolve().then(answered)};
    calls.add(entry);
  }

  async #stop(plan: AttemptPlan, graceMs: number): Promise<WorkAnswer> {
    await this.#abort(plan, ['prepare', 'finish']);
    await this.#work.stop(plan, graceMs);
    // The agent has ended: `run` answers by itself with its exit code, and is told to let go if it does not.
    const runs = this.#under(plan, ['run']);
    await settled(runs);
    const wasLaunching = this.#under(plan, ['run']).length > 0;
    await this.#abort(plan, ['run']);
    // A launch that was under way may have come behind the look for what lives: what it started is ended too.
    if (wasLaunching) await this.#work.stop(plan, 0);
    return {verb: 'stop'};
  }

  async #kill(plan: AttemptPlan): Promise<WorkAnswer> {
    const interrupted = this.#under(plan, ['prepare', 'run', 'finish', 'seal', 'stop']);
    for (const {controller} of interrupted) controller.abort();
    await this.#work.stop(plan, 0);
    if (interrupted.length > 0) {
      // What was under way may have started a process after the first look.
      await settled(interrupted);
      await this.#work.stop(plan, 0);
    }
    return {verb: 'kill'};
  }

  async #clean(plan: AttemptPlan): Promise<WorkAnswer> {
    await this.#abort(plan, ['prepare', 'run', 'finish', 'seal', 'stop']);
    await this.#work.clean(plan);
    return {verb: 'clean'};
  }

  #under(plan: AttemptPlan, verbs: readonly WorkVerb[]): readonly Call[] {
    return [...this.#callsOf(plan)].filter(({verb}) => verbs.includes(verb));
  }

  async #abort(plan: AttemptPlan, verbs: readonly WorkVerb[]): Promise<void> {
    const calls = this.#under(plan, verbs);
    for (const {controller} of calls) controller.abort();
    await settled(calls);
  }

  #extend({plan, softBootMs, hardBootMs}: Extract<WorkEffect, {kind: 'extend'}>): void {
    this.#work.extend(plan, {softBootMs, hardBootMs}).catch((error: unknown) => {
      // Nothing is lost: the old deadline stands, and it is the stricter one.
      this.#hooks.log(`${attemptKey(plan)}: the new deadline could not be written: ${failureOf(error).detail}`);
    });
  }

  #warn({plan, leftMs}: Extract<WorkEffect, {kind: 'warn'}>): void {
    this.#work.warn(plan, leftMs).catch((error: unknown) => {
      this.#hooks.log(`${attemptKey(plan)}: the agent could not be warned: ${failureOf(error).detail}`);
    });
  }

  #input({plan, seq, data, interrupt}: Extract<WorkEffect, {kind: 'input'}>): void {
    const {task, epoch} = plan;
    this.#work.input(plan, {seq, data, interrupt}).then(
      delivered => this.#hooks.inputDone({task, epoch}, seq, delivered),
      (error: unknown) => {
        this.#hooks.log(`${attemptKey(plan)}: a message was not delivered: ${failureOf(error).detail}`);
        this.#hooks.inputDone({task, epoch}, seq, false);
      },
    );
  }
}

async function settled(calls: readonly Call[]): Promise<void> {
  if (calls.length === 0) return;
  const giveUp = new AbortController();
  await Promise.race([
    Promise.all(calls.map(({settled: each}) => each)),
    delay(settleMaxMs, undefined, {signal: giveUp.signal, ref: false}).catch(() => undefined),
  ]);
  giveUp.abort();
}

export function failureOf(error: unknown): WorkFailure {
  if (error instanceof SwitchyardError)
    return {
      code: error.code,
      detail: error.detail,
      retryable: errorCodes[error.code].retry,
      retryAfterMs: error.retryAfterMs,
    };
  const detail = error instanceof Error ? error.message : String(error);
  // Whoever wrote the file: a full disk is a state of the machine, not a fault of this program.
  const code = isDiskFull(error) ? 'disk_full' : 'internal';
  return {code, detail, retryable: true};
}
