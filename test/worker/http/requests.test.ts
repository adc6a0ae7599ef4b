import {beforeAll, describe, expect, test} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {call, json, migrated, newPool, newTask, newToken, problem} from './api-world.ts';

let token = '';

beforeAll(async () => {
  await migrated();
  token = (await newPool()).token;
});

const post = (body: unknown, headers: Record<string, string> = {}) =>
  call('/v1/tasks', {method: 'POST', token, body, headers});

describe('what is refused', () => {
  test.for([
    {name: 'no JSON', body: '{"prompt":', detail: 'not JSON'},
    {name: 'no UTF-8', body: Uint8Array.from([0x22, 0xff, 0x22]), detail: 'not JSON'},
    {name: 'no body', body: undefined, detail: 'body'},
    {name: 'a missing field', body: {}, detail: 'body.prompt'},
    {
      name: 'a field of another type',
      body: {prompt: 7},
      detail: 'body.prompt: Invalid input: expected string, received number (got number)',
    },
    {name: 'an unknown field', body: {prompt: 'x', promt: 'y'}, detail: 'promt'},
    {name: 'an unknown field inside', body: {prompt: 'x', agent: {typ: 'coding'}}, detail: 'body.agent'},
    {name: 'a value out of its range', body: {prompt: 'x', priority: 9}, detail: 'body.priority'},
  ])('[HT1] a body with $name is refused by the name of the field', async ({body, detail}) => {
    const refused = await problem(await post(body));
    expect(refused).toMatchObject({status: 400, code: 'invalid_request'});
    expect(refused.detail).toContain(detail);
  });

  test('[HT2] a refusal never repeats the value that was sent', async () => {
    const refused = await post({prompt: 'x', metadata: {key: 5}, priority: 'canary-5d1f'});
    expect(await refused.text()).not.toContain('canary-5d1f');
  });

  test('[HT3] a body of another type than JSON is refused', async () => {
    const refused = await post('prompt=x', {'content-type': 'application/x-www-form-urlencoded'});
    expect(await problem(refused)).toMatchObject({status: 415, code: 'unsupported_media_type'});
    expect((await post('{"prompt":"x"}', {'content-type': 'application/json; charset=utf-8'})).status).toBe(201);
  });

  test('[HT4] a body over its limit is refused while it is read, whatever length it claims', async () => {
    const parts = new ReadableStream<Uint8Array>({
      pull: controller => controller.enqueue(new Uint8Array(65_536).fill(32)),
    });
    expect(await problem(await post(parts))).toMatchObject({status: 413, code: 'body_too_large'});
    const long = JSON.stringify({prompt: 'x'.repeat(limits.bodyBytesMax)});
    expect(await problem(await post(long))).toMatchObject({status: 413, code: 'body_too_large'});
    const liesAboutItself = await post(long, {'content-length': '5'});
    expect(await problem(liesAboutItself)).toMatchObject({status: 413, code: 'body_too_large'});
  });

  test.for([
    {path: '/v1/nothing', status: 404, code: 'not_found'},
    {path: '/v1/tasks/', status: 404, code: 'not_found'},
    {path: '/%00', status: 404, code: 'not_found'},
    {path: '/v1/tasks/tsk_nonsense', status: 400, code: 'invalid_request'},
    {path: '/v1/tasks?limit=0', status: 400, code: 'invalid_request'},
    {path: '/v1/tasks?limt=5', status: 400, code: 'invalid_request'},
    {path: '/v1/tasks/tsk_01k00000000000000000000000', status: 404, code: 'not_found'},
  ])('[HT5] $path is answered with $status', async ({path, status, code}) => {
    expect(await problem(await call(path, {token}))).toMatchObject({status, code});
  });

  test.for([
    {method: 'DELETE', path: '/v1/tasks', allow: 'GET, HEAD, POST'},
    {method: 'PUT', path: '/v1/tasks/batch', allow: 'GET, HEAD, POST'},
    {method: 'OPTIONS', path: '/v1/pool', allow: 'GET, HEAD, PATCH'},
  ])('[HT6] $method $path is answered with the methods that there are', async ({method, path, allow}) => {
    const refused = await call(path, {method, token});
    expect(refused.headers.get('allow')).toBe(allow);
    expect(await problem(refused)).toMatchObject({status: 405, code: 'method_not_allowed'});
  });
});

describe('every answer', () => {
  test('[HT7] opens nothing to other origins, is not stored, and names its request', async () => {
    const {headers} = await call('/v1/pool', {
      token,
      headers: {origin: 'https://elsewhere.test', 'x-request-id': 'mine-12345'},
    });
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('strict-transport-security')).toContain('max-age');
    expect(headers.get('x-request-id')).toBe('mine-12345');
    const other = await call('/v1/pool', {token, headers: {'x-request-id': 'a b\u00e9'}});
    expect(other.headers.get('x-request-id')).toMatch(/^[0-9a-f]{24}$/);
  });

  test('[HT8] health tries each part and needs no credential', async () => {
    const health = await json<{status: string; checks: Record<string, {ok: boolean}>}>(await call('/v1/health'), 200);
    expect(health.status).toBe('ok');
    expect(Object.entries(health.checks).map(([name, {ok}]) => [name, ok])).toEqual([
      ['configuration', true],
      ['directory', true],
      ['fleet', true],
    ]);
  });
});

