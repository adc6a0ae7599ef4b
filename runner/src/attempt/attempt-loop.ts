import {signJws, type SigningKey} from '@switchyard/shared/crypto/jws.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {taskIdSchema, type RunnerId} from '@switchyard/shared/domain/id.ts';
import type {AnswerMessage} from '@switchyard/shared/protocol/ask-message.ts';
import type {DownMessage, Offer} from '@switchyard/shared/protocol/down.ts';
import {EXIT_TYP} from '@switchyard/shared/protocol/envelope.ts';
import type {ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import {PROTOCOL_VERSION} from '@switchyard/shared/protocol/version.ts';
import type {Link, LinkUp} from '../link/link.ts';
import type {MachineMetrics} from '../link/machine-metrics.ts';
import type {Journal} from '../state/journal.ts';
import {AskDesk} from './ask-desk.ts';
import {reduce} from './attempt-reducer.ts';
import {attemptKey, planOf, type Attempt, type AttemptRef} from './attempt-state.ts';
import type {AttemptPlan, AttemptWork, WorkObserver} from './attempt-work.ts';
import {recordToSign, understoodBy} from './exit-facts.ts';
import {keepUnsent, reportedEvent} from './reported-event.ts';
import {isWorking, nextLookMs, statedSlots} from './clock-rules.ts';
import {journalChange} from './journal-change.ts';
import {
  initialState,
  type HeldItem,
  type OfferCheck,
  type RunnerEffect,
  type RunnerEvent,
  type RunnerState,
  type WorkAnswer,
} from './runner-state.ts';
import {heldItems} from './turn.ts';
import {eventOf} from './server-message.ts';
import {failureOf, WorkCalls} from './work-calls.ts';

export type AttemptLoopOptions = {
  readonly runner: RunnerId;
  readonly signingKey: () => SigningKey;
  readonly journal: Journal;
  readonly link: Link;
  /** Makes the hands; they report what they see to the observer. */
  readonly work: (observer: WorkObserver) => AttemptWork;
  /** Milliseconds since boot, counting sleep. */
  readonly bootMs: () => number;
  readonly slots: number;
  readonly labels: readonly string[];
  /** Signature, then local policy: whether this offer may run here. Must not throw. */
  readonly checkOffer: (offer: Offer) => Promise<OfferCheck>;
  readonly metrics: () => Promise<MachineMetrics>;
  /** What an attempt spent on models, for its signed record. */
  readonly usedBy: (of: AttemptRef) => Promise<Pick<ExitRecord, 'spent' | 'resources'>>;
  /** One line for the log of the runner, without a secret. */
  readonly log: (line: string) => void;
  /** The loop has stopped deciding: the journal cannot be written, or the key was revoked and everything has ended. */
  readonly onFatal: (error: SwitchyardError) => void;
};

export type LoopStatus = {
  readonly held: readonly HeldItem[];
  readonly slots: number;
  readonly isDraining: boolean;
  /** Events that had no arrow, since the start. */
  readonly refused: number;
};

/** A revoked runner ends after this time even if something could not be cleaned. */
const fenceMaxMs = 60_000;

/**
 * The shell around the reducer: one event at a time, journal first, then the effects.
 *
 * `start` adopts what an earlier process left. `drain` and `stopAll` resolve when nothing is held; `close` lets go of
 * everything without ending it, so that the next process adopts it.
 */
export class AttemptLoop {
  readonly #options: AttemptLoopOptions;
  readonly #calls: WorkCalls;
  readonly #desk = new AskDesk(message => this.#send(message));
  #state: RunnerState;
  #inbound: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  /** Nothing is decided any more. */
  #isClosed = false;
  /** Of the newest session; before the first one there is no reason to take the control plane for an old one. */
  #protocol: number = PROTOCOL_VERSION;
  #closing: Promise<void> | undefined;
  #refused = 0;
  #seq: number;
  /** Events of agents while there is no session. */
  readonly #unsent: LinkUp[] = [];
  readonly #emptyWaiters = new Set<() => void>();

  constructor(options: AttemptLoopOptions) {
    this.#options = options;
    const {journal, slots} = options;
    const {attempts, maxEpochs, config} = journal.content;
    this.#state = initialState({attempts, maxEpochs, config, slots, bornBootMs: options.bootMs()});
    // Sequence numbers rise across restarts without a write for each: every opening has a range of its own.
    this.#seq = journal.content.openings * 2 ** 32;
    const work = options.work({
      phaseDetail: (plan, detail) => this.#onPhaseDetail(plan, detail),
      agentEvent: (plan, event) => this.#onAgentEvent(plan, event),
      askPerson: ({task, epoch}, ask) => this.#desk.ask({task: taskIdSchema.parse(task), epoch}, ask),
    });
    this.#calls = new WorkCalls(work, {
      answer: (of, answer) => this.#dispatch({kind: 'answer', of, answer}),
      inputDone: (of, seq, delivered) => this.#dispatch({kind: 'inputDone', of, seq, delivered}),
      log: options.log,
    });
  }

  start(): void {
    this.#dispatch({kind: 'restored', sameBoot: this.#options.journal.content.sameBoot});
    this.#options.link.start({
      hello: () => this.#hello(),
      onMessage: message => this.#receive(message),
      onDisconnected: why => {
        this.#options.log(`disconnected: ${why}`);
        this.#enqueue(async () => ({kind: 'disconnected'}));
      },
      onFatal: error => void this.#onLinkFatal(error),
    });
  }

  status(): LoopStatus {
    const {slots, isDrainedHere, isDrainedThere} = this.#state;
    return {
      held: heldItems(this.#state),
      slots,
      isDraining: isDrainedHere || isDrainedThere,
      refused: this.#refused,
    };
  }

  /** All that the journal holds, also what has been reported and is only being cleaned up. */
  attempts(): readonly AttemptRef[] {
    return [...this.#state.attempts.values()];
  }

  /** What an attempt may do while it holds its lease; undefined from the moment it does not. */
  held(of: AttemptRef): Pick<Attempt, 'task' | 'epoch' | 'spec' | 'allowance'> | undefined {
    const attempt = this.#attempt(of);
    return attempt !== undefined && isWorking(attempt, this.#options.bootMs()) ? attempt : undefined;
  }

  /** Takes nothing more; resolves when nothing is held, or when the signal aborts. */
  async drain(signal?: AbortSignal): Promise<void> {
    this.#dispatch({kind: 'drainHere'});
    await this.#empty(signal);
  }

  /** Ends every attempt as interrupted, so that the tasks go back to the queue; resolves like `drain`. */
  async stopAll(request: {graceMs: number; detail: string}, signal?: AbortSignal): Promise<void> {
    this.#dispatch({kind: 'stopAll', ...request});
    await this.#empty(signal);
  }

  /** May be called again, and after `onFatal`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closing ??= this.#letGo();
    await this.#closing;
  }

  async #letGo(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#options.link.close();
    await this.#calls.close();
    await this.#inbound;
    this.#options.journal.close();
  }

  #hello(): ReturnType<Parameters<Link['start']>[0]['hello']> {
    const ts = this.#options.bootMs();
    const inventory = heldItems(this.#state).map(item => ({...item, spool_len: this.#spoolLength(item)}));
    return {slots: {...statedSlots(this.#state)}, labels: [...this.#options.labels], inventory, ts};
  }

  /** In the order of the server, although the check of an offer takes a moment. */
  #receive(message: DownMessage): void {
    const {checkOffer, log} = this.#options;
    const onAnswer = (answer: AnswerMessage): void => this.#desk.take(answer);
    this.#enqueue(async () => eventOf(message, {checkOffer, onAnswer, log}));
  }

  #enqueue(decode: () => Promise<RunnerEvent | undefined>): void {
    const before = this.#inbound;
    const handle = async (): Promise<void> => {
      await before;
      const event = await decode();
      if (event !== undefined) this.#dispatch(event);
    };
    this.#inbound = handle();
  }

  #dispatch(event: RunnerEvent): void {
    if (this.#isClosed) return;
    const before = this.#state;
    const {state, effects} = reduce(before, event, this.#options.bootMs());
    try {
      const change = journalChange(before, state);
      if (change !== undefined) this.#options.journal.write(change);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    if (event.kind === 'welcome') this.#begin(event.welcome.protocol);
    if (event.kind === 'disconnected') this.#desk.end();
    this.#schedule();
    if (state.attempts.size === 0) for (const resolve of this.#emptyWaiters) resolve();
  }

  /** A session has begun: what waited for one is said. */
  #begin(protocol: number): void {
    this.#protocol = protocol;
    for (const unsent of this.#unsent.splice(0)) this.#send(unsent);
    this.#desk.begin(protocol, of => this.#attempt(of) !== undefined);
  }

  /** Nothing may happen that is not durable: the process must end, and the dead-man's switches of the agents hold. */
  #fail(error: unknown): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const fatal =
      error instanceof SwitchyardError ? error : new SwitchyardError('internal', String(error), {cause: error});
    this.#options.onFatal(fatal);
  }

  #perform(effect: RunnerEffect): void {
    switch (effect.kind) {
      case 'send':
        this.#options.link.send(effect.message);
        return;
      case 'phase':
        this.#send({t: 'phase', seq: this.#nextSeq(), ...effect.of, detail: effect.detail.slice(0, 500)});
        return;
      case 'renew':
        this.#renew(effect);
        return;
      case 'sign':
        this.#sign(effect).catch(() => undefined);
        return;
      case 'refused':
        this.#refused += 1;
        return;
      case 'notice':
        this.#options.log(`${attemptKey(effect.of)}: ${effect.text}`);
        return;
      case 'extend':
      case 'prepare':
      case 'run':
      case 'kill':
      case 'clean':
      case 'finish':
      case 'stop':
      case 'seal':
      case 'input':
      case 'warn':
        this.#calls.perform(effect);
        return;
    }
  }

  #send(message: LinkUp): void {
    this.#options.link.send(message);
  }

  #renew({ts, slots, items}: Extract<RunnerEffect, {kind: 'renew'}>): void {
    const named = items.map(item => ({...item, spool_len: this.#spoolLength(item)}));
    this.#send({t: 'renew', ts, slots: {...slots}, items: named});
    this.#options.metrics().then(
      metrics => this.#send({t: 'metrics', ...metrics}),
      (error: unknown) => this.#options.log(`metrics: ${failureOf(error).detail}`),
    );
  }

  #spoolLength(of: AttemptRef): number {
    const attempt = this.#attempt(of);
    return attempt === undefined || attempt.logTicket === null ? 0 : this.#calls.spoolLength(planOf(attempt));
  }

  async #sign({of, record, isPlain}: Extract<RunnerEffect, {kind: 'sign'}>): Promise<void> {
    let answer: WorkAnswer;
    try {
      const protocol = this.#protocol;
      const used = isPlain ? {} : await this.#options.usedBy(of);
      const understood = {...understoodBy(protocol, {...record, ...used}), runner: this.#options.runner};
      const payload = recordToSign(understood, {protocol, isPlain});
      answer = {verb: 'sign', record: await signJws(this.#options.signingKey(), {typ: EXIT_TYP}, payload)};
    } catch (error) {
      answer = {verb: 'failed', of: 'sign', failure: failureOf(error)};
    }
    this.#dispatch({kind: 'answer', of, answer});
  }

  #attempt(of: AttemptRef): Attempt | undefined {
    return this.#state.attempts.get(attemptKey(of));
  }

  #onPhaseDetail(plan: AttemptPlan, detail: string): void {
    const item = heldItems(this.#state).find(each => each.task === plan.task && each.epoch === plan.epoch);
    if (item !== undefined) this.#send({t: 'phase', seq: this.#nextSeq(), ...item, detail: detail.slice(0, 500)});
  }

  /** The place of an event in the attempt is its number, so that what an adopted agent said before is not told twice. */
  #onAgentEvent(plan: AttemptPlan, told: {readonly seq: number; readonly kind: string; readonly data: unknown}): void {
    const attempt = this.#attempt(plan);
    if (attempt === undefined) return;
    const event = reportedEvent(attempt, told);
    if (this.#state.isConnected) this.#send(event);
    else keepUnsent(this.#unsent, event);
  }

  #nextSeq(): number {
    this.#seq += 1;
    return this.#seq;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    const waitMs = nextLookMs(this.#state, this.#options.bootMs());
    this.#timer = setTimeout(() => this.#dispatch({kind: 'tick'}), waitMs);
  }

  /** A revoked runner ends what it holds first; one that is too old leaves it to its successor. Never rejects. */
  async #onLinkFatal(error: SwitchyardError): Promise<void> {
    this.#options.log(`${error.code}: ${error.detail}`);
    this.#dispatch({kind: 'disconnected'});
    if (error.code === 'runner_revoked') {
      this.#dispatch({kind: 'revoked'});
      await this.#empty(AbortSignal.timeout(fenceMaxMs));
    }
    this.#fail(error);
  }

  async #empty(signal?: AbortSignal): Promise<void> {
    if (this.#state.attempts.size === 0 || signal?.aborted === true || this.#isClosed) return;
    const {promise, resolve} = Promise.withResolvers<void>();
    this.#emptyWaiters.add(resolve);
    signal?.addEventListener('abort', () => resolve(), {once: true});
    await promise;
    this.#emptyWaiters.delete(resolve);
  }
}
