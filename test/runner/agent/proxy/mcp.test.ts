import {expect, onTestFinished, test} from 'vitest';
import type {Answer, Ask} from '../../../../runner/src/agent/driver.ts';
import {grantToken} from '../../../../runner/src/agent/proxy/grant.ts';
import {McpCalls} from '../../../../runner/src/agent/proxy/mcp-calls.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {execDriver} from '../../../../runner/src/agent/exec-driver.ts';
import {driverInput} from '../../../unit/agent/driver-input.ts';
import {until} from '../../../fixtures/until.ts';
import {grant, place, secret, type Place} from './proxy-place.ts';

const noted: Answer = {kind: 'result', text: 'noted', isError: false};
const token = grantToken(secret, grant, 'tools');

/** A proxy whose tools are answered by the test; what was asked is kept. */
async function tools(decide: (ask: Ask) => Promise<Answer> = async () => noted): Promise<{at: Place; asked: Ask[]}> {
  const at = await place();
  const asked: Ask[] = [];
  const end = at.calls.offer(grant, async ask => {
    asked.push(ask);
    return decide(ask);
  });
  onTestFinished(end);
  return {at, asked};
}

type Sent = {path?: string; bearer?: string; method?: string; headers?: Record<string, string>};

async function send(
  {proxy}: Place,
  body: unknown,
  {path = '/mcp', bearer = token, method = 'POST', headers}: Sent = {},
) {
  const answer = await fetch(`http://127.0.0.1:${proxy.port}${path}`, {
    method,
    headers: {authorization: `Bearer ${bearer}`, 'content-type': 'application/json', ...headers},
    ...(method === 'GET' ? {} : {body: typeof body === 'string' ? body : JSON.stringify(body)}),
  });
  const text = await answer.text();
  return {status: answer.status, json: text === '' ? null : (JSON.parse(text) as unknown)};
}

const rpc = (method: string, params?: object, id: number | undefined = 7) => ({jsonrpc: '2.0', id, method, params});
const callOf = (name: string, input: object, id = 7) => rpc('tools/call', {name, arguments: input}, id);

test('[AT10] initialize, ping, the list of tools and a call are answered under the id of the client', async () => {
  const {at, asked} = await tools();
  expect(await send(at, rpc('initialize', {protocolVersion: '2025-06-18'}))).toMatchObject({
    status: 200,
    json: {id: 7, result: {protocolVersion: '2025-06-18', serverInfo: {name: 'switchyard'}, capabilities: {tools: {}}}},
  });
  expect(await send(at, rpc('ping'))).toMatchObject({json: {id: 7, result: {}}});
  expect(await send(at, rpc('tools/list'))).toMatchObject({
    json: {result: {tools: expect.arrayContaining([expect.objectContaining({name: 'emit_event'})])}},
  });
  expect(await send(at, callOf('report_progress', {text: 'half'}))).toEqual({
    status: 200,
    json: {jsonrpc: '2.0', id: 7, result: {content: [{type: 'text', text: 'noted'}], isError: false}},
  });
  expect(asked).toMatchObject([{kind: 'tool', tool: 'report_progress', input: {text: 'half'}}]);
});

test.for([
  {what: 'a notification', body: {jsonrpc: '2.0', method: 'notifications/initialized'}, status: 202},
  {what: 'an answer', body: {jsonrpc: '2.0', id: 1, result: {}}, status: 202},
  {what: 'another method', body: rpc('resources/list'), status: 200, json: {error: {code: -32_601}}},
  {what: 'no JSON', body: '{', status: 400},
  {what: 'a batch', body: [rpc('ping')], status: 400, json: {error: {code: -32_600}}},
  {what: 'a stream of the server', body: '', method: 'GET', status: 405},
])('[AT10] $what is answered with $status', async ({body, status, method = 'POST', json}) => {
  const {at, asked} = await tools();
  expect(await send(at, body, {method})).toMatchObject(json === undefined ? {status} : {status, json});
  expect(asked).toEqual([]);
});

