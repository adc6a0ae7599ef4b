import {env} from 'cloudflare:workers';
import {beforeAll, describe, expect, test} from 'vitest';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {hmacSecretBytes, signDispatch} from '@switchyard/shared/crypto/request-signature.ts';
import {call, json, migrated, newPool, newToken, problem} from './api-world.ts';
import {enrolled, runAttempt} from './runner-world.ts';

let token = '';
let nonces = 0;

beforeAll(async () => {
  await migrated();
  ({token} = await newPool(env.DISPATCH_POOL));
});

const webhookSecret = 'canary-webhook-secret-91c2';
const webhookUrl = 'https://callbacks.test/canary-path-77aa';
const request = (taskId: string, over: object = {}) => ({
  taskId,
  workerType: 'opus',
  prompt: 'fix it',
  repository: 'acme/shop',
  linearIssueId: 'ACM-7',
  slug: 'fix-it',
  webhookUrl,
  webhookSecret,
  actionId: 'action-1',
  ...over,
});

/** A request as an existing dispatcher signs it: over the raw body, without a key id. */
async function signed(method: string, path: string, body?: object): Promise<Response> {
  const bytes = body === undefined ? new Uint8Array() : utf8(JSON.stringify(body));
  const secret = utf8(env.DISPATCH_SECRET.split(',')[0] ?? '');
  const headers = await signDispatch(secret, {nonce: `nonce-${(nonces += 1)}-aaaa`, body: bytes, nowMs: Date.now()});
  return call(path, {
    method,
    headers: {'content-type': 'application/json', ...headers},
    body: body === undefined ? undefined : bytes,
  });
}

/** What other tests left waiting would be offered first. */
async function emptyQueue(): Promise<void> {
  const {tasks} = await json<{tasks: {id: string}[]}>(await call('/v1/tasks?state=queued&limit=200', {token}), 200);
  for (const {id} of tasks) await call(`/v1/tasks/${id}/cancel`, {method: 'POST', token});
}

