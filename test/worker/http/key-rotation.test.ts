import {beforeAll, expect, test} from 'vitest';
import {rotationProof} from '@switchyard/shared/api/runner-contracts.ts';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {importVerifyingKey, signBytes, verifyJws, type SigningKey} from '@switchyard/shared/crypto/jws.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {CERTIFICATE_TYP, certificateSchema, type PublicJwk} from '@switchyard/shared/protocol/envelope.ts';
import {RUNNER_SUBPROTOCOL} from '@switchyard/shared/protocol/version.ts';
import {openInbox} from '../socket-inbox.ts';
import {call, json, migrated, newPool, newTask, problem} from './api-world.ts';
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
beforeAll(async () => {
  await migrated();
  admin = (await newPool()).token;
});

type Signers = {readonly old: SigningKey; readonly next: SigningKey};

async function rotate(machine: EnrolledRunner, next: SigningKey, by: Partial<Signers> = {}): Promise<Response> {
  const {runner, key} = machine;
  const proof = utf8(rotationProof({runner, oldX: key.publicJwk.x, newX: next.publicJwk.x}));
  const [sig_old, sig_new] = await Promise.all([by.old ?? key, by.next ?? next].map(each => signBytes(each, proof)));
  const body = {new_jwk: next.publicJwk, sig_old, sig_new};
  return call('/v1/runner/rotate', {method: 'POST', token: await connectToken(machine), body});
}

async function rotated(machine: EnrolledRunner): Promise<EnrolledRunner> {
  const key = await newKey();
  const {certificate} = await json<{certificate: string}>(await rotate(machine, key), 200);
  return {...machine, key, certificate};
}

async function connects(machine: EnrolledRunner): Promise<number | 'challenge'> {
  const headers = {upgrade: 'websocket', 'sec-websocket-protocol': RUNNER_SUBPROTOCOL};
  const inbox = openInbox(await call('/v1/runner/connect', {token: await connectToken(machine), headers}));
  const first = await inbox.next();
  inbox.socket.close();
  return 'closed' in first ? first.closed : 'challenge';
}

test('[RK5] a rotation that both keys signed is answered with the certificate of the new key, and again when it is repeated', async () => {
  const [key, next] = [await newKey(), await newKey()];
  const {keys, ...enrolment} = await json<Omit<EnrolledRunner, 'key'> & {keys: PublicJwk[]}>(
    await enrolRequest(await enrolmentToken(admin), key),
    201,
  );
  const machine = {...enrolment, key};
  const beforeMs = Date.now();
  const first = await json<{certificate: string; old_until_ms: number}>(await rotate(machine, next), 200);
  expect(first.old_until_ms).toBeGreaterThanOrEqual(beforeMs + limits.keyOverlapMs);
  expect(first.old_until_ms).toBeLessThanOrEqual(Date.now() + limits.keyOverlapMs);
  const verifying = await Promise.all(keys.map(importVerifyingKey));
  const expected = {typ: CERTIFICATE_TYP, keys: verifying, schema: certificateSchema};
  expect(await verifyJws(first.certificate, expected)).toMatchObject({sub: machine.runner, jwk: next.publicJwk});
  expect(await json(await rotate(machine, next), 200)).toMatchObject({old_until_ms: first.old_until_ms});
});

test('[RK5] a rotation that one of the keys did not sign changes nothing', async () => {
  const machine = await enrolled(admin);
  const [next, stranger] = [await newKey(), await newKey()];
  for (const by of [{old: stranger}, {next: stranger}])
    expect(await problem(await rotate(machine, next, by))).toMatchObject({status: 401, code: 'unauthorized'});
  expect((await call('/v1/runner/rotate', {method: 'POST', body: {}})).status).toBe(401);
  const body = {new_jwk: next.publicJwk};
  const flawed = await call('/v1/runner/rotate', {method: 'POST', token: await connectToken(machine), body});
  expect(await problem(flawed)).toMatchObject({status: 400});
  expect(await connects(machine)).toBe('challenge');
  expect((await rotate(machine, next)).status).toBe(200);
});

test('[RK6] both keys open the link while they overlap, the older one of three does not, and none after a revocation', async () => {
  const first = await enrolled(admin);
  const second = await rotated(first);
  expect([await connects(first), await connects(second)]).toEqual(['challenge', 'challenge']);
  expect(await problem(await rotate(first, await newKey()))).toMatchObject({status: 401});
  const third = await rotated(second);
  expect([await connects(first), await connects(second), await connects(third)]).toEqual([
    4401,
    'challenge',
    'challenge',
  ]);
  await call(`/v1/runners/${first.runner}/revoke`, {method: 'POST', token: admin});
  expect([await connects(second), await connects(third)]).toEqual([4403, 4403]);
});

test('[RK7] an attempt that began with the old key is reported with either', async () => {
  const own = (await newPool()).token;
  const machine = await enrolled(own);
  const state = async (id: string) =>
    (await json<{state: string}>(await call(`/v1/tasks/${id}`, {token: own}), 200)).state;
  const one = await newTask(own);
  const attempt = await runAttempt(machine);
  const next = await rotated(machine);
  await attempt.succeed();
  expect(await state(one.id)).toBe('succeeded');
  const two = await newTask(own);
  await (await runAttempt(next)).succeed();
  expect(await state(two.id)).toBe('succeeded');
});
