import {evictDurableObject} from 'cloudflare:test';
import {env} from 'cloudflare:workers';
import {beforeAll, describe, expect, test} from 'vitest';
import {fromBase64Url, toBase64, toHex, utf8} from '@switchyard/shared/crypto/bytes.ts';
import {generatePrivateJwk, importSigningKey, signBytes} from '@switchyard/shared/crypto/jws.ts';
import {hmacSecretBytes, signDispatch, signStandard} from '@switchyard/shared/crypto/request-signature.ts';
import {fleetName} from '../../../worker/src/tasklog/task-log-rpc.ts';
import {call, json, migrated, newPool, problem} from './api-world.ts';

type Signer = {pool: string; token: string; keyId: string; secret: string};

async function newSigner(): Promise<Signer> {
  const {pool, token} = await newPool();
  const made = await json<{credential: string; secret: string}>(
    await call('/v1/credentials', {method: 'POST', token, body: {kind: 'hmac', name: 'ci'}}),
    201,
  );
  return {pool, token, keyId: made.credential, secret: made.secret};
}

/** Odd on purpose: a signature covers the bytes, not what they mean. */
const oddBody = utf8('{ "prompt" :\t"signed",\n  "metadata":{ } }');
const send = (headers: Record<string, string>, body: Uint8Array = oddBody) =>
  call('/v1/tasks', {method: 'POST', body, headers: {'content-type': 'application/json', ...headers}});

let signer: Signer;
let ids = 0;
const newId = (): string => `msg-${(ids += 1)}-abcdef`;

beforeAll(async () => {
  await migrated();
  signer = await newSigner();
  await newPool(env.DISPATCH_POOL);
});

const standard = async (over: {id?: string; body?: Uint8Array; nowMs?: number; secret?: string} = {}) =>
  signStandard(hmacSecretBytes(over.secret ?? signer.secret), {
    id: over.id ?? newId(),
    body: (over.body ?? oddBody).slice(),
    nowMs: over.nowMs ?? Date.now(),
    keyId: signer.keyId,
  });

const dispatch = async (
  over: {nonce?: string; body?: Uint8Array; nowMs?: number; keyed?: boolean; index?: number} = {},
) =>
  signDispatch(
    over.keyed === true ? hmacSecretBytes(signer.secret) : utf8(env.DISPATCH_SECRET.split(',')[over.index ?? 0] ?? ''),
    {
      nonce: over.nonce ?? newId(),
      body: (over.body ?? oddBody).slice(),
      nowMs: over.nowMs ?? Date.now(),
      target: over.keyed === true ? {method: 'POST', path: '/v1/tasks', keyId: signer.keyId} : undefined,
    },
  );

