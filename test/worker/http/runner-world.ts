import {concat, sha256, toHex, utf8} from '@switchyard/shared/crypto/bytes.ts';
import {
  generatePrivateJwk,
  importSigningKey,
  signBytes,
  signJws,
  type SigningKey,
} from '@switchyard/shared/crypto/jws.ts';
import {enrolmentProof} from '@switchyard/shared/api/runner-contracts.ts';
import {taskIdSchema, type RunnerId, type TaskId} from '@switchyard/shared/domain/id.ts';
import type {AttemptPhase} from '@switchyard/shared/protocol/attempt-message.ts';
import {EXIT_TYP} from '@switchyard/shared/protocol/envelope.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import {encodeLogFrame} from '@switchyard/shared/protocol/log-frame.ts';
import type {Spent} from '@switchyard/shared/protocol/spending.ts';
import {protocolVersions, RUNNER_SUBPROTOCOL} from '@switchyard/shared/protocol/version.ts';
import {openInbox, type Inbox} from '../socket-inbox.ts';
import {call, json, origin} from './api-world.ts';

export type EnrolledRunner = {
  readonly runner: RunnerId;
  readonly pool: string;
  readonly certificate: string;
  readonly key: SigningKey;
};

export async function enrolmentToken(admin: string): Promise<string> {
  const made = await call('/v1/runners/enrolments', {method: 'POST', token: admin, body: {}});
  return (await json<{token: string}>(made, 201)).token;
}

export async function enrolRequest(token: string, key: SigningKey, over: object = {}): Promise<Response> {
  const jwk = key.publicJwk;
  const proof = await signBytes(key, utf8(enrolmentProof(token, jwk.x)));
  return call('/v1/runners/enrol', {
    method: 'POST',
    body: {token, name: 'machine', labels: ['os=linux'], jwk, proof, ...over},
  });
}

export async function newKey(): Promise<SigningKey> {
  return importSigningKey(await generatePrivateJwk());
}

export async function enrolled(admin: string): Promise<EnrolledRunner> {
  const key = await newKey();
  const answer = await enrolRequest(await enrolmentToken(admin), key);
  return {...(await json<{runner: RunnerId; pool: string; certificate: string}>(answer, 201)), key};
}

export type TokenChange = {readonly [Claim in 'iss' | 'aud' | 'iat' | 'exp']?: string | number};

/** The token of a connection, right unless it is changed. */
export async function connectToken(
  {runner, certificate, key}: EnrolledRunner,
  change: TokenChange = {},
  signedBy: SigningKey = key,
): Promise<string> {
  const nowS = Math.floor(Date.now() / 1_000);
  const jti = crypto.randomUUID();
  const claims = {iss: runner, aud: new URL(origin).host, iat: nowS, exp: nowS + 60, jti, ...change};
  return signJws(signedBy, {typ: 'JWT', cert: certificate}, claims);
}

export type RunningAttempt = {
  readonly task: TaskId;
  readonly epoch: number;
  readonly log: Inbox;
  /** Sends bytes and waits until they are durable. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Seals the log, reports the result, and waits until the report is in. */
  readonly end: (result: AttemptResult, exitCode?: number) => Promise<void>;
  readonly succeed: () => Promise<void>;
  /** Says what the attempt does. */
  readonly phase: (phase: AttemptPhase) => void;
  /** Asks a person. */
  readonly ask: (ask: object) => void;
  /** Says what the attempt has spent on models so far. */
  readonly spend: (spent: Spent) => void;
  /** The next answer of a person. */
  readonly answer: () => Promise<Message>;
};

