import {WebSocket} from 'ws';
import {enrolmentProof, enrolRunner} from '@switchyard/shared/api/runner-contracts.ts';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {
  generatePrivateJwk,
  importSigningKey,
  signBytes,
  signJws,
  verifyJws,
  type SigningKey,
} from '@switchyard/shared/crypto/jws.ts';
import type {RunnerId} from '@switchyard/shared/domain/id.ts';
import {decodeBatch, encodeBatches} from '@switchyard/shared/protocol/batch.ts';
import {downMessageSchema, type DownMessage} from '@switchyard/shared/protocol/down.ts';
import {DISPATCH_TYP, dispatchSchema, EXIT_TYP} from '@switchyard/shared/protocol/envelope.ts';
import type {ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import {RUNNER_SUBPROTOCOL} from '@switchyard/shared/protocol/version.ts';
import {importDispatchKey} from '../../../runner/src/secrets/dispatch-key.ts';

export type Held = {readonly task: string; readonly epoch: number; readonly ticket: string};
type LogEnd = {readonly length: number; readonly sha256: string; readonly receipt: string | null};

export type BenchRunner = {
  readonly runner: RunnerId;
  /** A bearer token for one connection, such as that of a log. */
  readonly connectToken: () => Promise<string>;
  /** Reports success, with the log that was sealed before, or an empty one. */
  readonly exit: (held: Held, log?: LogEnd) => Promise<void>;
  readonly close: () => void;
};

export type BenchRunnerOptions = {
  readonly url: string;
  readonly enrolment: string;
  readonly slots: number;
  /** The envelope of an offer was verified. */
  readonly onHave: (task: string) => void;
  /** The attempt may start. */
  readonly onGo: (held: Held) => void | Promise<void>;
  /** The control plane has taken the exit. */
  readonly onDone: (task: string) => void;
  readonly onClose: (why: string) => void;
};

const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const labels = ['os=linux', 'executor=host', 'agent=scripted'];
const renewMs = 15_000;

const bootMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);

/**
 * A runner that speaks the whole protocol, verifies every envelope and signs every exit, and whose work is what the
 * benchmark says: what is measured is the control plane. Resolves when the Fleet has welcomed it.
 */
export async function connectRunner(options: BenchRunnerOptions): Promise<BenchRunner> {
  const identity = await enrolKey(options);
  const socket = new WebSocket(new URL('/v1/runner/connect', options.url.replace(/^http/, 'ws')), RUNNER_SUBPROTOCOL, {
    headers: {authorization: `Bearer ${await connectToken(options.url, identity)}`},
    perMessageDeflate: false,
  });
  socket.on('close', (code, reason) => options.onClose(`closed with ${code} ${reason.toString()}`));
  const session = new Session(socket, identity, options);
  await session.welcomed;
  return {
    runner: identity.runner,
    connectToken: () => connectToken(options.url, identity),
    exit: (held, log) => session.exit(held, log),
    close: () => session.close(),
  };
}

type Identity = {
  readonly key: SigningKey;
  readonly runner: RunnerId;
  readonly certificate: string;
  readonly pinned: Parameters<typeof verifyJws>[1]['keys'];
};

async function enrolKey({url, enrolment: token}: BenchRunnerOptions): Promise<Identity> {
  const key = await importSigningKey(await generatePrivateJwk());
  const proof = await signBytes(key, utf8(enrolmentProof(token, key.publicJwk.x)));
  const answer = await fetch(new URL(enrolRunner.path, url), {
    method: 'POST',
    headers: {'content-type': 'application/json'},
    body: JSON.stringify({token, name: 'bench', labels, jwk: key.publicJwk, proof}),
  });
  if (answer.status !== 201) throw new Error(`enrolment answered ${answer.status}: ${await answer.text()}`);
  const {runner, certificate, keys} = enrolRunner.responses[201].parse(await answer.json());
  return {key, runner, certificate, pinned: await Promise.all(keys.map(importDispatchKey))};
}

async function connectToken(url: string, {key, runner, certificate}: Identity): Promise<string> {
  const iat = Math.floor(Date.now() / 1_000);
  const claims = {iss: runner, aud: new URL(url).host, iat, exp: iat + 60, jti: crypto.randomUUID()};
  return signJws(key, {typ: 'JWT', cert: certificate}, claims);
}