describe('the API of existing dispatchers', () => {
  test('[DC1] a signed task is accepted with 202; the same body again is the same task, another body is refused', async () => {
    expect(await json(await signed('POST', '/tasks', request('task-1')), 202)).toEqual({
      taskId: 'task-1',
      status: 'queued',
    });
    expect(await json(await signed('POST', '/tasks', request('task-1')), 202)).toEqual({
      taskId: 'task-1',
      status: 'queued',
    });
    const other = await signed('POST', '/tasks', request('task-1', {prompt: 'something else'}));
    expect(await problem(other)).toMatchObject({status: 409, code: 'idempotency_conflict'});
    const {tasks} = await json<{tasks: {metadata: Record<string, string>}[]}>(await call('/v1/tasks', {token}), 200);
    expect(tasks.filter(({metadata}) => metadata['dispatch_id'] === 'task-1')).toHaveLength(1);
  });

  test('[DC2] a task is read by the id that the dispatcher gave it, in its own words', async () => {
    await signed('POST', '/tasks', request('task-2'));
    const task = await json(await signed('GET', '/tasks/task-2'), 200);
    expect(task).toMatchObject({
      taskId: 'task-2',
      status: 'queued',
      workerType: 'opus',
      prompt: 'fix it',
      repository: 'https://github.com/acme/shop.git',
      baseBranch: 'development',
      linearIssueId: 'ACM-7',
      result: null,
      error: null,
    });
    expect(await problem(await signed('GET', '/tasks/unknown'))).toMatchObject({status: 404, code: 'not_found'});
  });

  test('[DC3] no answer holds the secret or the address of the callback, in either API', async () => {
    await signed('POST', '/tasks', request('task-3'));
    const {tasks} = await json<{tasks: {id: string}[]}>(await call('/v1/tasks?limit=1', {token}), 200);
    const paths = [
      '/tasks/task-3',
      '/v1/tasks',
      `/v1/tasks/${tasks[0]?.id}`,
      `/v1/tasks/${tasks[0]?.id}/events`,
      '/health',
    ];
    for (const path of paths) expect(await (await call(path, {token})).text(), path).not.toContain('canary');
  });

  test('[DC4] reading and deleting need a signature or a token', async () => {
    await signed('POST', '/tasks', request('task-4'));
    for (const method of ['GET', 'DELETE'])
      expect(await problem(await call('/tasks/task-4', {method}))).toMatchObject({status: 401});
    expect((await call('/admin/shutdown', {method: 'POST'})).status).toBe(401);
    expect((await call('/tasks', {method: 'POST', body: request('task-5')})).status).toBe(401);
    const {token: stranger} = await newPool();
    expect((await call('/tasks/task-4', {token: stranger})).status).toBe(404);
    const reader = await newToken(token, 'read');
    expect((await call('/tasks/task-4', {token: reader})).status).toBe(200);
    expect((await call('/tasks/task-4', {token: reader, method: 'DELETE'})).status).toBe(403);
  });

  test.for([
    {name: 'no worker type', over: {workerType: undefined}},
    {name: 'an unknown worker type', over: {workerType: 'gpt'}},
    {name: 'an empty prompt', over: {prompt: ''}},
    {name: 'a callback that is no address', over: {webhookUrl: 'not a url'}},
    {name: 'a callback to a file', over: {webhookUrl: 'file:///etc/passwd'}},
    {name: 'an id with a path', over: {taskId: '../x'}},
    {name: 'a base that is no branch', over: {baseBranch: '--upload-pack=x'}},
    {name: 'a repository with a space', over: {repository: 'https://x.test/a b'}},
  ])('[DC6] a request with $name is refused', async ({over}) => {
    const refused = await signed('POST', '/tasks', request('task-7', over));
    expect(await problem(refused)).toMatchObject({status: 400, code: 'invalid_request'});
  });

  test('[DC7] a task that may not wait is refused when nobody is free, with the time to come back', async () => {
    const refused = await signed('POST', '/tasks', request('task-8', {queue: false}));
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await problem(refused)).toMatchObject({status: 503, code: 'capacity_reached'});
    expect((await signed('POST', '/tasks', request('task-8', {queue: true}))).status).toBe(202);
  });

  test('[DC8] health tells numbers to everybody, and machines to those who have a key', async () => {
    const health = await json<{runners: unknown[]}>(await call('/health'), 200);
    expect(health).toEqual({
      status: 'degraded',
      capacity: 0,
      running: 0,
      available: 0,
      githubTokenExpiresAt: null,
      runners: [],
    });
    expect((await call('/health', {token: 'nonsense'})).status).toBe(401);
    expect((await call('/health', {token})).status).toBe(200);
  });

  test('[DC9] refreshing a token says that there is none to refresh', async () => {
    expect(await json(await signed('POST', '/admin/refresh-token'), 200)).toEqual({
      status: 'not_configured',
      refreshed: false,
      tokenExpiresAt: null,
    });
  });

  test('[DC10] a shutdown stops offers of the pool', async () => {
    const own = (await newPool()).token;
    const {pool} = await json<{pool: string}>(await call('/v1/pool', {token: own}), 200);
    expect(await json(await call('/admin/shutdown', {method: 'POST', token: own}), 200)).toEqual({
      status: 'shutting_down',
      pool,
      running: 0,
      exits: false,
    });
    expect(await json(await call('/v1/pool', {token: own}), 200)).toMatchObject({settings: {draining: true}});
    expect(await json(await call('/health', {token: own}), 200)).toMatchObject({status: 'shutting_down'});
    await call('/v1/pool', {token: own, method: 'PATCH', body: {draining: false, paused: true}});
    expect(await json(await call('/health', {token: own}), 200)).toMatchObject({status: 'degraded'});
  });

  test('[DC13] the dispatch secret shuts down its own pool while an attempt goes on; a write token and a registered key may not', async () => {
    await emptyQueue();
    await signed('POST', '/tasks', request('task-drain'));
    const attempt = await runAttempt(await enrolled(token));
    expect(await json(await signed('POST', '/admin/shutdown', {}), 200)).toEqual({
      status: 'shutting_down',
      pool: env.DISPATCH_POOL,
      running: 1,
      exits: false,
    });
    await signed('POST', '/tasks', request('task-after'));
    expect(await json(await signed('GET', '/tasks/task-after'), 200)).toMatchObject({status: 'queued'});
    const {tasks} = await json<{tasks: {waiting_for: string}[]}>(await call('/v1/tasks?state=queued', {token}), 200);
    expect(tasks.map(({waiting_for: reason}) => reason)).toEqual(['the pool is shutting down']);
    await attempt.succeed();
    expect(await json(await signed('GET', '/tasks/task-drain'), 200)).toMatchObject({status: 'completed'});
    await call('/v1/pool', {token, method: 'PATCH', body: {draining: false}});
    await emptyQueue();

    const writer = await newToken(token, 'write');
    const refused = await call('/admin/shutdown', {method: 'POST', token: writer});
    expect(await problem(refused)).toMatchObject({status: 403, code: 'forbidden'});
    const key = await json<{credential: string; secret: string}>(
      await call('/v1/credentials', {method: 'POST', token, body: {kind: 'hmac', name: 'hook'}}),
      201,
    );
    const target = {method: 'POST', path: '/admin/shutdown', keyId: key.credential};
    const body = utf8('{}');
    const headers = await signDispatch(hmacSecretBytes(key.secret), {
      nonce: 'registered-key-1',
      body,
      nowMs: Date.now(),
      target,
    });
    expect(await problem(await call('/admin/shutdown', {method: 'POST', headers, body}))).toMatchObject({status: 403});
    expect(await json(await call('/v1/pool', {token}), 200)).toMatchObject({settings: {draining: false}});
  });

  test('[DC5] deleting cancels, as often as it is asked for; a running task is cancelling, a finished one is refused', async () => {
    await signed('POST', '/tasks', request('task-6'));
    expect(await json(await signed('DELETE', '/tasks/task-6'), 200)).toEqual({taskId: 'task-6', status: 'cancelled'});
    expect(await json(await signed('DELETE', '/tasks/task-6'), 200)).toEqual({taskId: 'task-6', status: 'cancelled'});
    expect(await problem(await signed('DELETE', '/tasks/task-none'))).toMatchObject({status: 404});
    await emptyQueue();
    const machine = await enrolled(token);
    await signed('POST', '/tasks', request('task-a'));
    const attempt = await runAttempt(machine);
    expect(await json(await signed('GET', '/tasks/task-a'), 200)).toMatchObject({status: 'queued'});
    expect(await json(await signed('DELETE', '/tasks/task-a'), 200)).toEqual({taskId: 'task-a', status: 'cancelling'});
    expect(attempt.epoch).toBe(1);
  });

  test('[DC5] a finished task is told with its result, and cannot be deleted', async () => {
    await emptyQueue();
    await signed('POST', '/tasks', request('task-b'));
    const attempt = await runAttempt(await enrolled(token));
    await attempt.succeed();
    expect(await json(await signed('GET', '/tasks/task-b'), 200)).toMatchObject({
      status: 'completed',
      result: {prUrl: null, summary: 'done'},
      error: null,
    });
    expect(await problem(await signed('DELETE', '/tasks/task-b'))).toMatchObject({
      status: 409,
      code: 'already_finished',
    });
  });
});
