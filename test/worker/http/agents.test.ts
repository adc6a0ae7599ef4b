import {evictDurableObject} from 'cloudflare:test';
import {env} from 'cloudflare:workers';
import {beforeAll, describe, expect, test, vi} from 'vitest';
import type {AgentLog, AgentLogRow} from '@switchyard/shared/api/agent-contracts.ts';
import {agentId, agentViewSchema, type AgentView} from '@switchyard/shared/api/agent-view.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {LOG_VIEW_SUBPROTOCOL} from '@switchyard/shared/protocol/log-view.ts';
import {logEventStream} from '../../../worker/src/routes/log-stream.ts';
import {fleetName} from '../../../worker/src/tasklog/task-log-rpc.ts';
import {openInbox} from '../socket-inbox.ts';
import {follow} from '../tasklog/log-world.ts';
import {call, json, migrated, newPool, newTask, newToken, problem} from './api-world.ts';
import {bytesOf, readEvents} from './event-reader.ts';
import {enrolled, runAttempt, type EnrolledRunner, type RunningAttempt} from './runner-world.ts';

let token = '';
let machine: EnrolledRunner;

beforeAll(async () => {
  await migrated();
  ({token} = await newPool());
  machine = await enrolled(token);
});

async function running(body: object = {}): Promise<RunningAttempt> {
  await newTask(token, body);
  return runAttempt(machine);
}

/** The id under which the attempt is known from its own facts. */
const idOf = ({task, epoch}: RunningAttempt, agentType = 'coding'): string => agentId({task, epoch, agentType}, 0);

const get = async <Body>(path: string, status = 200): Promise<Body> => json<Body>(await call(path, {token}), status);
type Listed = {agents: AgentView[]; next: string | null};
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const failure = {kind: 'failed', code: 'agent_failed', detail: 'exit code 2', retryable: true} as const;

describe('the agents of the older API', () => {
  test('[AV10] a running attempt is found by its id, in the columns of the older table, and keeps them when it ends', async () => {
    const attempt = await running({title: 'Review it', agent: {type: 'reviewer'}, metadata: {pr: '7'}});
    const id = idOf(attempt, 'reviewer');
    expect(id).toMatch(/^reviewer-[0-9a-f]{8}$/);
    const starting = await get<AgentView>(`/api/agents/${id}`);
    expect(agentViewSchema.parse(starting)).toEqual(starting);
    expect(starting).toMatchObject({
      id,
      task_id: attempt.task,
      container_id: null,
      status: 'starting',
      exit_code: null,
    });
    expect(starting).toMatchObject({agent_type: 'reviewer', completed_at: null, error: null});
    attempt.phase('running');
    await expect.poll(async () => get(`/api/agents/${id}`)).toMatchObject({status: 'running'});
    await attempt.end(failure, 2);
    const ended = await get<AgentView>(`/api/agents/${id}`);
    expect(ended).toMatchObject({id, status: 'failed', exit_code: 2, error: 'agent_failed: exit code 2'});
    expect(ended.started_at).toBe(starting.started_at);
    expect(Date.parse(ended.completed_at ?? '')).toBeGreaterThanOrEqual(Date.parse(ended.started_at ?? ''));
    expect(ended.metadata).toMatchObject({epoch: 1, title: 'Review it', code: 'agent_failed', task: {pr: '7'}});
    await call(`/v1/tasks/${attempt.task}/cancel`, {method: 'POST', token});
  });

  test('[AV10] an id that nobody was given is not found, whatever it looks like', async () => {
    for (const id of ['coding-00000000', 'nonsense', '%2e%2e%2fx'])
      expect(await problem(await call(`/api/agents/${id}`, {token}))).toMatchObject({status: 404, code: 'not_found'});
    expect((await call('/api/agents/coding-00000000/logs', {token})).status).toBe(404);
  });

  test('[AV11] agents are listed newest first by page, status, type and task, and live on without memory', async () => {
    const own = await newPool();
    const runner = await enrolled(own.token);
    const list = async (query: string): Promise<Listed> =>
      json<Listed>(await call(`/api/agents${query}`, {token: own.token}), 200);
    expect(await list('')).toEqual({agents: [], next: null});
    await newTask(own.token, {agent: {type: 'auditor'}});
    const first = await runAttempt(runner);
    await first.succeed();
    await newTask(own.token);
    const second = await runAttempt(runner);
    await second.end({kind: 'timed_out'});
    await newTask(own.token);
    const third = await runAttempt(runner);
    const whole = await list('');
    expect(whole.agents.map(({task_id, status}) => [task_id, status])).toEqual([
      [third.task, 'starting'],
      [second.task, 'timeout'],
      [first.task, 'completed'],
    ]);
    expect(whole.next).toBeNull();
    await evictDurableObject(env.FLEET.get(env.FLEET.idFromName(fleetName(own.pool))));
    const pages: AgentView[] = [];
    for (let query: string | null = '?limit=1'; query !== null;) {
      const page = await list(query);
      pages.push(...page.agents);
      query = page.next === null ? null : `?limit=1&cursor=${page.next}`;
    }
    expect(pages).toEqual(whole.agents);
    const found = async (query: string) => (await list(query)).agents.map(({task_id}) => task_id);
    expect(await found('?status=timeout')).toEqual([second.task]);
    expect(await found('?type=auditor')).toEqual([first.task]);
    expect(await found(`?task=${third.task}`)).toEqual([third.task]);
    expect(await found(`?task=${third.task}&status=completed`)).toEqual([]);
    const active = await json(await call('/api/agents/active', {token: own.token}), 200);
    expect(active).toEqual({agents: [whole.agents[0]?.id]});
    for (const query of ['?limit=101', '?status=leased', '?type=pilot', '?cursor=1', '?task=x', '?order=asc'])
      expect(await problem(await call(`/api/agents${query}`, {token: own.token}))).toMatchObject({status: 400});
  });

  test('[AV12] every read needs a token, and sees its own pool alone', async () => {
    const attempt = await running();
    const id = idOf(attempt);
    const paths = ['/api/agents', '/api/agents/active', `/api/agents/${id}`, `/api/agents/${id}/logs`, '/api/health'];
    const reader = await newToken(token, 'read');
    const stranger = (await newPool()).token;
    for (const path of paths) {
      expect((await call(path)).status, path).toBe(401);
      expect((await call(path, {token: reader})).status, path).toBe(200);
    }
    for (const path of paths.slice(2, 4)) expect((await call(path, {token: stranger})).status, path).toBe(404);
    expect(await json(await call('/api/agents', {token: stranger}), 200)).toEqual({agents: [], next: null});
    await attempt.succeed();
  });

  test('[AV13] health tries each part, and needs a token that stands', async () => {
    const health = await get<{status: string; checks: Record<string, {ok: boolean}>}>('/api/health');
    expect(health).toMatchObject({status: 'ok', checks: {directory: {ok: true}, fleet: {ok: true}}});
    const made = await call('/v1/credentials', {
      method: 'POST',
      token,
      body: {kind: 'token', name: 'x', scope: 'read'},
    });
    const {id, credential} = await json<{id: string; credential: string}>(made, 201);
    expect((await call('/api/health', {token: credential})).status).toBe(200);
    await call(`/v1/credentials/${id}`, {method: 'DELETE', token});
    expect((await call('/api/health', {token: credential})).status).toBe(401);
  });
});

