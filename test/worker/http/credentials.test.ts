import {env} from 'cloudflare:workers';
import {beforeAll, describe, expect, test} from 'vitest';
import {call, json, migrated, mint, newPool, newTask, newToken, problem} from './api-world.ts';

beforeAll(migrated);

describe('bearer tokens', () => {
  test.for([
    {name: 'none', token: undefined},
    {name: 'a word', token: 'secret'},
    {name: 'an invented token', token: `swy_pool-a_00000000_${'0'.repeat(48)}_${'0'.repeat(32)}`},
  ])('[AU1] $name opens nothing', async ({token}) => {
    const refused = await call('/v1/tasks', {token});
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    expect(refused.headers.get('date')).not.toBeNull();
    expect(await problem(refused)).toMatchObject({status: 401, code: 'unauthorized'});
  });

  test('[AU1] a token that differs in one character opens nothing, and another kind of credential neither', async () => {
    const {pool, token} = await newPool();
    const last = token.endsWith('0') ? '1' : '0';
    expect((await call('/v1/tasks', {token: token.slice(0, -1) + last})).status).toBe(401);
    const key = await json<{credential: string}>(
      await call('/v1/credentials', {method: 'POST', token, body: {kind: 'hmac', name: 'ci'}}),
      201,
    );
    expect((await call('/v1/tasks', {token: key.credential})).status).toBe(401);
    const minted = await (await mint()).mint('swy', pool as never, {id: 'neverstored', body: '0'.repeat(48)});
    expect((await call('/v1/tasks', {token: minted})).status).toBe(401);
  });

  test('[AU2] each scope includes the ones before it and no more', async () => {
    const {token: admin} = await newPool();
    const [read, write] = [await newToken(admin, 'read'), await newToken(admin, 'write')];
    const post = (token: string) => call('/v1/tasks', {method: 'POST', token, body: {prompt: 'x'}});
    expect((await call('/v1/tasks', {token: read})).status).toBe(200);
    expect(await problem(await post(read))).toMatchObject({status: 403, code: 'forbidden'});
    expect((await post(write)).status).toBe(201);
    expect(await problem(await call('/v1/credentials', {token: write}))).toMatchObject({status: 403});
    expect((await call('/v1/credentials', {token: admin})).status).toBe(200);
  });

  test('[AU3] a revoked token is refused at once', async () => {
    const {token: admin} = await newPool();
    const token = await newToken(admin, 'write');
    const [, , id] = token.split('_');
    expect((await call('/v1/tasks', {token})).status).toBe(200);
    expect((await call(`/v1/credentials/${id}`, {method: 'DELETE', token: admin})).status).toBe(200);
    expect((await call('/v1/tasks', {token})).status).toBe(401);
  });

  test('[AU4] a token sees nothing of another pool', async () => {
    const [one, other] = [await newPool(), await newPool()];
    const {id} = await newTask(one.token);
    for (const path of [`/v1/tasks/${id}`, `/v1/tasks/${id}/events`, `/v1/tasks/${id}/log`])
      expect((await call(path, {token: other.token})).status).toBe(404);
    const cancelled = await call(`/v1/tasks/${id}/cancel`, {method: 'POST', token: other.token});
    expect(cancelled.status).toBe(404);
    const {tasks} = await json<{tasks: unknown[]}>(await call('/v1/tasks', {token: other.token}), 200);
    expect(tasks).toEqual([]);
  });
});

describe('pools', () => {
  test('[AU5] only the root token makes a pool, and a pool never passes to another team', async () => {
    const {pool, token} = await newPool();
    const make = (by: string | undefined, team: string) =>
      call('/v1/pools', {method: 'POST', token: by, body: {team, pool}});
    expect((await make(undefined, 'testers')).status).toBe(401);
    expect((await make(token, 'testers')).status).toBe(401);
    const root = await (await mint()).rootToken();
    expect((await make(root, 'strangers')).status).toBe(400);
    const again = await json<{token: string}>(await make(root, 'testers'), 201);
    expect(again.token).not.toBe(token);
    for (const each of [token, again.token]) expect((await call('/v1/pool', {token: each})).status).toBe(200);
  });
});

describe('secrets', () => {
  test('[AU6] no answer to a read holds a secret', async () => {
    const {token} = await newPool();
    const hmac = await json<{credential: string; secret: string}>(
      await call('/v1/credentials', {method: 'POST', token, body: {kind: 'hmac', name: 'signer'}}),
      201,
    );
    const enrolment = await json<{token: string}>(
      await call('/v1/runners/enrolments', {method: 'POST', token, body: {}}),
      201,
    );
    const task = await newTask(token);
    const secretOf = (credential: string): string => credential.split('_')[3] ?? '';
    const canaries = [
      secretOf(token),
      secretOf(enrolment.token),
      hmac.secret,
      hmac.secret.slice(6),
      env.SWITCHYARD_SECRET,
      env.SWITCHYARD_SIGNING_KEYS,
      ...JSON.parse(env.SWITCHYARD_SIGNING_KEYS).map(({d}: {d: string}) => d),
      ...env.DISPATCH_SECRET.split(','),
    ];
    expect(canaries.every(canary => canary.length > 20)).toBe(true);
    const paths = [
      '/v1/tasks',
      `/v1/tasks/${task.id}`,
      `/v1/tasks/${task.id}/events`,
      `/v1/tasks/${task.id}/log`,
      '/v1/runners',
      '/v1/pool',
      '/v1/credentials',
      '/v1/health',
      '/health',
      '/openapi.json',
    ];
    for (const path of paths) {
      const response = await call(path, {token});
      const text = (await response.text()) + JSON.stringify([...response.headers]);
      for (const canary of canaries) expect(text, path).not.toContain(canary);
    }
  });
});
