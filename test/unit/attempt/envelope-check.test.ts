import {beforeAll, expect, test} from 'vitest';
import {sha256Hex} from '@switchyard/shared/crypto/bytes.ts';
import {generatePrivateJwk, importSigningKey, signJws, type SigningKey} from '@switchyard/shared/crypto/jws.ts';
import {runnerIdSchema} from '@switchyard/shared/domain/id.ts';
import type {Offer} from '@switchyard/shared/protocol/down.ts';
import {DISPATCH_TYP} from '@switchyard/shared/protocol/envelope.ts';
import {checkEnvelope, serverTimeOf, type EnvelopeCheckOptions} from '../../../runner/src/link/envelope-check.ts';
import {importDispatchKey} from '../../../runner/src/secrets/dispatch-key.ts';
import {taskA, taskB} from './attempt-scene.ts';

const runner = runnerIdSchema.parse('rnr_01jd0000000000000000000001');
const other = runnerIdSchema.parse('rnr_01jd0000000000000000000002');
const spec = '{"prompt":"do it","timeout_ms":5000}';
const serverNowS = 1_800_000_000;

let key: SigningKey;
let strange: SigningKey;
let options: EnvelopeCheckOptions;
let good: Record<string, unknown>;

beforeAll(async () => {
  key = await importSigningKey(await generatePrivateJwk());
  strange = await importSigningKey(await generatePrivateJwk());
  options = {
    runner,
    pool: 'default',
    keys: [await importDispatchKey(key.publicJwk)],
    // The machine's own wall clock plays no part: the server's time is years away from it.
    serverTime: () => serverTimeOf({server_time_ms: serverNowS * 1_000, echo: 5_000}),
    bootMs: () => 5_000,
  };
  good = {
    iss: 'switchyard',
    aud: runner,
    task: taskA,
    epoch: 2,
    pool: 'default',
    iat: serverNowS - 1,
    exp: serverNowS + 29,
    jti: 'a-unique-id',
    spec_sha256: await sha256Hex(spec),
    spec,
    branch: `switchyard/${taskA}/e2`,
  };
});

async function offerOf(change: object = {}, signer = key, typ = DISPATCH_TYP): Promise<Offer> {
  const envelope = await signJws(signer, {typ}, {...good, ...change});
  return {t: 'offer', task: taskA, epoch: 2, envelope, expires_in_ms: 10_000};
}

test('[EV1] The envelope of this runner and attempt is accepted with its spec', async () => {
  expect(await checkEnvelope(options, await offerOf())).toMatchObject({
    ok: true,
    plan: {task: taskA, epoch: 2, branch: `switchyard/${taskA}/e2`, spec: {prompt: 'do it', timeout_ms: 5_000}},
  });
});

const refusedForGood = {ok: false, code: 'bad_envelope', retryable: false};

test.for([
  ['another runner', {aud: other}],
  ['another pool', {pool: 'other'}],
  ['another task', {task: taskB, branch: `switchyard/${taskB}/e2`}],
  ['another epoch', {epoch: 1, branch: `switchyard/${taskA}/e1`}],
  ['another branch', {branch: 'main'}],
  ['another issuer', {iss: 'somebody'}],
] as const)('[EV1] %s is refused for good', async ([, change]) => {
  expect(await checkEnvelope(options, await offerOf(change))).toMatchObject(refusedForGood);
});

test('[EV2] an unknown signed field is refused for good', async () => {
  expect(await checkEnvelope(options, await offerOf({egress: 'none'}))).toMatchObject(refusedForGood);
});

test('[EV4] a hash of another spec is refused for good', async () => {
  expect(await checkEnvelope(options, await offerOf({spec_sha256: 'a'.repeat(64)}))).toMatchObject(refusedForGood);
});

test.for([
  ['not JSON', 'prompt'],
  ['not a spec', '{"prompt":""}'],
  ['an unknown field', '{"prompt":"x","budget":1}'],
] as const)('[EV4] A spec is refused that is %s', async ([, text]) => {
  const offer = await offerOf({spec: text, spec_sha256: await sha256Hex(text)});
  expect(await checkEnvelope(options, offer)).toMatchObject({ok: false, code: 'bad_envelope', retryable: false});
});

test('[EV1] Another key, another signature, another type, a changed byte and an unsigned token are refused', async () => {
  const {envelope} = await offerOf();
  const [head = '', body = '', signature = ''] = envelope.split('.');
  const [, , otherSignature = ''] = (await offerOf({jti: 'another'})).envelope.split('.');
  const none = Buffer.from('{"alg":"none","typ":"switchyard-dispatch+jws","kid":"x"}').toString('base64url');
  const offers = [
    await offerOf({}, strange),
    await offerOf({}, {...strange, kid: key.kid}),
    {...(await offerOf()), envelope: `${head}.${body}.${otherSignature}`},
    {...(await offerOf()), envelope: `${head}.${body}.${signature.slice(0, -4)}`},
    await offerOf({}, key, 'JWT'),
    {...(await offerOf()), envelope: `${head}.${body.slice(0, -2)}AA.${signature}`},
    {...(await offerOf()), envelope: `${none}.${body}.`},
    {...(await offerOf()), envelope: 'nonsense'},
  ];
  const checks = await Promise.all(offers.map(async offer => checkEnvelope(options, offer)));
  expect(checks.map(check => check.ok)).toEqual(offers.map(() => false));
});

test('[EV1] An old envelope of the task does not pass for a newer offer', async () => {
  const {envelope} = await offerOf();
  const check = await checkEnvelope(options, {t: 'offer', task: taskA, epoch: 3, envelope, expires_in_ms: 10_000});
  expect(check).toMatchObject({ok: false, code: 'bad_envelope', retryable: false});
});

test('[EV3] Expiry is judged by the time of the server plus the boot clock', async () => {
  const offer = await offerOf();
  const at = async (bootMs: number): Promise<boolean> =>
    (await checkEnvelope({...options, bootMs: () => bootMs}, offer)).ok;
  expect([await at(5_000), await at(33_999), await at(34_000), await at(3_600_000)]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test.for([
  ['expired', {exp: serverNowS - 1, iat: serverNowS - 31}],
  ['issued in the future', {iat: serverNowS + 120, exp: serverNowS + 150}],
  ['that ends before it begins', {iat: serverNowS + 20, exp: serverNowS + 10}],
] as const)('[EV3] An envelope is refused, to be offered again, that is %s', async ([, change]) => {
  expect(await checkEnvelope(options, await offerOf(change))).toMatchObject({
    ok: false,
    code: 'bad_envelope',
    retryable: true,
  });
});

test('[EV3] Before the first welcome nothing can be judged', async () => {
  expect(await checkEnvelope({...options, serverTime: () => null}, await offerOf())).toMatchObject({
    ok: false,
    retryable: true,
  });
});
