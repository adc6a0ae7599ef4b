import {afterEach, beforeEach, expect, test} from 'vitest';
import {randomUUID} from 'node:crypto';
import {once} from 'node:events';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {text} from 'node:stream/consumers';
import * as z from 'zod';
import {generatePrivateJwk, importSigningKey} from '@switchyard/shared/crypto/jws.ts';
import {newRunnerId} from '@switchyard/shared/domain/id.ts';
import {encodeBatch} from '@switchyard/shared/protocol/batch.ts';
import {closeCodes, protocolVersions} from '@switchyard/shared/protocol/version.ts';
import {connectTokens} from '../../../runner/src/link/connect-token.ts';
import {PollCarrier} from '../../../runner/src/link/poll-carrier.ts';
import {anyTask, FakeControlPlane} from '../../fixtures/control-plane.ts';
import {until} from '../../fixtures/until.ts';
import {linkedRunner, type LinkedRunner} from './linked-runner.ts';

let plane: FakeControlPlane;
const open: LinkedRunner[] = [];
beforeEach(async () => {
  plane = await FakeControlPlane.start();
});
afterEach(async () => {
  for (const {link} of open.splice(0)) await link.close();
  await plane.stop();
});

async function connect(
  ...more: Parameters<typeof linkedRunner> extends [unknown, ...infer Rest] ? Rest : never
): Promise<LinkedRunner> {
  const linked = await linkedRunner(plane, ...more);
  open.push(linked);
  return linked;
}

const nonce = 'a-nonce-of-the-server';
const draining = {t: 'draining', held: 0} as const;

const isConnected = ({link}: LinkedRunner): boolean => link.status().state === 'connected';

test('[LK1] A session is challenge, signed hello and welcome', async () => {
  const linked = await connect();
  await until('connected', () => isConnected(linked));
  expect(plane.complaints).toEqual([]);
  expect(plane.hellos).toMatchObject([
    {runner: linked.runner, labels: ['os=linux'], ts: 1_000, protocols: [...protocolVersions]},
  ]);
  expect(linked.heard.map(({t}) => t)).toEqual(['welcome']);
  expect(linked.link.status()).toMatchObject({transport: 'websocket', session: plane.hellos[0]?.session});
});

test('[LK1] A runner that signs with another key than its certificate names is not let in', async () => {
  const key = await importSigningKey(await generatePrivateJwk());
  const stranger = await importSigningKey(await generatePrivateJwk());
  const runner = newRunnerId(Date.now(), length => crypto.getRandomValues(new Uint8Array(length)));
  const certificate = await plane.certify(runner, key.publicJwk);
  const host = new URL(plane.url).host;
  const tokens = connectTokens({
    key: () => ({signingKey: key, certificate}),
    runner,
    host,
    wallMs: Date.now,
    randomId: randomUUID,
  });
  const linked = await connect({runner, signingKey: stranger, tokens});
  await until('a complaint', () => plane.complaints.length > 0);
  expect(plane.complaints).toEqual(['the signature of the hello does not hold']);
  expect(isConnected(linked)).toBe(false);
});

test('[LK2] Messages of one turn travel in one frame, in order', async () => {
  const linked = await connect();
  await until('connected', () => isConnected(linked));
  const before = plane.frames.length;
  for (let seq = 0; seq < 50; seq += 1)
    linked.link.send({t: 'phase', task: anyTask, epoch: 1, seq, phase: 'running', detail: ''});
  await until('all arrived', () => plane.received.filter(({t}) => t === 'phase').length === 50);
  expect(plane.frames.length - before).toBe(1);
  expect(plane.received.flatMap(message => (message.t === 'phase' ? [message.seq] : []))).toEqual(
    Array.from({length: 50}, (_, seq) => seq),
  );
});