describe('tasks', () => {
  test('[HT9] a task is queued, read, listed and cancelled; one that ended otherwise cannot be cancelled', async () => {
    const created = await newTask(token, {title: 'the title'});
    expect(created).toMatchObject({state: 'queued', title: 'the title', epoch: 0});
    const read = await json<{id: string; position: number}>(await call(`/v1/tasks/${created.id}`, {token}), 200);
    expect(read).toMatchObject({id: created.id});
    const page = await json<{tasks: {id: string}[]}>(await call('/v1/tasks?state=queued&limit=1', {token}), 200);
    expect(page.tasks.map(({id}) => id)).toEqual([created.id]);
    const cancel = () => call(`/v1/tasks/${created.id}/cancel`, {method: 'POST', token});
    expect(await json(await cancel(), 200)).toMatchObject({state: 'cancelled'});
    expect(await json(await cancel(), 200)).toMatchObject({state: 'cancelled'});
    const failed = await newTask(token, {depends_on: [created.id]});
    expect(failed.state).toBe('failed');
    const late = await call(`/v1/tasks/${failed.id}/cancel`, {method: 'POST', token});
    expect(await problem(late)).toMatchObject({status: 409, code: 'already_finished'});
    const again = await json<{retried_from: string}>(
      await call(`/v1/tasks/${created.id}/retry`, {method: 'POST', token}),
      201,
    );
    expect(again.retried_from).toBe(created.id);
    const events = await json<{events: {kind: string}[]}>(await call(`/v1/tasks/${created.id}/events`, {token}), 200);
    expect(events.events.length).toBeGreaterThan(1);
  });

  test('[HT10] the same idempotency key answers with the first task; with another body it is refused', async () => {
    const submit = (prompt: string) => post({prompt}, {'idempotency-key': 'key-1'});
    const first = await json<{id: string}>(await submit('one'), 201);
    expect(await json<{id: string}>(await submit('one'), 200)).toMatchObject({id: first.id});
    expect(await problem(await submit('two'))).toMatchObject({status: 409, code: 'idempotency_conflict'});
    const other = await newToken(token, 'write');
    const elsewhere = await call('/v1/tasks', {
      method: 'POST',
      token: other,
      body: {prompt: 'two'},
      headers: {'idempotency-key': 'key-1'},
    });
    expect(elsewhere.status).toBe(201);
    expect(await problem(await post({prompt: 'x'}, {'idempotency-key': 'a'.repeat(201)}))).toMatchObject({status: 400});
  });

  test('[HT11] many tasks are queued by one request, all or none', async () => {
    const batch = (tasks: object[]) => call('/v1/tasks/batch', {method: 'POST', token, body: {tasks}});
    const {ids} = await json<{ids: string[]}>(await batch([{prompt: 'a'}, {prompt: 'b'}]), 201);
    expect(ids).toHaveLength(2);
    const missing = 'tsk_01k00000000000000000000000';
    expect((await batch([{prompt: 'c'}, {prompt: 'd', depends_on: [missing]}])).status).toBe(400);
    const {tasks} = await json<{tasks: {title: string}[]}>(await call('/v1/tasks', {token}), 200);
    expect(tasks.map(({title}) => title)).not.toContain('c');
  });

  test.for([
    {body: '{"prompt":"x","metadata":{"__proto__":"y"}}', detail: 'body.metadata: the key __proto__ is not taken'},
    {
      body: '{"prompt":"x","metadata":{"\\u005f_proto__":"y"}}',
      detail: 'body.metadata: the key __proto__ is not taken',
    },
    {body: '{"prompt":"x","__proto__":{"title":"y"}}', detail: 'body: the key __proto__ is not taken'},
    {
      body: `{"prompt":"__proto__","metadata":${'['.repeat(9_000)}${']'.repeat(9_000)}}`,
      detail: 'the body nests deeper',
    },
  ])('[HT27] a body that names __proto__ is refused and not read without it: $detail', async ({body, detail}) => {
    const refused = await problem(await call('/v1/tasks', {method: 'POST', token, body}));
    expect(refused).toMatchObject({status: 400, code: 'invalid_request', detail: expect.stringContaining(detail)});
    const text = {prompt: 'explain __proto__ and \u005f_proto__', metadata: {note: '__proto__'}};
    expect((await call('/v1/tasks', {method: 'POST', token, body: text})).status).toBe(201);
  });

  test('[HT12] without a free runner a task that may not wait is refused with the time to come back', async () => {
    const refused = await call('/v1/tasks?queue=false', {method: 'POST', token, body: {prompt: 'x'}});
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await problem(refused)).toMatchObject({status: 503, code: 'capacity_reached'});
  });

  test('[HT13] the pool shows its counts and queues and takes its settings', async () => {
    const {token: own, pool} = await newPool();
    await newTask(own);
    const urgent = await newTask(own, {priority: 'high'});
    expect(await json(await call('/v1/queues', {token: own}), 200)).toMatchObject({
      queues: [
        {topic: `queue:${pool}:high`, waiting: 1, next: urgent.id, next_queued_ms: urgent.queued_ms},
        {topic: `queue:${pool}:normal`, waiting: 1},
      ],
    });
    expect((await call('/v1/queues')).status).toBe(401);
    expect(await json(await call('/v1/pool', {token: own}), 200)).toMatchObject({
      counts: {queued: 2},
      settings: {paused: false},
    });
    const changed = await call('/v1/pool', {method: 'PATCH', token: own, body: {paused: true}});
    expect(await json(changed, 200)).toMatchObject({settings: {paused: true}});
  });
});

describe('the pages', () => {
  test.for([{path: '/'}, {path: '/reference.html'}])(
    '[HT25] $path is served under a policy of this origin alone',
    async ({path}) => {
      const page = await call(path, {headers: {accept: 'text/html'}});
      expect(page.status).toBe(200);
      expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
      expect(page.headers.get('content-security-policy')).not.toContain('unsafe');
      expect(await page.text()).toContain('Switchyard');
    },
  );
});
