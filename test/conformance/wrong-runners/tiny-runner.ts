import {existsSync} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';
import {signJws} from '@switchyard/shared/crypto/jws.ts';
import type {DownMessage, LeaseConfig, Offer, Verdict} from '@switchyard/shared/protocol/down.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import {TinyAgent} from './tiny-agent.ts';
import {TinyLink} from './tiny-link.ts';
import {TinyLog} from './tiny-log.ts';
import {checkOffer} from './tiny-offer.ts';
import {bootMs, TinyState, type TinyAttempt} from './tiny-state.ts';
import {isWrong, type Wrong} from './wrong.ts';

/**
 * A runner as small as the protocol allows, written from docs/conformance.md and not from ours: `node tiny-runner.ts
 * URL TOKEN STATE [what it does wrong]`. It passes every scenario unless told to do something wrong.
 */
const slots = {default: 2};
const tickMs = 25;

type Message<Type extends DownMessage['t']> = Extract<DownMessage, {t: Type}>;
type AboutOne = Message<'go' | 'gone' | 'exit_ack' | 'exit_nack' | 'cancel' | 'input'>;

const aboutOne: ReadonlySet<string> = new Set(['go', 'gone', 'exit_ack', 'exit_nack', 'cancel', 'input']);

/** What a newer server says besides is nothing to this runner. */
const isAboutOne = (message: DownMessage): message is AboutOne => aboutOne.has(message.t);

type Ref = {readonly task: string; readonly epoch: number};

const refOf = ({task, epoch}: Ref): Ref => ({task, epoch});

class TinyRunner {
  readonly #state: TinyState;
  readonly #wrong: Wrong;
  readonly #link: TinyLink;
  readonly #logs = new Map<TinyAttempt, TinyLog>();
  #config: LeaseConfig | undefined;
  #server = {timeMs: 0, atMs: 0};
  #nextRenewMs = 0;
  #isDraining = false;
  #phases = bootMs();