test('[LK2] What does not fit one frame travels in several, in order', async () => {
  const linked = await connect();
  await until('connected', () => isConnected(linked));
  const before = plane.frames.length;
  for (let seq = 0; seq < 700; seq += 1)
    linked.link.send({t: 'event', task: anyTask, epoch: 1, seq, kind: 'text', data: 'x'.repeat(4_000)});
  await until('all arrived', () => plane.received.filter(({t}) => t === 'event').length === 700);
  expect(plane.frames.length - before).toBeGreaterThan(2);
  expect(Math.max(...plane.frames.map(({length}) => length))).toBeLessThanOrEqual(1_048_576);
  const seen = plane.received.flatMap(message => (message.t === 'event' ? [message.seq] : []));
  expect(seen).toEqual(Array.from({length: 700}, (_, seq) => seq));
  expect(plane.complaints).toEqual([]);
});

test('[LK3] After a cut the runner is back with a new session', async () => {
  const linked = await connect();
  await until('connected', () => isConnected(linked));
  plane.peer?.close(1012, 'restart');
  await until('a second hello', () => plane.hellos.length === 2);
  await until('connected again', () => isConnected(linked));
  expect(plane.hellos[0]?.session).not.toBe(plane.hellos[1]?.session);
  expect(linked.ends).toEqual(['restart']);
});

test('[LK3] A server that is not there is tried until it is', async () => {
  let refusals = 0;
  plane.hooks.intercept = () => {
    refusals += 1;
    return refusals <= 4 ? {status: 503} : undefined;
  };
  const linked = await connect();
  await until('connected', () => isConnected(linked));
  expect(refusals).toBeGreaterThan(4);
});

test.for([
  ['runner_revoked', closeCodes.revoked],
  ['protocol_unsupported', closeCodes.protocolTooOld],
] as const)('[LK4] %s stops the link, by close code %s', async ([code, close]) => {
  const linked = await connect();
  await until('connected', () => isConnected(linked));
  plane.peer?.close(close, 'the reason');
  await until('fatal', () => linked.fatal.length > 0);
  expect(linked.fatal).toMatchObject([{code, detail: 'the reason'}]);
  expect(linked.link.status().state).toBe('closed');
  expect(plane.hellos).toHaveLength(1);
});

test.for([
  ['runner_revoked', 403],
  ['protocol_unsupported', 426],
] as const)('[LK4] %s stops the link, by HTTP %s', async ([code, status]) => {
  plane.hooks.intercept = () => ({status, code});
  const linked = await connect();
  await until('fatal', () => linked.fatal.length > 0);
  expect(linked.fatal).toMatchObject([{code}]);
});

test('[LK4] A proxy that forbids without our words stops nothing', async () => {
  let asked = 0;
  plane.hooks.intercept = () => {
    asked += 1;
    return asked < 3 ? {status: 403} : undefined;
  };
  const linked = await connect();
  await until('connected', () => isConnected(linked));
  expect(linked.fatal).toEqual([]);
});

test('[LK5] A replaced runner says so and comes back slowly', async () => {
  const linked = await connect();
  await until('connected', () => isConnected(linked));
  plane.peer?.close(closeCodes.replaced, 'another process uses this key');
  await until(
    'a wait',
    () => linked.link.status().state === 'waiting' && linked.lines.find(line => line.includes('next try')),
  );
  expect(linked.link.status().lastEnd).toBe('another process uses this key');
  const wait = /next try in (\d+) ms/.exec(linked.lines.join('\n'))?.[1];
  expect(Number(wait)).toBeGreaterThanOrEqual(30_000);
});

test('[LK6] A wall clock that is a year wrong is corrected by the refusal', async () => {
  const linked = await connect({wallMs: () => Date.now() - 365 * 86_400_000});
  await until('connected', () => isConnected(linked));
  expect(plane.hellos).toHaveLength(1);
  expect(linked.lines.filter(line => line.includes('next try'))).toMatchObject([expect.stringContaining('in 0 ms')]);
});

test('[LK7] A server that no longer answers a ping is left', async () => {
  const linked = await connect({heartbeat: {everyMs: 40, answerMs: 60}});
  await until('connected', () => isConnected(linked));
  plane.hooks.answersPings = false;
  await until('left', () => linked.ends.length > 0);
  expect(linked.ends[0]).toContain('no answer to a ping');
  plane.hooks.answersPings = true;
  await until('connected again', () => isConnected(linked) && plane.hellos.length > 1);
});