class Session {
  readonly #socket: WebSocket;
  readonly #identity: Identity;
  readonly #options: BenchRunnerOptions;
  readonly #welcome = Promise.withResolvers<void>();
  readonly #held = new Map<string, Held>();
  readonly #renewal: NodeJS.Timeout;
  #outgoing: object[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(socket: WebSocket, identity: Identity, options: BenchRunnerOptions) {
    this.#socket = socket;
    this.#identity = identity;
    this.#options = options;
    socket.on('message', (data: Buffer) => {
      const {messages} = decodeBatch(downMessageSchema, data.toString());
      // In order, but the offers of one frame are verified side by side.
      this.#last = this.#last
        .then(async () => void (await Promise.all(messages.map(message => this.#take(message)))))
        .catch((error: unknown) => options.onClose(String(error)));
    });
    socket.on('close', () => this.#welcome.reject(new Error('the Fleet closed the session before its welcome')));
    this.#renewal = setInterval(() => this.#renew(), renewMs).unref();
  }

  get welcomed(): Promise<void> {
    return this.#welcome.promise;
  }

  async exit({task, epoch}: Held, log?: LogEnd): Promise<void> {
    const {key, runner} = this.#identity;
    const record: ExitRecord = {
      task: asTask(task),
      epoch,
      runner,
      result: {kind: 'succeeded'},
      exit_code: 0,
      signal: null,
      log_len: log?.length ?? 0,
      log_sha256: log?.sha256 ?? emptySha256,
      log_receipt: log?.receipt ?? null,
      log_dropped: 0,
      git: null,
      timings: {prepare_ms: 0, run_ms: 0, finish_ms: 0},
    };
    this.#held.delete(task);
    this.#send({t: 'exit', task, epoch, record: await signJws(key, {typ: EXIT_TYP}, record)});
  }

  close(): void {
    clearInterval(this.#renewal);
    this.#socket.removeAllListeners('close');
    this.#socket.close(1000, 'done');
  }

  async #take(message: DownMessage): Promise<void> {
    switch (message.t) {
      case 'challenge':
        return this.#hello(message.nonce);
      case 'welcome':
        return this.#welcome.resolve();
      case 'offer':
        return this.#accept(message);
      case 'go': {
        const held = {task: message.task, epoch: message.epoch, ticket: message.log_ticket};
        this.#held.set(message.task, held);
        // Work that takes its time must not hold up the frames behind it.
        void Promise.resolve(this.#options.onGo(held)).catch((error: unknown) => this.#options.onClose(String(error)));
        return undefined;
      }
      case 'exit_ack':
        return this.#options.onDone(message.task);
      case 'exit_nack':
        throw new Error(`the exit of ${message.task} was refused: ${message.why}`);
      case 'gone':
      case 'renewed':
      case 'cancel':
      case 'input':
      case 'answer':
      case 'rotate':
      case 'allowance':
      case 'budget_warning':
      case 'drain':
      case 'resume':
      case 'server_drain':
        return undefined;
    }
  }

  async #hello(nonce: string): Promise<void> {
    const {key, runner} = this.#identity;
    const session = crypto.randomUUID();
    const sig = await signBytes(key, utf8(`switchyard-hello\n${nonce}\n${runner}\n${session}`));
    this.#send({
      t: 'hello',
      runner,
      session,
      sig,
      version: 'bench',
      protocols: [1],
      boot_id: 'bench',
      lease_class: 'standard',
      slots: {default: this.#options.slots},
      labels,
      inventory: [],
      ts: bootMs(),
    });
  }

  async #accept({task, epoch, envelope}: Extract<DownMessage, {t: 'offer'}>): Promise<void> {
    const {pinned: keys, runner} = this.#identity;
    const dispatch = await verifyJws(envelope, {typ: DISPATCH_TYP, keys, schema: dispatchSchema});
    if (dispatch?.task !== task || dispatch.aud !== runner) throw new Error(`the envelope of ${task} did not verify`);
    this.#options.onHave(task);
    this.#send({t: 'accept', task, epoch, ts: bootMs()});
  }

  #renew(): void {
    const items = [...this.#held.values()].map(({task, epoch}) => ({task, epoch, phase: 'running', spool_len: 0}));
    this.#send({t: 'renew', ts: bootMs(), slots: {default: this.#options.slots}, items});
  }

  /** What becomes ready in one turn of the event loop goes in one frame. */
  #send(message: object): void {
    this.#outgoing.push(message);
    if (this.#outgoing.length > 1) return;
    setImmediate(() => {
      for (const frame of encodeBatches(this.#outgoing)) this.#socket.send(frame);
      this.#outgoing = [];
    });
  }
}

const asTask = (task: string): ExitRecord['task'] => task as ExitRecord['task'];
