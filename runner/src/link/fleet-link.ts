import {setTimeout as delay} from 'node:timers/promises';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {signBytes, type SigningKey} from '@switchyard/shared/crypto/jws.ts';
import type {RunnerId} from '@switchyard/shared/domain/id.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import type {Hello} from '@switchyard/shared/protocol/up.ts';
import {protocolVersions} from '@switchyard/shared/protocol/version.ts';
import type {Carrier, CarrierHandlers, SessionEnd} from './carrier.ts';
import type {ConnectTokens} from './connect-token.ts';
import type {Link, LinkHandlers, LinkStatus, LinkUp} from './link.ts';
import {PollCarrier} from './poll-carrier.ts';
import {firstTries, nextTry, type Tries} from './reconnect.ts';
import {openSocket, type Heartbeat} from './socket-carrier.ts';

export type FleetLinkOptions = {
  /** Base URL of the control plane, http or https. */
  readonly url: string;
  readonly runner: RunnerId;
  readonly signingKey: () => SigningKey;
  /** Looks before each session whether another key is to be used; never rejects. */
  readonly renewKey?: (() => Promise<void>) | undefined;
  readonly tokens: ConnectTokens;
  /** Of the runner program, for people. */
  readonly version: string;
  readonly bootId: string;
  readonly leaseClass: Hello['lease_class'];
  /** In [0, 1). */
  readonly random: () => number;
  /** 64 random bits or more as text of 16 to 64 characters. */
  readonly randomId: () => string;
  readonly log: (line: string) => void;
  readonly heartbeat?: Heartbeat | undefined;
  /** How long polling goes on before the WebSocket gets another chance. */
  readonly pollMaxMs?: number | undefined;
  /** How long a renewal may go unanswered, looked at with the next one: well before a lease is over. */
  readonly deafMaxMs?: number | undefined;
};

/** From opening to welcome: the challenge, the hello and the commit of the server. */
const welcomeMaxMs = limits.challengeMs * 2;
/** A session that stood this long starts the backoff anew. */
const stableMs = 10_000;
const pollMaxDefaultMs = 5 * 60_000;

type Session = {
  readonly id: string;
  carrier: Carrier | undefined;
  isWelcome: boolean;
  /** When the oldest renewal was sent that is not answered. */
  unansweredSinceMs: number | undefined;
};

