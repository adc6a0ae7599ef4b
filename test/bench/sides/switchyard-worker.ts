import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {WebSocket} from 'ws';
import {enrolmentProof, enrolRunner} from '@switchyard/shared/api/runner-contracts.ts';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {
  generatePrivateJwk,
  importSigningKey,
  importVerifyingKey,
  signBytes,
  signJws,
  verifyJws,
} from '@switchyard/shared/crypto/jws.ts';
import {decodeBatch, encodeBatch} from '@switchyard/shared/protocol/batch.ts';
import {downMessageSchema, type DownMessage} from '@switchyard/shared/protocol/down.ts';
import {DISPATCH_TYP, dispatchSchema, EXIT_TYP} from '@switchyard/shared/protocol/envelope.ts';
import type {ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import {RUNNER_SUBPROTOCOL} from '@switchyard/shared/protocol/version.ts';
import {stamper} from '../child.ts';
import {nowUs} from '../measure.ts';

/**
 * A runner that speaks the whole protocol, verifies every envelope and signs every exit, and whose work is nothing (or
 * one spawned process): what is measured is the control plane.
 */
const stamp = stamper();
const url = process.env['BENCH_URL'] ?? '';
const slots = Number(process.env['BENCH_SLOTS'] ?? '64');
const spawnsAgent = process.env['BENCH_SPAWN'] === '1';
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

const jwk = await generatePrivateJwk();
const key = await importSigningKey(jwk);
const token = process.env['BENCH_ENROLMENT'] ?? '';
const enrolled = await fetch(new URL(enrolRunner.path, url), {
  method: 'POST',
  headers: {'content-type': 'application/json'},
  body: JSON.stringify({
    token,
    name: 'bench',
    labels: ['os=linux', 'executor=host', 'agent=scripted'],
    jwk: key.publicJwk,
    proof: await signBytes(key, utf8(enrolmentProof(token, key.publicJwk.x))),
  }),
});
if (enrolled.status !== 201) throw new Error(`enrolment answered ${enrolled.status}: ${await enrolled.text()}`);
const identity = enrolRunner.responses[201].parse(await enrolled.json());
const pinned = await Promise.all(identity.keys.map(importVerifyingKey));

const nowSeconds = Math.floor(Date.now() / 1_000);
const claims = {
  iss: identity.runner,
  aud: new URL(url).host,
  iat: nowSeconds,
  exp: nowSeconds + 60,
  jti: crypto.randomUUID(),
};
const socket = new WebSocket(new URL('/v1/runner/connect', url.replace(/^http/, 'ws')), RUNNER_SUBPROTOCOL, {
  headers: {authorization: `Bearer ${await signJws(key, {typ: 'JWT', cert: identity.certificate}, claims)}`},
  perMessageDeflate: false,
});
await once(socket, 'open');

let outgoing: object[] = [];
const send = (message: object): void => {
  outgoing.push(message);
  if (outgoing.length > 1) return;
  setImmediate(() => {
    socket.send(encodeBatch(outgoing));
    outgoing = [];
  });
};
const bootMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);

async function onMessage(message: DownMessage): Promise<void> {
  switch (message.t) {
    case 'challenge': {
      const session = crypto.randomUUID();
      const sig = await signBytes(key, utf8(`switchyard-hello\n${message.nonce}\n${identity.runner}\n${session}`));
      send({
        t: 'hello',
        runner: identity.runner,
        session,
        sig,
        version: 'bench',
        protocols: [1],
        boot_id: 'bench',
        lease_class: 'standard',
        slots: {default: slots},
        labels: ['os=linux', 'executor=host', 'agent=scripted'],
        inventory: [],
        ts: bootMs(),
      });
      return;
    }
    case 'welcome':
      stamp(['ready', '', 0]);
      return;
    case 'offer': {
      const dispatch = await verifyJws(message.envelope, {typ: DISPATCH_TYP, keys: pinned, schema: dispatchSchema});
      if (dispatch?.task !== message.task || dispatch.aud !== identity.runner)
        throw new Error('an envelope did not verify');
      if (!spawnsAgent) stamp(['start', message.task, nowUs()]);
      send({t: 'accept', task: message.task, epoch: message.epoch, ts: bootMs()});
      return;
    }
    case 'go': {
      if (spawnsAgent) {
        const child = spawn('/bin/true', {stdio: 'ignore'});
        await once(child, 'spawn');
        stamp(['start', message.task, nowUs()]);
        await once(child, 'exit');
      }
      const record: ExitRecord = {
        task: message.task,
        epoch: message.epoch,
        runner: identity.runner,
        result: {kind: 'succeeded'},
        exit_code: 0,
        signal: null,
        log_len: 0,
        log_sha256: EMPTY_SHA256,
        log_receipt: null,
        log_dropped: 0,
        git: null,
        timings: {prepare_ms: 0, run_ms: 0, finish_ms: 0},
      };
      send({t: 'exit', task: message.task, epoch: message.epoch, record: await signJws(key, {typ: EXIT_TYP}, record)});
      return;
    }
    case 'exit_ack':
      stamp(['done', message.task, nowUs()]);
      return;
    case 'gone':
    case 'renewed':
    case 'exit_nack':
    case 'cancel':
    case 'input':
    case 'drain':
    case 'resume':
    case 'server_drain':
      stamp(['info', message.t, 0]);
  }
}

let last: Promise<void> = Promise.resolve();
socket.on('message', data => {
  const {messages} = decodeBatch(downMessageSchema, String(data));
  // In order, but offers of one frame are verified side by side.
  last = last.then(async () => void (await Promise.all(messages.map(onMessage))));
});
setInterval(() => send({t: 'renew', ts: bootMs(), slots: {default: slots}, items: []}), 15_000).unref();
socket.on('close', (code, reason) => {
  process.stderr.write(`bench runner: closed ${code} ${String(reason)}\n`);
  process.exit(1);
});
process.on('SIGTERM', () => process.exit(0));
