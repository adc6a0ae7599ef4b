import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {afterEach, expect, test} from 'vitest';
import {apiClient, type ApiClient, type Surroundings} from '@switchyard/shared/api/client.ts';
import type {LogItem} from '@switchyard/shared/api/log-follow.ts';
import {getHealth, getPool} from '@switchyard/shared/api/pool-contracts.ts';
import {cancelTask, createTask, listTasks} from '@switchyard/shared/api/task-contracts.ts';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';

type Handler = (request: IncomingMessage & {body: string}, response: ServerResponse, call: number) => void;

const task = taskIdSchema.parse(`tsk_${'0'.repeat(26)}`);
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A real server on loopback whose answers a test states. */
async function serve(handler: Handler): Promise<string> {
  let calls = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', part => (body += part));
    request.on('end', () => handler(Object.assign(request, {body}), response, (calls += 1)));
  });
  servers.push(server);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const json = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(status, {'content-type': 'application/json', ...headers}).end(JSON.stringify(body));
};
const problem = (code: string, status: number, detail: string) => ({
  type: 'about:blank',
  title: code,
  status,
  code,
  detail,
  hint: '',
  retry: false,
});
const noWait: Partial<Surroundings> = {random: () => 0, wait: async (_, signal) => signal?.throwIfAborted()};

test('[CT4] a call fills path and query, sends its token and answers what the contract states', async () => {
  const seen: unknown[] = [];
  const url = await serve((request, response) => {
    seen.push([request.method, request.url, request.headers.authorization, request.body]);
    json(response, 200, {tasks: [], next: null});
  });
  const client = apiClient({url: `${url}/behind/`, token: 'swy_x'});
  expect(await client.call(listTasks, {query: {limit: 5, state: 'queued,leased'}})).toEqual({tasks: [], next: null});
  expect(seen).toEqual([['GET', '/behind/v1/tasks?limit=5&state=queued%2Cleased', 'Bearer swy_x', '']]);
});

test('[CT4] an answer beside the contract is an error, not data', async () => {
  const url = await serve((_, response) => json(response, 200, {tasks: 'many'}));
  await expect(apiClient({url}).call(listTasks, {})).rejects.toMatchObject({
    code: 'internal',
    detail: expect.stringContaining('tasks'),
  });
});

test('[CT5] a problem document becomes its own error, with the time to wait', async () => {
  const url = await serve((_, response) =>
    json(response, 429, problem('rate_limited', 429, 'slow down'), {'retry-after': '7'}),
  );
  await expect(apiClient({url}).call(getPool, {})).rejects.toMatchObject({
    code: 'rate_limited',
    detail: 'slow down',
    retryAfterMs: 7_000,
  });
});

test.for([
  [502, 'unavailable'],
  [401, 'unauthorized'],
  [404, 'not_found'],
  [418, 'internal'],
] as const)('[CT5] a proxy that answers %i in its own words means %s', async ([status, code]) => {
  const url = await serve((_, response) =>
    response.writeHead(status, {'content-type': 'text/html'}).end('<h1>no</h1>'),
  );
  await expect(apiClient({url}).call(getPool, {})).rejects.toMatchObject({
    code,
    detail: expect.stringContaining(String(status)),
  });
});

test('[CT5] a health report with status 503 is an answer, because its contract states it', async () => {
  const health = {status: 'degraded', version: '1', time_ms: 1, checks: {}};
  const url = await serve((_, response) => json(response, 503, health));
  expect(await apiClient({url}).call(getHealth, {})).toEqual(health);
});

test('[CT6] a connection that the server had closed is tried once more, where that cannot act twice', async () => {
  const keys: unknown[] = [];
  const url = await serve((request, response, call) => {
    keys.push(request.headers['idempotency-key']);
    if (call === 1) request.socket.destroy();
    else json(response, 400, problem('invalid_request', 400, 'second'));
  });
  await expect(apiClient({url}).call(createTask, {body: {prompt: 'x'}})).rejects.toMatchObject({detail: 'second'});
  expect(keys).toHaveLength(2);
  expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  expect(keys[1]).toBe(keys[0]);

  let cancels = 0;
  const other = await serve(request => {
    cancels += 1;
    request.socket.destroy();
  });
  await expect(apiClient({url: other}).call(cancelTask, {params: {task}})).rejects.toMatchObject({
    code: 'control_plane_unreachable',
  });
  expect(cancels).toBe(1);
});