/** Keeps one session with the Fleet: opens it, proves the key, tries again for ever. One transport at a time. */
export class FleetLink implements Link {
  readonly #options: FleetLinkOptions;
  readonly #closing = new AbortController();
  #handlers: LinkHandlers | undefined;
  #tries: Tries = firstTries;
  #session: Session | undefined;
  #outbox: LinkUp[] = [];
  #flush: NodeJS.Immediate | undefined;
  #state: LinkStatus['state'] = 'waiting';
  #lastEnd: string | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(options: FleetLinkOptions) {
    this.#options = options;
  }

  start(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    this.#running = this.#run(handlers);
  }

  send(message: LinkUp): void {
    if (this.#session?.isWelcome !== true) return;
    if (message.t === 'renew') this.#renews(this.#session);
    this.#outbox.push(message);
    this.#flush ??= setImmediate(() => {
      this.#flush = undefined;
      const messages = this.#outbox.splice(0);
      if (this.#session?.isWelcome === true) this.#session.carrier?.send(messages);
    });
  }

  /** A renewal is always answered: a server that does not has lost this session, whatever answers its pings. */
  #renews(session: Session): void {
    const {deafMaxMs = limits.httpTimeoutMs} = this.#options;
    const nowMs = performance.now();
    session.unansweredSinceMs ??= nowMs;
    if (nowMs - session.unansweredSinceMs >= deafMaxMs)
      session.carrier?.leave(`no renewal was answered for ${Math.round(nowMs - session.unansweredSinceMs)} ms`);
  }

  status(): LinkStatus {
    const isConnected = this.#session?.isWelcome === true;
    return {
      state: isConnected ? 'connected' : this.#state,
      transport: isConnected ? this.#tries.transport : null,
      session: this.#session?.id ?? null,
      lastEnd: this.#lastEnd,
      tries: this.#tries.count,
    };
  }

  async close(): Promise<void> {
    // What was sent in this turn still goes out.
    if (this.#flush !== undefined) await new Promise(resolve => setImmediate(resolve));
    this.#closing.abort();
    this.#session?.carrier?.leave('the runner ends');
    await this.#running;
  }

  async #run(handlers: LinkHandlers): Promise<void> {
    const {signal} = this.#closing;
    while (!signal.aborted) {
      this.#state = 'connecting';
      const begun = performance.now();
      const {end, wasWelcome} = await this.#runSession();
      if (signal.aborted) break;
      this.#lastEnd = end.why;
      if (wasWelcome) handlers.onDisconnected(end.why);
      const wasStable = wasWelcome && performance.now() - begun >= stableMs;
      const isRefusedKey = end.kind === 'refused' && end.status === 401;
      const clockCorrected = isRefusedKey && this.#options.tokens.correct(end.date);
      const next = nextTry(this.#tries, {end, wasWelcome, wasStable, clockCorrected}, this.#options.random());
      if (next.kind === 'stop') {
        this.#state = 'closed';
        handlers.onFatal(next.error);
        return;
      }
      this.#tries = next.tries;
      this.#state = 'waiting';
      this.#options.log(`${end.why}; next try in ${Math.round(next.delayMs)} ms over ${next.tries.transport}`);
      await delay(next.delayMs, undefined, {signal}).catch(() => undefined);
    }
    this.#state = 'closed';
  }

  /** One session from its opening to its end. Never rejects. */
  async #runSession(): Promise<{end: SessionEnd; wasWelcome: boolean}> {
    const ended = Promise.withResolvers<SessionEnd>();
    const session: Session = {
      id: this.#options.randomId(),
      carrier: undefined,
      isWelcome: false,
      unansweredSinceMs: undefined,
    };
    this.#session = session;
    this.#outbox = [];
    const timers = this.#sessionTimers(session, ended.resolve);
    try {
      session.carrier = await this.#open(session, {
        onMessages: messages => this.#onMessages(session, messages),
        onEnd: ended.resolve,
      });
      if (this.#closing.signal.aborted) session.carrier.leave('the runner ends');
      return {end: await ended.promise, wasWelcome: session.isWelcome};
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return {end: {kind: 'unreachable', why}, wasWelcome: session.isWelcome};
    } finally {
      for (const timer of timers) clearTimeout(timer);
      this.#session = undefined;
    }
  }

  #sessionTimers(session: Session, end: (how: SessionEnd) => void): readonly NodeJS.Timeout[] {
    const tooLong = setTimeout(() => {
      if (session.isWelcome) return;
      end({kind: 'unreachable', why: `no welcome within ${welcomeMaxMs} ms`});
      session.carrier?.leave('no welcome');
    }, welcomeMaxMs);
    if (this.#tries.transport === 'websocket') return [tooLong];
    const pollMaxMs = this.#options.pollMaxMs ?? pollMaxDefaultMs;
    return [tooLong, setTimeout(() => session.carrier?.leave('the WebSocket gets another try'), pollMaxMs)];
  }

  async #open(session: Session, handlers: CarrierHandlers): Promise<Carrier> {
    const {url, tokens, log, heartbeat, renewKey} = this.#options;
    const shared = {url, session: session.id, log};
    await renewKey?.();
    if (this.#tries.transport === 'poll')
      return new PollCarrier({...shared, issueToken: async () => tokens.issue()}, handlers);
    return openSocket({...shared, token: await tokens.issue(), heartbeat}, handlers);
  }

  #onMessages(session: Session, messages: readonly DownMessage[]): void {
    for (const message of messages) {
      if (this.#session !== session) return;
      if (message.t === 'challenge') {
        this.#answerChallenge(session, message.nonce);
        continue;
      }
      if (message.t === 'welcome') this.#onWelcome(session);
      if (message.t === 'renewed') session.unansweredSinceMs = undefined;
      if (message.t === 'rotate') session.carrier?.leave('the key of this runner was replaced');
      if (session.isWelcome) this.#handlers?.onMessage(message);
    }
  }

  #onWelcome(session: Session): void {
    session.isWelcome = true;
    this.#options.log(`connected to ${this.#options.url} over ${this.#tries.transport}`);
  }

  #answerChallenge(session: Session, nonce: string): void {
    this.#helloFor(session, nonce).then(
      hello => {
        if (this.#session === session) session.carrier?.send([hello]);
      },
      (error: unknown) => session.carrier?.leave(`no hello: ${error instanceof Error ? error.message : 'unknown'}`),
    );
  }

  async #helloFor(session: Session, nonce: string): Promise<Hello> {
    const {runner, signingKey, version, bootId, leaseClass} = this.#options;
    const sig = await signBytes(signingKey(), utf8(`switchyard-hello\n${nonce}\n${runner}\n${session.id}`));
    const facts = this.#handlers?.hello();
    if (facts === undefined) throw new Error('the link was not started');
    return {
      t: 'hello',
      runner,
      session: session.id,
      sig,
      version,
      protocols: [...protocolVersions],
      boot_id: bootId,
      lease_class: leaseClass,
      ...facts,
    };
  }
}