  constructor(state: TinyState, wrong: Wrong) {
    this.#state = state;
    this.#wrong = wrong;
    this.#link = new TinyLink(state, wrong, {
      hello: () => ({
        version: '0',
        boot_id: 'unknown',
        lease_class: 'standard',
        slots,
        labels: [],
        inventory: this.#inventory(),
        ts: bootMs(),
      }),
      message: message => void this.#hear(message),
      revoked: async () => {
        for (const attempt of this.#state.attempts) this.#fence(attempt);
        await delay(100);
      },
    });
  }

  async run(): Promise<never> {
    if (this.#wrong === 'start-again')
      for (const attempt of this.#running()) this.#agent(attempt, '-again').start(commandOf(attempt));
    if (this.#wrong === 'forget-attempts') this.#state.attempts = [];
    if (this.#wrong === 'forget-epochs') this.#state.epochs.clear();
    setInterval(() => void this.#tick(), tickMs);
    return this.#link.run();
  }

  #running(): readonly TinyAttempt[] {
    return this.#state.attempts.filter(({phase}) => phase === 'running');
  }

  #agent(of: Ref, suffix = ''): TinyAgent {
    return new TinyAgent(`${this.#state.folder}${suffix}`, of);
  }

  #inventory(): readonly object[] {
    if (this.#wrong === 'name-nothing') return [];
    return this.#state.attempts.map(attempt => ({
      ...refOf(attempt),
      phase: attempt.phase,
      spool_len: this.#agent(attempt).logLength,
    }));
  }

  async #hear(message: DownMessage): Promise<void> {
    if (message.t === 'welcome') this.#welcome(message);
    else if (message.t === 'offer') await this.#offer(message);
    else if (message.t === 'renewed') this.#renewed(message);
    else if (message.t === 'drain') this.#isDraining = this.#wrong !== 'ignore-drain';
    else if (message.t === 'resume') this.#isDraining = false;
    else if (isAboutOne(message)) this.#about(message);
  }

  #about(message: AboutOne): void {
    const attempt = this.#state.find(message.task, message.epoch);
    if (message.t === 'go') this.#go(attempt, message);
    else if (attempt === undefined) return;
    else if (message.t === 'gone' && this.#wrong !== 'ignore-gone') this.#fence(attempt);
    else if (message.t === 'exit_ack') this.#forget(attempt);
    else if (message.t === 'exit_nack' && this.#wrong !== 'report-once') attempt.sentMs = 0;
    else if (message.t === 'cancel' && this.#wrong !== 'ignore-cancel') {
      this.#stop(attempt, {kind: 'cancelled'}, bootMs() + message.grace_ms);
    } else if (message.t === 'input' && this.#wrong !== 'ignore-input')
      this.#link.send({t: 'input_ack', ...refOf(attempt), seq: message.seq, delivered: false});
  }

  #welcome({config, verdicts, server_time_ms: timeMs, echo}: Message<'welcome'>): void {
    const renewMs = this.#wrong === 'own-cadence' ? 500 : config.renew_ms;
    this.#config = {...config, renew_ms: renewMs};
    this.#server = {timeMs, atMs: echo};
    this.#nextRenewMs = bootMs() + renewMs;
    this.#isDraining = false;
    for (const verdict of verdicts) this.#obey(verdict, echo);
    if (this.#wrong !== 'report-once')
      for (const attempt of this.#state.attempts) if (attempt.phase === 'reported') attempt.sentMs = 0;
  }

  #obey({task, epoch, verdict}: Verdict, echo: number): void {
    const attempt = this.#state.find(task, epoch);
    if (attempt === undefined || this.#wrong === 'ignore-verdicts') return;
    if (verdict === 'kill') this.#fence(attempt);
    else if (verdict === 'forget') this.#forget(attempt);
    else if (verdict === 'keep' && attempt.phase === 'accepted') this.#accept(attempt);
    else if (verdict === 'keep') this.#extend(attempt, echo);
  }

  async #offer(offer: Offer): Promise<void> {
    const {task, epoch} = offer;
    const held = this.#state.find(task, epoch);
    if (held?.phase === 'accepted') return this.#accept(held);
    if (held !== undefined) return;
    const nowMs = this.#server.timeMs + bootMs() - this.#server.atMs;
    const checked = await checkOffer(this.#state, offer, nowMs, this.#wrong);
    const reject = (detail: string, retryable: boolean, code = 'bad_envelope'): void =>
      this.#link.send({t: 'reject', task, epoch, code, detail, retryable});
    if ('detail' in checked) return reject(checked.detail, checked.retryable);
    const isSpent = epoch <= (this.#state.epochs.get(task) ?? 0) && this.#wrong !== 'begin-again';
    if (isSpent) return reject('this epoch began here', true);
    const isFull = this.#state.attempts.length >= slots.default && this.#wrong !== 'take-more';
    if (isFull || this.#isDraining) return reject('no slot is free', true, 'capacity_reached');
    const attempt: TinyAttempt = {
      ...refOf(offer),
      spec: checked.spec,
      phase: 'accepted',
      acceptedMs: bootMs(),
      deadlineMs: 0,
      ticket: '',
      inputs: [],
    };
    this.#state.attempts.push(attempt);
    if (this.#wrong === 'start-on-offer') this.#start(attempt, bootMs());
    this.#accept(attempt);
  }

  #accept(attempt: TinyAttempt): void {
    this.#link.send({t: 'accept', ...refOf(attempt), ts: bootMs()});
  }

  #go(attempt: TinyAttempt | undefined, message: Message<'go'>): void {
    const {task, epoch, echo} = message;
    if (attempt === undefined) {
      if (this.#wrong === 'go-without-accept')
        this.#link.send({t: 'phase', task, epoch, seq: 1, phase: 'running', detail: ''});
      return;
    }
    if (!this.#mayStart(attempt, echo)) return;
    attempt.ticket = message.log_ticket;
    const from = this.#wrong === 'count-from-receipt' ? bootMs() : echo;
    const isLate = bootMs() >= from + this.#ttlMs() - (this.#config?.hard_kill_ms ?? 0);
    if (isLate) this.#forget(attempt);
    else this.#start(attempt, from);
  }

  #mayStart({phase, acceptedMs}: TinyAttempt, echo: number): boolean {
    if (phase !== 'accepted' && this.#wrong !== 'start-on-every-go') return false;
    return (echo >= acceptedMs && echo <= bootMs()) || this.#wrong === 'believe-the-echo';
  }

  /** The epoch is spent, and the file says so, before anything runs. */
  #start(attempt: TinyAttempt, fromMs: number): void {
    const again = attempt.phase === 'accepted' ? '' : '-again';
    attempt.phase = 'running';
    attempt.deadlineMs = fromMs + this.#ttlMs();
    this.#state.epochs.set(attempt.task, attempt.epoch);
    this.#state.save();
    this.#setDeadline(attempt, again);
    this.#agent(attempt, again).start(commandOf(attempt));
    this.#phase(attempt);
  }

  #ttlMs(): number {
    return this.#config?.ttl_ms ?? 0;
  }

  #setDeadline(attempt: TinyAttempt, suffix = ''): void {
    const isBlind = this.#wrong === 'no-switch' || this.#wrong === 'no-deadline';
    const hardMs = attempt.deadlineMs - (this.#config?.hard_kill_ms ?? 0);
    this.#agent(attempt, suffix).extend(isBlind ? hardMs + 3_600_000 : hardMs);
  }

  #phase({task, epoch, phase}: TinyAttempt): void {
    this.#phases += 1;
    this.#link.send({t: 'phase', task, epoch, seq: this.#phases, phase, detail: ''});
  }

  #renewed({items, echo}: Message<'renewed'>): void {
    for (const attempt of this.#state.attempts) {
      const isNamed = items.some(({task, epoch}) => task === attempt.task && epoch === attempt.epoch);
      if (isNamed || this.#wrong === 'extend-everything') this.#extend(attempt, echo);
    }
  }

  #extend(attempt: TinyAttempt, echo: number): void {
    if (attempt.phase !== 'running' || this.#wrong === 'never-extend') return;
    attempt.deadlineMs = Math.max(attempt.deadlineMs, echo + this.#ttlMs());
    this.#setDeadline(attempt);
    this.#state.save();
  }

  #fence(attempt: TinyAttempt): void {
    if (attempt.phase === 'running')
      this.#agent(attempt).signal(this.#wrong === 'kill-politely' ? 'SIGTERM' : 'SIGKILL');
    this.#forget(attempt);
  }

  #forget(attempt: TinyAttempt): void {
    this.#logs.get(attempt)?.close();
    this.#logs.delete(attempt);
    this.#state.drop(attempt);
  }

  #stop(attempt: TinyAttempt, result: AttemptResult, killAtMs: number): void {
    if (attempt.phase !== 'running' || attempt.result !== undefined) return;
    attempt.result = result;
    attempt.killAtMs = killAtMs;
    this.#agent(attempt).signal('SIGTERM');
  }

  async #tick(): Promise<void> {
    const config = this.#config;
    if (config === undefined) return;
    for (const attempt of this.#state.attempts.slice()) {
      if (attempt.phase === 'running') this.#watch(attempt, config);
      if (attempt.phase !== 'accepted') this.#upload(attempt);
      if (attempt.phase === 'exited') this.#seal(attempt);
      if (attempt.phase === 'reported') await this.#report(attempt, config);
    }
    if (!this.#link.isOpen || bootMs() < this.#nextRenewMs) return;
    this.#nextRenewMs = bootMs() + config.renew_ms;
    this.#link.send({t: 'renew', ts: bootMs(), slots, items: this.#inventory()});
  }

  #watch(attempt: TinyAttempt, config: LeaseConfig): void {
    const agent = this.#agent(attempt);
    const code = agent.end;
    const nowMs = bootMs();
    if (code !== undefined) {
      attempt.code = code;
      attempt.phase = 'exited';
      this.#state.save();
      this.#phase(attempt);
    } else if (this.#wrong === 'no-deadline') return;
    else if (nowMs >= attempt.deadlineMs - config.hard_kill_ms) this.#fence(attempt);
    else if (attempt.killAtMs !== undefined && nowMs >= attempt.killAtMs) agent.signal('SIGKILL');
    else if (nowMs >= attempt.deadlineMs - config.soft_stop_ms)
      this.#stop(attempt, {kind: 'failed', code: 'lease_lost', detail: 'not renewed', retryable: true}, Infinity);
    if (this.#wrong === 'kill-on-silence' && !this.#link.isOpen) this.#fence(attempt);
  }

  #upload(attempt: TinyAttempt): void {
    if (!this.#state.attempts.includes(attempt) || !existsSync(this.#agent(attempt).logPath)) return;
    const log = this.#logs.get(attempt) ?? this.#openLog(attempt);
    if (attempt.phase !== 'running') log.finish();
    log.tick();
  }

  #openLog(attempt: TinyAttempt): TinyLog {
    const url = new URL(`/v1/runner/log/${attempt.task}?epoch=${attempt.epoch}`, this.#state.url).href;
    const ticket = this.#wrong === 'no-ticket' ? '' : attempt.ticket;
    const address = async () => ({
      url,
      headers: {authorization: `Bearer ${await this.#link.token()}`, 'x-log-ticket': ticket},
    });
    const log = new TinyLog(this.#agent(attempt), address, this.#wrong);
    this.#logs.set(attempt, log);
    return log;
  }

  #seal(attempt: TinyAttempt): void {
    const log = this.#logs.get(attempt);
    const isEarly = this.#wrong === 'report-before-the-seal' && log?.end !== undefined;
    if (log?.end === undefined || (log.receipt === undefined && !isEarly)) return;
    attempt.receipt = log.receipt ?? `receipt-${log.end.len}`;
    attempt.end = log.end;
    attempt.phase = 'reported';
    this.#state.save();
  }

  async #report(attempt: TinyAttempt, config: LeaseConfig): Promise<void> {
    if (!this.#link.isOpen || bootMs() < (attempt.sentMs ?? 0) + 2 * config.renew_ms) return;
    if (this.#wrong === 'report-once' && attempt.sentMs !== undefined) return;
    attempt.sentMs = bootMs();
    const record = await signJws(this.#state.key, {typ: 'switchyard-exit+jws'}, this.#recordOf(attempt));
    this.#link.send({t: 'exit', ...refOf(attempt), record});
  }

  #recordOf(attempt: TinyAttempt): object {
    const {code = null, end = {len: 0, sha256: ''}, receipt = null} = attempt;
    return {
      ...refOf(attempt),
      runner: this.#state.identity.runner,
      result: attempt.result ?? this.#judged(code),
      exit_code: code,
      signal: code === null ? 'SIGKILL' : null,
      log_len: end.len,
      log_sha256: end.sha256,
      log_receipt: receipt,
      log_dropped: 0,
      git: null,
      timings: {prepare_ms: 0, run_ms: 0, finish_ms: 0},
    };
  }

  #judged(code: number | null): AttemptResult {
    if (code === 0 || this.#wrong === 'always-succeed') return {kind: 'succeeded'};
    return {kind: 'failed', code: 'agent_failed', detail: `the agent ended with ${code}`, retryable: true};
  }
}

const commandOf = ({spec}: TinyAttempt): readonly string[] => spec.agent.command ?? [];

const [url = '', token = '', folder = '', wrong = 'nothing'] = process.argv.slice(2);
if (!isWrong(wrong)) throw new Error(`not known as wrong: ${wrong}`);
await new TinyRunner(await TinyState.open(folder, url, token), wrong).run();