test('[LK16] A server that answers pings and no renewal is left, and connected to again', async () => {
  const linked = await connect({deafMaxMs: 50, heartbeat: {everyMs: 40, answerMs: 20_000}});
  const renew = (): void => linked.link.send({t: 'renew', ts: 1_000, slots: {default: 1}, items: []});
  await until('connected', () => isConnected(linked));
  for (let answered = 0; answered < 3; answered += 1) {
    renew();
    await until('an answer', () => linked.heard.filter(({t}) => t === 'renewed').length > answered);
  }
  plane.stopRenewing();
  await until('left', () => {
    renew();
    return linked.ends.length > 0;
  });
  expect(linked.ends).toEqual([expect.stringContaining('no renewal was answered')]);
  await until('connected again', () => isConnected(linked) && plane.hellos.length > 1);
});

test('[LK8] Without WebSockets the same messages travel by polling', async () => {
  plane.hooks.intercept = request => (request.headers.upgrade === undefined ? undefined : 'cut');
  const linked = await connect();
  await until('connected by polling', () => linked.link.status().transport === 'poll');
  plane.peer?.send({t: 'cancel', task: anyTask, epoch: 1, grace_ms: 0, reason: 'pushed'});
  await until('pushed', () => linked.heard.some(({t}) => t === 'cancel'));
  linked.link.send({t: 'draining', held: 3});
  await until('sent', () => plane.received.some(({t}) => t === 'draining'));
  expect(plane.complaints).toEqual([]);
});

test('[LK8] After a while of polling the WebSocket gets another chance', async () => {
  plane.hooks.intercept = request => (request.headers.upgrade === undefined ? undefined : 'cut');
  const linked = await connect({pollMaxMs: 1_500});
  await until('it polls', () => linked.lines.some(line => line.endsWith('over poll')));
  plane.hooks.intercept = () => undefined;
  await until('the WebSocket again', () => linked.link.status().transport === 'websocket');
  expect(plane.complaints).toEqual([]);
  expect(plane.hellos.length).toBeGreaterThan(1);
});

test('[LK8] A runner that polls asks for nothing more until it has answered its challenge, however long that takes', async () => {
  const frames: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then(body => {
      const {frame} = z.object({frame: z.string()}).parse(JSON.parse(body));
      frames.push(frame);
      response.end(JSON.stringify({frame: encodeBatch(frames.length === 1 ? [{t: 'challenge', nonce}] : [])}));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const {port} = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const carrier = new PollCarrier(
    {url, session: 'a-session-that-polls', log: () => undefined, issueToken: async () => 'token'},
    {
      // As long as a busy machine may take to sign.
      onMessages: messages => void (messages.length > 0 && setTimeout(() => carrier.send([draining]), 2_500)),
      onEnd: () => undefined,
    },
  );
  await until('the answer', () => frames.some(frame => frame.includes('draining')));
  carrier.leave('seen');
  server.closeAllConnections();
  server.close();
  expect(frames.slice(0, 2)).toEqual([encodeBatch([]), encodeBatch([draining])]);
});

test('[LK9] A message that breaks its schema is left out and said, the rest goes', async () => {
  const linked = await connect();
  await until('connected', () => isConnected(linked));
  linked.link.send({t: 'event', task: anyTask, epoch: 1, seq: 1, kind: 'NOT A KIND', data: null});
  linked.link.send({t: 'draining', held: 0});
  await until('the rest', () => plane.received.some(({t}) => t === 'draining'));
  expect(plane.complaints).toEqual([]);
  expect(linked.lines.join('\n')).toContain('a message was not sent: event kind');
});

test('[LK10] A server that breaks the protocol is left', async () => {
  const linked = await connect();
  await until('connected', () => isConnected(linked));
  plane.breakProtocol();
  await until('left', () => linked.ends.length > 0);
  expect(linked.ends[0]).toContain('the server broke the protocol');
});