/** A runner that takes one task as far as its agent would begin: challenge, hello, offer, accept, go, log. */
export async function runAttempt(machine: EnrolledRunner): Promise<RunningAttempt> {
  const upgrade = {upgrade: 'websocket', 'sec-websocket-protocol': RUNNER_SUBPROTOCOL};
  const link = openInbox(await call('/v1/runner/connect', {token: await connectToken(machine), headers: upgrade}));
  const say = (message: object): void => link.socket.send(JSON.stringify({m: [message]}));
  const {nonce} = await messageOf(link, 'challenge');
  const session = crypto.randomUUID();
  const proof = `switchyard-hello\n${String(nonce)}\n${machine.runner}\n${session}`;
  say({
    t: 'hello',
    runner: machine.runner,
    session,
    sig: await signBytes(machine.key, utf8(proof)),
    version: '0.1.0',
    protocols: [...protocolVersions],
    boot_id: 'boot',
    lease_class: 'standard',
    slots: {host: 1},
    labels: [],
    inventory: [],
    ts: 1,
  });
  const offer = await messageOf(link, 'offer');
  const [task, epoch] = [taskIdSchema.parse(offer['task']), Number(offer['epoch'])];
  say({t: 'accept', task, epoch, ts: 2});
  const go = await messageOf(link, 'go');
  const headers = {upgrade: 'websocket', 'x-log-ticket': String(go['log_ticket'])};
  const log = openInbox(
    await call(`/v1/runner/log/${task}?epoch=${epoch}`, {token: await connectToken(machine), headers}),
  );
  const written: Uint8Array[] = [];
  const length = (): number => written.reduce((total, each) => total + each.length, 0);
  const write = async (bytes: Uint8Array): Promise<void> => {
    log.socket.send(encodeLogFrame({channel: 0, offset: length(), isGzip: false, payload: bytes}));
    written.push(bytes);
    for (let known = -1; known < length();) known = Number((await logMessageOf(log, 'ack'))['len']);
  };
  const end = async (result: AttemptResult, exitCode = 0): Promise<void> => {
    const sha256Text = toHex(await sha256(concat(...written)));
    log.socket.send(JSON.stringify({t: 'end', len: length(), sha256: sha256Text}));
    const {receipt} = await logMessageOf(log, 'sealed');
    const record = {
      task,
      epoch,
      runner: machine.runner,
      result,
      exit_code: exitCode,
      signal: null,
      log_len: length(),
      log_sha256: sha256Text,
      log_receipt: receipt,
      log_dropped: 0,
      git: null,
      timings: {prepare_ms: 1, run_ms: 1, finish_ms: 1},
    };
    say({t: 'exit', task, epoch, record: await signJws(machine.key, {typ: EXIT_TYP}, record)});
    await messageOf(link, 'exit_ack');
  };
  const succeed = async (): Promise<void> => end({kind: 'succeeded', summary: 'done'});
  let phases = 0;
  const phase = (name: AttemptPhase): void => {
    phases += 1;
    say({t: 'phase', task, epoch, seq: phases, phase: name, detail: ''});
  };
  const ask = (asked: object): void => say({t: 'ask', task, epoch, ...asked});
  const answer = async (): Promise<Message> => messageOf(link, 'answer');
  const spend = (spent: Spent): void => say({t: 'spending', task, epoch, spent, wants: null});
  return {task, epoch, log, write, end, succeed, phase, ask, answer, spend};
}

type Message = Readonly<Record<string, unknown>>;

/** The next control message of this kind; what comes before it is of no interest here. */
async function messageOf(link: Inbox, kind: string): Promise<Message> {
  for (;;) {
    const {m} = (await link.json()) as {m: readonly Message[]};
    const found = m.find(({t}) => t === kind);
    if (found !== undefined) return found;
    const refusal = m.find(({t}) => t === 'exit_nack' || t === 'gone');
    if (refusal !== undefined) throw new Error(`expected ${kind}, got ${JSON.stringify(refusal)}`);
  }
}

async function logMessageOf(log: Inbox, kind: string): Promise<Message> {
  for (;;) {
    const message = (await log.json()) as Message;
    if (message['t'] === kind) return message;
    if (message['t'] === 'gone') throw new Error(`expected ${kind}, got ${JSON.stringify(message)}`);
  }
}