describe('signed requests', () => {
  test('[AU7] a signature over the raw bytes opens the pool of its key, whatever the spacing', async () => {
    const created = await json<{pool: string}>(await send(await standard()), 201);
    expect(created.pool).toBe(signer.pool);
    expect(await json(await send(await dispatch({keyed: true})), 201)).toMatchObject({pool: signer.pool});
  });

  test.for([{index: 0}, {index: 1}])(
    '[AU8] without a key id the dispatch secret number $index opens the pool of dispatchers',
    async ({index}) => {
      expect(await json(await send(await dispatch({index})), 201)).toMatchObject({pool: env.DISPATCH_POOL});
    },
  );

  test('[AU9] an Ed25519 key that was registered signs too', async () => {
    const key = await importSigningKey(await generatePrivateJwk());
    const hex = toHex(fromBase64Url(key.publicJwk.x) ?? new Uint8Array());
    const made = await call('/v1/credentials', {
      method: 'POST',
      token: signer.token,
      body: {kind: 'ed25519', name: 'laptop', public_key_hex: hex},
    });
    const {credential, secret} = await json<{credential: string; secret: null}>(made, 201);
    expect(secret).toBeNull();
    const timestamp = String(Math.floor(Date.now() / 1_000));
    const id = newId();
    const message = new Uint8Array([...utf8(`${id}.${timestamp}.`), ...oddBody]);
    const signature = toBase64(fromBase64Url(await signBytes(key, message)) ?? new Uint8Array());
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1a,${signature}`,
      'webhook-key-id': credential,
    };
    expect((await send(headers)).status).toBe(201);
    expect((await send({...headers, 'webhook-id': newId()})).status).toBe(401);
  });

  test.for([
    {name: 'one byte changed', change: (body: Uint8Array) => body.with(2, 0x23), code: 'bad_signature'},
    {name: 'one space removed', change: (body: Uint8Array) => body.filter((_, at) => at !== 1), code: 'bad_signature'},
    {name: 'one byte added', change: (body: Uint8Array) => Uint8Array.from([...body, 0x20]), code: 'bad_signature'},
  ])('[AU10] a body with $name is refused', async ({change, code}) => {
    expect(await problem(await send(await standard(), change(oddBody)))).toMatchObject({status: 401, code});
    expect(await problem(await send(await dispatch(), change(oddBody)))).toMatchObject({status: 401, code});
  });

  test('[AU10] another key, another path, no key id and an invented key id are refused', async () => {
    const other = await newSigner();
    const refused = async (headers: Record<string, string>) =>
      expect(await problem(await send(headers))).toMatchObject({status: 401, code: 'bad_signature'});
    await refused(await standard({secret: other.secret}));
    const {'webhook-key-id': _, ...withoutKey} = await standard();
    await refused(withoutKey);
    await refused({...(await standard()), 'webhook-key-id': signer.keyId.replace('swk', 'swy')});
    await refused({...(await standard()), 'webhook-key-id': other.keyId});
    const keyed = await dispatch({keyed: true});
    const elsewhere = await call('/v1/tasks?queue=true', {
      method: 'POST',
      body: oddBody,
      headers: {'content-type': 'application/json', ...keyed},
    });
    expect(elsewhere.status).toBe(401);
  });

  test.for([{minutes: -6}, {minutes: 6}])('[AU11] a signature $minutes minutes away is stale', async ({minutes}) => {
    const nowMs = Date.now() + minutes * 60_000;
    expect(await problem(await send(await standard({nowMs})))).toMatchObject({status: 401, code: 'stale_signature'});
    expect(await problem(await send(await dispatch({nowMs})))).toMatchObject({status: 401, code: 'stale_signature'});
  });

  test('[AU12] a nonce is good once, also after the Fleet lost its memory', async () => {
    const headers = await dispatch({keyed: true});
    expect((await send(headers)).status).toBe(201);
    expect(await problem(await send(headers))).toMatchObject({status: 401, code: 'replayed_signature'});
    await evictDurableObject(env.FLEET.get(env.FLEET.idFromName(fleetName(signer.pool))));
    expect(await problem(await send(headers))).toMatchObject({status: 401, code: 'replayed_signature'});
    const resigned = await dispatch({keyed: true, nonce: headers['x-dispatch-nonce'] ?? ''});
    expect(await problem(await send(resigned))).toMatchObject({status: 401, code: 'replayed_signature'});
  });

  test('[AU13] a Standard Webhook that is sent again is answered with its first task, and another body under its id is refused', async () => {
    const id = newId();
    const first = await json<{id: string}>(await send(await standard({id})), 201);
    expect(await json(await send(await standard({id})), 200)).toMatchObject({id: first.id});
    const other = utf8('{"prompt":"another"}');
    const refused = await send(await standard({id, body: other}), other);
    expect(await problem(refused)).toMatchObject({status: 409, code: 'idempotency_conflict'});
  });

  test('[AU14] a signature opens only what says that it takes one, and a revoked key nothing', async () => {
    const signed = await signStandard(hmacSecretBytes(signer.secret), {
      id: newId(),
      body: new Uint8Array(),
      nowMs: Date.now(),
      keyId: signer.keyId,
    });
    expect((await call('/v1/credentials', {headers: signed})).status).toBe(401);
    const own = await newSigner();
    const headers = async () => {
      const made = await signStandard(hmacSecretBytes(own.secret), {
        id: newId(),
        body: oddBody,
        nowMs: Date.now(),
        keyId: own.keyId,
      });
      return made;
    };
    expect((await send(await headers())).status).toBe(201);
    const [, , id] = own.keyId.split('_');
    await call(`/v1/credentials/${id}`, {method: 'DELETE', token: own.token});
    expect((await send(await headers())).status).toBe(401);
  });
});
