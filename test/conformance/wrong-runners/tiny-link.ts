import {setTimeout as delay} from 'node:timers/promises';
import {WebSocket} from 'ws';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {signBytes, signJws} from '@switchyard/shared/crypto/jws.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import type {TinyState} from './tiny-state.ts';
import type {Wrong} from './wrong.ts';

const subprotocol = 'switchyard.runner.v1';
const tokenS = 60;
const knownTypes =
  /^(challenge|welcome|offer|go|gone|renewed|exit_ack|exit_nack|cancel|input|drain|resume|server_drain)$/;
const retryMs = 300;
const retryMsMax = 5_000;
const replacedMs = 30_000;
const socketFailuresBeforePoll = 3;

type Handlers = {
  /** All of `hello` but what the link knows. */
  readonly hello: () => object;
  readonly message: (message: DownMessage) => void;
  /** The server will never have this runner again; resolves when there is nothing left to do. */
  readonly revoked: () => Promise<void>;
};

/** Keeps a session, over a socket or by requests. */
export class TinyLink {
  readonly #state: TinyState;
  readonly #wrong: Wrong;
  readonly #handlers: Handlers;
  #send: ((messages: readonly object[]) => void) | undefined;

  constructor(state: TinyState, wrong: Wrong, handlers: Handlers) {
    this.#state = state;
    this.#wrong = wrong;
    this.#handlers = handlers;
  }

  send(...messages: readonly object[]): void {
    this.#send?.(messages);
  }

  get isOpen(): boolean {
    return this.#send !== undefined;
  }

  /** A bearer token for one connection. */
  async token(): Promise<string> {
    const iat = Math.floor(Date.now() / 1_000);
    const {key, url, identity} = this.#state;
    const aud = this.#wrong === 'token-for-another-host' ? 'elsewhere:1' : new URL(url).host;
    const claims = {iss: identity.runner, aud, iat, exp: iat + tokenS, jti: crypto.randomUUID()};
    return signJws(key, {typ: 'JWT', cert: identity.certificate}, claims);
  }

  /** Ends the process when the server says that it must. */
  async run(): Promise<never> {
    let failures = 0;
    for (let tries = 0; ; tries += 1) {
      const session = crypto.randomUUID();
      const {code, wasWelcome} =
        failures < socketFailuresBeforePoll ? await this.#socket(session) : await this.#poll(session);
      this.#send = undefined;
      if (wasWelcome) [failures, tries] = [0, 0];
      else if (code === undefined) failures += 1;
      if (code === 4403 && this.#wrong !== 'ignore-revocation') {
        await this.#handlers.revoked();
        process.exit(1);
      }
      if (code === 4426 && this.#wrong !== 'ignore-version') {
        process.stderr.write('the protocol of this runner is not supported any more\n');
        process.exit(1);
      }
      const isReplaced = code === 4409 && this.#wrong !== 'fight-back';
      await delay(isReplaced ? replacedMs : Math.min(retryMsMax, retryMs * 2 ** tries) * (0.5 + Math.random() / 2));
    }
  }

  /** `code` is undefined where no session came about. */
  async #socket(session: string): Promise<{code: number | undefined; wasWelcome: boolean}> {
    const address = new URL('/v1/runner/connect', this.#state.url.replace(/^http/, 'ws'));
    const headers = {authorization: `Bearer ${await this.token()}`};
    const socket = new WebSocket(address, [subprotocol], {headers, perMessageDeflate: false});
    let hasOpened = false;
    let wasWelcome = false;
    const send = (messages: readonly object[]): void => socket.send(JSON.stringify({m: messages}));
    socket.on('open', () => (hasOpened = true));
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => {
      const text = data.toString('utf8');
      if (text === 'pong') return;
      for (const message of (JSON.parse(text) as {m: DownMessage[]}).m) {
        if (!knownTypes.test(message.t) && this.#wrong === 'leave-at-unknown') socket.terminate();
        wasWelcome ||= message.t === 'welcome';
        void this.#hear(message, session, send);
      }
    });
    const {promise, resolve} = Promise.withResolvers<number>();
    socket.on('close', resolve);
    const code = await promise;
    return {code: hasOpened ? code : undefined, wasWelcome};
  }

  /** One request always waits for news; what is to be said goes in others, one after the other. */
  async #poll(session: string): Promise<{code: number | undefined; wasWelcome: boolean}> {
    let wasWelcome = false;
    let saying: Promise<void> = Promise.resolve();
    const exchange = async (messages: readonly object[]): Promise<void> => {
      const headers = {authorization: `Bearer ${await this.token()}`, 'content-type': 'application/json'};
      const body = JSON.stringify({session, frame: JSON.stringify({m: messages})});
      const answer = await fetch(new URL('/v1/runner/poll', this.#state.url), {method: 'POST', headers, body});
      if (!answer.ok) throw new Error(`the poll was answered by ${answer.status}`);
      const {frame} = (await answer.json()) as {frame: string};
      for (const message of (JSON.parse(frame) as {m: DownMessage[]}).m) {
        wasWelcome ||= message.t === 'welcome';
        await this.#hear(message, session, send);
      }
    };
    const send = (messages: readonly object[]): void => {
      saying = saying.then(async () => exchange(messages)).catch(() => undefined);
    };
    try {
      for (;;) {
        await exchange([]);
        if (!wasWelcome) await delay(100);
      }
    } catch {
      return {code: undefined, wasWelcome};
    }
  }

  async #hear(message: DownMessage, session: string, send: (messages: readonly object[]) => void): Promise<void> {
    if (message.t === 'challenge') {
      const {runner} = this.#state.identity;
      const nonce = this.#wrong === 'sign-another-nonce' ? 'a nonce of yesterday' : message.nonce;
      const sig = await signBytes(this.#state.key, utf8(`switchyard-hello\n${nonce}\n${runner}\n${session}`));
      send([{t: 'hello', runner, session, sig, protocols: [1], ...this.#handlers.hello()}]);
      return;
    }
    if (message.t === 'welcome') this.#send = send;
    this.#handlers.message(message);
  }
}
