import {env} from 'cloudflare:workers';
import {beforeAll, describe, expect, test} from 'vitest';
import {attemptSeal} from '@switchyard/shared/crypto/attempt-seal.ts';
import {fromBase64, toBase64, utf8} from '@switchyard/shared/crypto/bytes.ts';
import {importVerifyingKey, verifyJws} from '@switchyard/shared/crypto/jws.ts';
import {newRunnerId, newTaskId} from '@switchyard/shared/domain/id.ts';
import {CERTIFICATE_TYP, certificateSchema, type PublicJwk} from '@switchyard/shared/protocol/envelope.ts';
import {RUNNER_SUBPROTOCOL} from '@switchyard/shared/protocol/version.ts';
import {runnerHeader, runnerKeyHeader} from '../../../worker/src/fleet/fleet-rpc.ts';
import {logEpochHeader, logRoleHeader, logTaskHeader} from '../../../worker/src/tasklog/task-log-rpc.ts';
import {openInbox} from '../socket-inbox.ts';
import {frame} from '../tasklog/log-world.ts';
import {call, json, migrated, newPool, newTask, newToken, problem} from './api-world.ts';
import {
  connectToken,
  enrolled,
  enrolmentToken,
  enrolRequest,
  newKey,
  runAttempt,
  type EnrolledRunner,
} from './runner-world.ts';

let admin = '';
let machine: EnrolledRunner;

beforeAll(async () => {
  await migrated();
  admin = (await newPool()).token;
  machine = await enrolled(admin);
});

const upgrade = {upgrade: 'websocket'};
const connect = (token: string | undefined, headers: Record<string, string> = {}) =>
  call('/v1/runner/connect', {token, headers: {...upgrade, 'sec-websocket-protocol': RUNNER_SUBPROTOCOL, ...headers}});

/** Another first byte of the signature: the last byte of many is zero, so that changing it may change nothing. */
function tampered(jws: string): string {
  const at = jws.lastIndexOf('.') + 1;
  return jws.slice(0, at) + (jws[at] === 'A' ? 'B' : 'A') + jws.slice(at + 1);
}

describe('enrolment', () => {
  test('[AU15] a token enrols one machine, whose certificate and pinned keys are ours', async () => {
    const key = await newKey();
    const token = await enrolmentToken(admin);
    const answer = await json<{runner: string; certificate: string; keys: PublicJwk[]}>(
      await enrolRequest(token, key),
      201,
    );
    const keys = await Promise.all(answer.keys.map(importVerifyingKey));
    const certificate = await verifyJws(answer.certificate, {typ: CERTIFICATE_TYP, keys, schema: certificateSchema});
    expect(certificate).toMatchObject({sub: answer.runner, jwk: key.publicJwk});
    expect(await problem(await enrolRequest(token, await newKey()))).toMatchObject({code: 'enrolment_invalid'});
    const {runners} = await json<{runners: {id: string}[]}>(await call('/v1/runners', {token: admin}), 200);
    expect(runners.map(({id}) => id)).toContain(answer.runner);
  });

  test('[AU16] a key that the sender does not hold is not enrolled, and the token is not spent by the attempt', async () => {
    const token = await enrolmentToken(admin);
    const other = await newKey();
    const key = await newKey();
    const stolen = await enrolRequest(token, key, {jwk: other.publicJwk});
    expect(await problem(stolen)).toMatchObject({status: 401, code: 'enrolment_invalid'});
    expect((await enrolRequest(token, key)).status).toBe(201);
    expect((await enrolRequest(admin, key)).status).toBe(401);
  });

  test('[AU16] making an enrolment needs the scope admin', async () => {
    const token = await newToken(admin, 'write');
    const refused = await call('/v1/runners/enrolments', {method: 'POST', token, body: {}});
    expect(await problem(refused)).toMatchObject({code: 'forbidden'});
  });
});