test('[CT7] no answer in time is an error that names the URL and the time', async () => {
  const url = await serve(() => undefined);
  await expect(apiClient({url, timeoutMs: 100}).call(getPool, {})).rejects.toMatchObject({
    code: 'control_plane_unreachable',
    detail: `${url}: no answer within 0.1 s`,
  });
});

test('[CT7] a call that fetch itself refuses is an error that says why', async () => {
  const refused = {code: 'control_plane_unreachable', detail: 'http://127.0.0.1:1: bad port'};
  await expect(apiClient({url: 'http://127.0.0.1:1'}).call(getHealth, {})).rejects.toMatchObject(refused);
});

test('[CT7] the abort of the caller stays the abort of the caller', async () => {
  const url = await serve(() => undefined);
  await expect(apiClient({url}).call(getPool, {signal: AbortSignal.abort(new Error('mine'))})).rejects.toThrow('mine');
});

test.for(['', 'not a url', 'ftp://x', 'file:///etc/passwd'])('[CT7] the URL "%s" is refused at once', url => {
  expect(() => apiClient({url})).toThrow(expect.objectContaining({code: 'configuration_invalid'}));
});

const event = (from: number, text: string): string =>
  `event: log\nid: ${from + Buffer.byteLength(text)}\ndata: ${JSON.stringify({from, text})}\n\n`;
const ended = 'event: end\ndata: {"state":"succeeded","length":12}\n\n';

async function follow(client: ApiClient): Promise<{text: string; last: LogItem | undefined}> {
  const parts: Buffer[] = [];
  let last: LogItem | undefined;
  for await (const item of client.followLog(task)) {
    if (item.kind === 'bytes') parts.push(Buffer.from(item.bytes));
    last = item;
  }
  return {text: Buffer.concat(parts).toString(), last};
}

test('[CT8] a log goes on over lost connections from the last byte seen: none twice, none missing', async () => {
  const froms: unknown[] = [];
  const url = await serve((request, response, call) => {
    froms.push(request.headers['last-event-id']);
    response.writeHead(200, {'content-type': 'text/event-stream'});
    if (call === 1)
      response.write(`retry: 2000\n\n: heartbeat\n\n${event(0, 'hällo')}event: lo`, () => response.destroy());
    // A server may begin before what was asked for.
    else if (call === 2) response.end(`event: later\ndata: {}\n\n${event(0, 'hällo ')}${event(7, 'world')}`);
    else response.end(ended);
  });
  const client = apiClient({url, token: 'swy_x', surroundings: noWait});
  expect(await follow(client)).toEqual({text: 'hällo world', last: {kind: 'end', state: 'succeeded'}});
  expect(froms).toEqual(['0', '6', '12']);
});

test('[CT8] bytes that are not text come as they are', async () => {
  const bytes = Buffer.from([0xff, 0x00, 0xc3]);
  const data = JSON.stringify({from: 0, b64: bytes.toString('base64')});
  const url = await serve((_, response) => response.writeHead(200).end(`event: log\nid: 3\ndata: ${data}\n\n${ended}`));
  const items: LogItem[] = [];
  for await (const item of apiClient({url, surroundings: noWait}).followLog(task)) items.push(item);
  expect(items[0]).toEqual({kind: 'bytes', from: 0, to: 3, bytes: new Uint8Array(bytes)});
});

test('[CT9] a gap is never passed over in silence', async () => {
  const url = await serve((_, response) => response.writeHead(200).end(event(5, 'late')));
  await expect(follow(apiClient({url, surroundings: noWait}))).rejects.toMatchObject({code: 'log_incomplete'});
});

test('[CT9] what the server refuses for good ends the stream at once; an outage ends it after a bounded number of tries', async () => {
  let calls = 0;
  const refusing = await serve((_, response) => {
    calls += 1;
    json(response, 404, problem('not_found', 404, 'no such task'));
  });
  await expect(follow(apiClient({url: refusing, surroundings: noWait}))).rejects.toMatchObject({code: 'not_found'});
  expect(calls).toBe(1);
  let tries = 0;
  const failing = await serve((_, response) => {
    tries += 1;
    response.writeHead(502).end();
  });
  await expect(follow(apiClient({url: failing, surroundings: noWait}))).rejects.toMatchObject({code: 'unavailable'});
  expect(tries).toBe(13);
});
