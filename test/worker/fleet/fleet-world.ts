import {env} from 'cloudflare:workers';
import {applyD1Migrations} from 'cloudflare:test';
import {attemptSeal} from '@switchyard/shared/crypto/attempt-seal.ts';
import {fromBase64, sha256Hex, toHex, utf8} from '@switchyard/shared/crypto/bytes.ts';
import {
  generatePrivateJwk,
  importSigningKey,
  signBytes,
  signJws,
  type SigningKey,
} from '@switchyard/shared/crypto/jws.ts';
import {newRunnerId, type RunnerId} from '@switchyard/shared/domain/id.ts';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import {EXIT_TYP} from '@switchyard/shared/protocol/envelope.ts';
import type {ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import {protocolVersions} from '@switchyard/shared/protocol/version.ts';
import {runnerHeader, runnerKeyHeader, type Outcome} from '../../../worker/src/fleet/fleet-rpc.ts';
import {helloText} from '../../../worker/src/fleet/check-up.ts';
import {firstTask, submissionText} from '../../../worker/src/fleet/submission-text.ts';
import {openInbox, type Inbox} from '../socket-inbox.ts';

const randomBytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));

export const root = {kind: 'root'} as const;

export function valueOf<Value>(outcome: Outcome<Value>): Value {
  if (!outcome.ok) throw new Error(`${outcome.code}: ${outcome.detail}`);
  return outcome.value;
}

export async function prepareDatabase(): Promise<void> {
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
}

/** A pool of its own for each test. */
export function newPool() {
  const pool = `p${toHex(randomBytes(8))}`;
  const stub = env.FLEET.get(env.FLEET.idFromName(`pool:${pool}`));
  const submit = async (spec: Partial<TaskSpecInput> = {}) => {
    const specs = [taskSpecSchema.parse({prompt: 'do it', ...spec})];
    return firstTask(valueOf(await stub.submit(root, submissionText({specs, queue: true}))));
  };
  return {pool, stub, submit};
}
export type TestPool = ReturnType<typeof newPool>;

export type Machine = {readonly id: RunnerId; readonly key: SigningKey; readonly x: string};

/** `x`: a public key that is not its own. */
export async function enrolledMachine({stub}: TestPool, labels: readonly string[] = [], x?: string): Promise<Machine> {
  const key = await importSigningKey(await generatePrivateJwk());
  const id = newRunnerId(Date.now(), randomBytes);
  const token = {id: toHex(randomBytes(8)), hash: await sha256Hex(id)};
  valueOf(await stub.createEnrolment(root, {...token, labels: [], expiresAtMs: Date.now() + 60_000}));
  valueOf(
    await stub.enrol(token, {
      runner: id,
      name: 'machine',
      labels,
      jwk: {...key.publicJwk, ...(x !== undefined && {x})},
    }),
  );
  return {id, key, x: x ?? key.publicJwk.x};
}

export type HelloOptions = {
  readonly session?: string;
  readonly slots?: Record<string, number>;
  readonly inventory?: readonly object[];
  readonly labels?: readonly string[];
  readonly ts?: number;
  readonly over?: object;
};

/** The session of a machine over a socket, message by message. */
export class Session {
  readonly inbox: Inbox;
  readonly machine: Machine;
  #waiting: DownMessage[] = [];

  constructor(inbox: Inbox, machine: Machine) {
    this.inbox = inbox;
    this.machine = machine;
  }

  send(...messages: readonly object[]): void {
    this.inbox.socket.send(JSON.stringify({m: messages}));
  }

  async next(): Promise<DownMessage> {
    while (this.#waiting.length === 0) this.#waiting = ((await this.inbox.json()) as {m: DownMessage[]}).m;
    const message = this.#waiting.shift();
    if (message === undefined) throw new Error('no message');
    return message;
  }

  async expect<Type extends DownMessage['t']>(t: Type): Promise<Extract<DownMessage, {t: Type}>> {
    const message = await this.next();
    if (message.t !== t) throw new Error(`expected ${t}, got ${JSON.stringify(message)}`);
    return message as Extract<DownMessage, {t: Type}>;
  }

  async hello(nonce: string, options: HelloOptions = {}): Promise<void> {
    this.send(await helloOf(this.machine, nonce, options));
  }

  close(): void {
    this.inbox.socket.close(1000, 'done');
  }
}

export async function helloOf(machine: Machine, nonce: string, options: HelloOptions = {}): Promise<object> {
  const session = options.session ?? toHex(randomBytes(8));
  return {
    t: 'hello',
    runner: machine.id,
    session,
    sig: await signBytes(machine.key, utf8(helloText({nonce, runner: machine.id, session}))),
    version: '0.1.0',
    protocols: [...protocolVersions],
    boot_id: 'boot',
    lease_class: 'standard',
    slots: options.slots ?? {default: 1},
    labels: options.labels ?? [],
    inventory: options.inventory ?? [],
    ts: options.ts ?? 1_000,
    ...options.over,
  };
}

export async function connect({stub}: TestPool, machine: Machine): Promise<Session> {
  const headers = {upgrade: 'websocket', [runnerHeader]: machine.id, [runnerKeyHeader]: machine.x};
  return new Session(openInbox(await stub.fetch(new Request('https://fleet/', {headers}))), machine);
}

export async function welcomed(pool: TestPool, machine: Machine, options: HelloOptions = {}): Promise<Session> {
  const session = await connect(pool, machine);
  const {nonce} = await session.expect('challenge');
  await session.hello(nonce, options);
  await session.expect('welcome');
  return session;
}

export type ExitChange = Partial<Omit<ExitRecord, 'task' | 'epoch'>>;

/** A signed exit of an attempt with an empty log, unless it is changed. */
export async function exitOf(
  machine: Machine,
  {task, epoch}: {readonly task: string; readonly epoch: number},
  change: ExitChange = {},
): Promise<object> {
  const record = {
    task,
    epoch,
    runner: machine.id,
    result: {kind: 'succeeded', summary: 'done'},
    exit_code: 0,
    signal: null,
    log_len: 0,
    log_sha256: '0'.repeat(64),
    log_receipt: null,
    log_dropped: 0,
    git: null,
    timings: {prepare_ms: 1, run_ms: 2, finish_ms: 3},
    ...change,
  };
  return {t: 'exit', task, epoch, record: await signJws(machine.key, {typ: EXIT_TYP}, record)};
}

export async function seals() {
  const secret = fromBase64(env.SWITCHYARD_SECRET);
  if (secret === undefined) throw new Error('no secret');
  return attemptSeal(secret);
}