test('[AT11] only the token for the tools calls them, while the attempt holds its lease, and it opens no model', async () => {
  const {at, asked} = await tools();
  const call = callOf('report_progress', {text: 'x'});
  for (const bearer of ['nonsense', grantToken(secret, grant), grantToken(new Uint8Array(32), grant, 'tools')])
    expect((await send(at, call, {bearer})).status).toBe(403);
  expect((await send(at, call, {headers: {origin: 'http://evil.test'}})).status).toBe(403);
  expect((await send(at, {}, {path: '/anthropic/v1/messages'})).status).toBe(403);
  expect(at.api.requests).toEqual([]);
  at.live = false;
  expect((await send(at, call)).status).toBe(403);
  expect(asked).toEqual([]);
  at.live = true;
  expect((await send(at, call)).status).toBe(200);
});

test('[AT12] the same call again waits for the same answer, and counts once', async () => {
  const answer = Promise.withResolvers<Answer>();
  const {at, asked} = await tools(async () => answer.promise);
  const [first, second] = [
    send(at, callOf('ask_person', {question: 'Why?'}, 1)),
    send(at, callOf('ask_person', {question: 'Why?'}, 2)),
  ];
  await until('the call is asked', () => asked.length > 0);
  answer.resolve({...noted, text: 'Because.'});
  for (const each of [await first, await second, await send(at, callOf('ask_person', {question: 'Why?'}, 3))])
    expect(each).toMatchObject({json: {result: {content: [{text: 'Because.'}]}}});
  expect(asked).toHaveLength(1);
  await send(at, callOf('ask_person', {question: 'And now?'}));
  expect(asked).toHaveLength(2);
});

test('[AT12] a call without an answer in time says so, and one that went wrong may be made again', async () => {
  const calls = new McpCalls(1);
  const answer = Promise.withResolvers<Answer>();
  const asked: Ask[] = [];
  calls.offer(grant, async ask => {
    asked.push(ask);
    return ask.kind === 'tool' && ask.tool === 'ask_person'
      ? answer.promise
      : {kind: 'result', text: 'no', isError: true};
  });
  const wait = async () => calls.call(grant, 'ask_person', {question: 'Why?'});
  expect(await wait()).toMatchObject({isError: true, text: expect.stringContaining('same call again')});
  answer.resolve(noted);
  await answer.promise;
  expect(await wait()).toMatchObject({text: 'noted', isError: false});
  await calls.call(grant, 'emit_event', {});
  await calls.call(grant, 'emit_event', {});
  expect(asked.map(({kind}) => kind)).toEqual(['tool', 'tool', 'tool']);
});

test('[AT12] a runner that has just started over asks for the same call again', async () => {
  const at = await place();
  expect(await send(at, callOf('ask_person', {question: 'Why?'}))).toMatchObject({
    json: {result: {isError: true, content: [{text: expect.stringContaining('same call again')}]}},
  });
});

test('[AT13] one event a request, refused with the reason', async () => {
  const {at, asked} = await tools(async ask =>
    JSON.stringify(ask).includes('pr.approved') ? {kind: 'result', text: 'not yours', isError: true} : noted,
  );
  const event = {event: 'pr.updated', data: {summary: 'x'}};
  expect(await send(at, event, {path: '/emit'})).toEqual({status: 200, json: {text: 'noted'}});
  expect(await send(at, event, {path: '/emit'})).toEqual({status: 200, json: {text: 'noted'}});
  expect(asked).toMatchObject([{kind: 'tool', tool: 'emit_event', input: event}]);
  expect(await send(at, {event: 'pr.approved'}, {path: '/emit'})).toEqual({status: 422, json: {error: 'not yours'}});
});

test('[AT14] a command is told where the tools are in its environment alone', () => {
  const spec = taskSpecSchema.parse({prompt: 'x', agent: {driver: 'exec', command: ['agent']}});
  const {argv, env} = execDriver('text').plan(driverInput(spec));
  expect(env).toMatchObject({SWITCHYARD_EMIT_URL: 'http://t/emit', SWITCHYARD_TOOL_TOKEN: 'tools-tok'});
  expect(argv).toEqual(['agent']);
});

test('[AT15] a proxy that closes waits for no call', async () => {
  const {at, asked} = await tools(async () => Promise.withResolvers<Answer>().promise);
  const cut = send(at, callOf('ask_person', {question: 'Why?'})).then(
    () => 'answered',
    () => 'cut',
  );
  await until('the call is asked', () => asked.length > 0);
  await at.proxy.close();
  expect(await cut).toBe('cut');
});