describe('the connection of a runner', () => {
  test('[AU17] a token that the key of the certificate signed opens the link, which begins with a challenge', async () => {
    const inbox = openInbox(await connect(await connectToken(machine)));
    expect(await inbox.json()).toMatchObject({m: [{t: 'challenge'}]});
    inbox.socket.close();
  });

  test('[AU18] every flaw of a token is refused, with the time of the server', async () => {
    const nowS = Math.floor(Date.now() / 1_000);
    const other = newRunnerId(Date.now(), length => crypto.getRandomValues(new Uint8Array(length)));
    const {certificate: foreign} = await enrolled((await newPool()).token);
    const flawed = [
      undefined,
      admin,
      await connectToken(machine, {aud: 'elsewhere.test'}),
      await connectToken(machine, {iss: other}),
      await connectToken(machine, {iat: nowS, exp: nowS + 61}),
      await connectToken(machine, {iat: nowS - 420, exp: nowS - 361}),
      await connectToken(machine, {iat: nowS + 361, exp: nowS + 420}),
      await connectToken(machine, {}, await newKey()),
      await connectToken({...machine, certificate: foreign}),
      await connectToken({...machine, certificate: tampered(machine.certificate)}),
    ];
    for (const [index, token] of flawed.entries()) {
      const refused = await connect(token);
      expect(refused.status, `flaw ${index}`).toBe(401);
      expect(Math.abs(Date.parse(refused.headers.get('date') ?? '') - Date.now())).toBeLessThan(60_000);
      expect(await problem(refused)).toMatchObject({status: 401, code: 'unauthorized'});
    }
    expect((await connect(await connectToken(machine, {iat: nowS - 240, exp: nowS - 200}))).status).toBe(101);
  });

  test('[AU19] headers that only the Worker may set are worth nothing from a client', async () => {
    const claimed = {[runnerHeader]: machine.runner, [runnerKeyHeader]: machine.key.publicJwk.x};
    expect((await connect(undefined, claimed)).status).toBe(401);
    const task = newTaskId(Date.now(), length => crypto.getRandomValues(new Uint8Array(length)));
    const log = {[logRoleHeader]: 'runner', [logTaskHeader]: task, [logEpochHeader]: '1', ...claimed};
    for (const path of [`/v1/runner/log/${task}?epoch=1`, `/v1/tasks/${task}/log/live`])
      expect((await call(path, {headers: {...upgrade, ...log}})).status).toBe(401);
  });

  test('[AU20] a link without its subprotocol, or without an upgrade, is refused', async () => {
    const token = await connectToken(machine);
    expect(await problem(await connect(token, {'sec-websocket-protocol': 'other'}))).toMatchObject({status: 426});
    expect(await problem(await call('/v1/runner/connect', {token}))).toMatchObject({status: 400});
  });

  test('[AU21] a poll needs the same token, and takes one frame of a session', async () => {
    const poll = async (token: string | undefined, body: unknown) =>
      call('/v1/runner/poll', {method: 'POST', token, body});
    const body = {session: 'session-1', frame: '{"m":[]}'};
    expect((await poll(undefined, body)).status).toBe(401);
    expect((await poll(admin, body)).status).toBe(401);
    expect(await problem(await poll(await connectToken(machine), {session: 'session-1'}))).toMatchObject({status: 400});
    const answer = await json<{frame: string}>(await poll(await connectToken(machine), body), 200);
    expect(JSON.parse(answer.frame)).toMatchObject({m: [{t: 'challenge'}]});
  });
});

describe('the log socket of a runner', () => {
  const seal = async () => attemptSeal(fromBase64(env.SWITCHYARD_SECRET) ?? new Uint8Array());
  const newId = () => newTaskId(Date.now(), length => crypto.getRandomValues(new Uint8Array(length)));

  test('[AU22] the ticket of an attempt opens its log and no other', async () => {
    const task = newId();
    const claims = {pool: machine.pool, task, epoch: 2, runner: machine.runner};
    const ticket = await (await seal()).ticket(claims);
    const open = async (path: string, by: EnrolledRunner, header: Record<string, string>) =>
      call(`/v1/runner/log/${path}`, {token: await connectToken(by), headers: {...upgrade, ...header}});
    const inbox = openInbox(await open(`${task}?epoch=2`, machine, {'x-log-ticket': ticket}));
    expect(await inbox.json()).toMatchObject({t: 'state', len: 0});
    inbox.socket.send(frame(0, utf8('x')));
    expect(await inbox.json()).toEqual({t: 'ack', len: 1});
    inbox.socket.close();
    const other = await enrolled(admin);
    const refused = [
      await open(`${task}?epoch=3`, machine, {'x-log-ticket': ticket}),
      await open(`${newId()}?epoch=2`, machine, {'x-log-ticket': ticket}),
      await open(`${task}?epoch=2`, other, {'x-log-ticket': ticket}),
      await open(`${task}?epoch=2`, machine, {
        'x-log-ticket': ticket.replace(/.$/, last => (last === '0' ? '1' : '0')),
      }),
      await open(`${task}?epoch=2`, machine, {}),
    ];
    for (const each of refused) expect(await problem(each)).toMatchObject({status: 401, code: 'unauthorized'});
    expect((await open(task, machine, {'x-log-ticket': ticket})).status).toBe(400);
  });

  test('[FL19] a revoked runner writes no more into the logs of its attempts, neither over its socket nor by request', async () => {
    const own = await newPool();
    const by = await enrolled(own.token);
    await newTask(own.token);
    const attempt = await runAttempt(by);
    await attempt.write(utf8('before'));
    const {task, epoch} = attempt;
    const revoke = `/v1/runners/${by.runner}/revoke`;
    expect(await json(await call(revoke, {method: 'POST', token: own.token}), 200)).toMatchObject({state: 'revoked'});
    const ticket = await (await seal()).ticket({pool: own.pool, task, epoch, runner: by.runner});
    const post = async () =>
      call(`/v1/runner/log/${task}?epoch=${epoch}`, {
        method: 'POST',
        token: await connectToken(by),
        headers: {'x-log-ticket': ticket},
        body: {frames: [toBase64(frame(6, utf8(' after')))], control: []},
      });
    await expect.poll(async () => (await post()).text()).toContain('gone');
    expect(await attempt.log.json()).toMatchObject({t: 'gone'});
    const page = await call(`/v1/tasks/${task}/log`, {token: own.token, headers: {accept: 'text/plain'}});
    expect(await page.text()).toBe('before');
  });
});