describe('the log of an agent', () => {
  test('[AV14] is read as text from where the reader was, and says when it is complete', async () => {
    const attempt = await running();
    const path = `/api/agents/${idOf(attempt)}/logs`;
    expect(await get<AgentLog>(path)).toEqual({logs: '', from: 0, to: 0, length: 0, complete: false});
    await attempt.write(utf8('one two '));
    await attempt.write(utf8('\u20ac').subarray(0, 2));
    expect(await get(`${path}?after=4`)).toEqual({logs: 'two ', from: 4, to: 8, length: 10, complete: false});
    await attempt.write(utf8('\u20ac').subarray(2));
    await attempt.succeed();
    expect(await get(`${path}?after=8`)).toEqual({logs: '\u20ac', from: 8, to: 11, length: 11, complete: true});
    expect(await get(path)).toMatchObject({logs: 'one two \u20ac', complete: true});
    expect((await call(`${path}?after=-1`, {token})).status).toBe(400);
  });

  test('[AV15] is read as rows that cut no character, with their time, and honest about their stream', async () => {
    const before = Date.now();
    const attempt = await running();
    const id = idOf(attempt);
    const rows = async (query = ''): Promise<AgentLog & {logs: AgentLogRow[]}> =>
      get(`/api/agents/${id}/logs?format=rows${query}`);
    await attempt.write(utf8('first\n'));
    await attempt.write(Uint8Array.from([...utf8('second '), 0xe2, 0x82]));
    const early = await rows();
    expect(early.logs.map(({content}) => content)).toEqual(['first\n', 'second ']);
    expect(early).toMatchObject({to: 13, length: 15, complete: false});
    await attempt.write(Uint8Array.from([0xac, 0x0a]));
    await attempt.write(Uint8Array.from([0xf0, 0x9f]));
    expect((await rows('&after=13')).logs.map(({id: at, content}) => [at, content])).toEqual([[17, '\u20ac\n']]);
    await attempt.succeed();
    const {logs, ...rest} = await rows();
    expect(rest).toEqual({from: 0, to: 19, length: 19, complete: true});
    expect(logs.map(({content}) => content)).toEqual(['first\n', 'second ', '\u20ac\n', '\ufffd']);
    expect(logs.map(({id: at}) => at)).toEqual([6, 13, 17, 19]);
    for (const row of logs) {
      expect(row).toMatchObject({agent_id: id, stream: 'combined'});
      expect(Date.parse(row.timestamp ?? '')).toBeGreaterThanOrEqual(before);
    }
  });

  const events = async (id: string, headers: Record<string, string> = {}, query = ''): Promise<Response> =>
    call(`/api/agents/${id}/logs${query}`, {token, headers: {accept: 'text/event-stream', ...headers}});

  test('[AV16] is followed live from any offset, and ends with the status of that attempt although its task goes on', async () => {
    const attempt = await running({attempts_max: 2});
    const id = idOf(attempt);
    await attempt.write(utf8('first line\n'));
    const early = await readEvents(await events(id), ({id: at}) => at === '11');
    expect(early).toEqual([{event: 'log', id: '11', data: {from: 0, text: 'first line\n'}}]);
    const [resumed, after] = [await events(id, {'last-event-id': '6'}), await events(id, {}, '?after=8')];
    await attempt.write(utf8('second\n'));
    await attempt.end(failure, 2);
    const [rest, short] = await Promise.all(
      [resumed, after].map(async response => readEvents(response, ({event}) => event === 'end')),
    );
    expect(text(bytesOf(rest ?? []))).toBe('line\nsecond\n');
    expect(text(bytesOf(short ?? []))).toBe('ne\nsecond\n');
    expect(rest?.at(-1)).toEqual({event: 'end', id: undefined, data: {status: 'failed'}});
    expect(rest?.at(-2)?.id).toBe('18');
    expect(await get<TaskView>(`/v1/tasks/${attempt.task}`)).toMatchObject({state: 'pending'});
    const late = await readEvents(await events(id, {'last-event-id': '16'}), ({event}) => event === 'end');
    expect(late).toEqual([
      {event: 'log', id: '18', data: {from: 16, text: 'd\n'}},
      {event: 'end', id: undefined, data: {status: 'failed'}},
    ]);
    await call(`/v1/tasks/${attempt.task}/cancel`, {method: 'POST', token});
    const again = await readEvents(await events(id), ({event}) => event === 'end');
    expect(again.at(-1)?.data).toEqual({status: 'failed'});
  });

  test('[AV16] ends with completed when the attempt has succeeded, for those who watch and those who come later', async () => {
    const attempt = await running();
    const id = idOf(attempt);
    const watching = await events(id);
    await attempt.write(utf8('all'));
    await attempt.succeed();
    for (const response of [watching, await events(id)]) {
      const seen = await readEvents(response, ({event}) => event === 'end');
      expect(text(bytesOf(seen))).toBe('all');
      expect(seen.at(-1)?.data).toEqual({status: 'completed'});
    }
  });

  test('[AV17] one attempt of a task is followed live, as events and by WebSocket, with its own offsets', async () => {
    const attempt = await running({attempts_max: 1});
    const {task} = attempt;
    await attempt.write(utf8('hello '));
    const path = `/v1/tasks/${task}/log`;
    const live = await call(`${path}?epoch=1&from=2`, {token, headers: {accept: 'text/event-stream'}});
    const viewer = openInbox(
      await call(`${path}/live?epoch=1&from=1`, {
        headers: {upgrade: 'websocket', 'sec-websocket-protocol': `${LOG_VIEW_SUBPROTOCOL}, bearer.${token}`},
      }),
    );
    expect(await viewer.json()).toEqual({t: 'state', length: 6});
    await attempt.write(utf8('world'));
    expect(text(await follow(viewer, 1, 11))).toBe('ello world');
    viewer.socket.send('{"t":"rewind","request":"r1"}');
    expect(await viewer.json()).toMatchObject({t: 'error', code: 'unknown_type', request: 'r1'});
    await attempt.end(failure, 2);
    expect(await viewer.json()).toEqual({t: 'end', state: 'failed', length: 11});
    const seen = await readEvents(live, ({event}) => event === 'end');
    expect(text(bytesOf(seen))).toBe('llo world');
    expect(seen.at(-1)?.data).toEqual({state: 'failed', length: 11});
    for (const form of [{accept: 'text/event-stream'}, {accept: 'application/json'}])
      expect((await call(`${path}?epoch=2`, {token, headers: form})).status).toBe(404);
    expect((await call(`${path}/live?epoch=2`, {token, headers: {upgrade: 'websocket'}})).status).toBe(404);
  });

  test('[AV18] a live stream carries a comment every fifteen seconds', async () => {
    vi.useFakeTimers({toFake: ['setInterval', 'clearInterval']});
    try {
      const {0: client, 1: server} = new WebSocketPair();
      server.accept();
      const reader = logEventStream(client, {from: 0, endData: () => ({})}).getReader();
      const next = async (): Promise<string> => text((await reader.read()).value ?? new Uint8Array());
      expect(await next()).toMatch(/^retry: /);
      const waiting = next();
      vi.advanceTimersByTime(limits.heartbeatMs - 1);
      expect(vi.getTimerCount()).toBe(1);
      vi.advanceTimersByTime(1);
      expect(await waiting).toMatch(/^: .*\n\n$/);
      await reader.cancel();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
