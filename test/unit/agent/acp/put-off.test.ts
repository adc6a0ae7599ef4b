import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {acpDriver} from '../../../../runner/src/agent/acp/acp-driver.ts';
import {acpInitial, type AcpState} from '../../../../runner/src/agent/acp/acp-fold.ts';
import type {Ask, DriverInput, Talk} from '../../../../runner/src/agent/driver.ts';
import {withWaitedCall} from '../../../../runner/src/attempt/waited-call.ts';
import {driverInput, silence} from '../driver-input.ts';

const driver = acpDriver('opencode');
const spec = taskSpecSchema.parse({prompt: 'do it', agent: {driver: 'opencode'}});
const model = {token: 'tok', urls: {anthropic: 'http://a', openai: 'http://o/v1', google: 'http://g'}};
const input = driverInput(spec, {model, program: '/bin/opencode'});
const resumed = {...input, isResumed: true, session: 'ses'};

const initialized = {id: 1, result: {agentInfo: {name: 'x'}, agentCapabilities: {loadSession: true}}};
const unable = {id: 1, result: {agentInfo: {name: 'x'}}};
const opened = {id: 2, result: {sessionId: 'ses'}};
const loaded = {id: 'load:ses', result: {}};
const update = (sessionUpdate: string, more: object) => ({
  method: 'session/update',
  params: {sessionId: 'ses', update: {sessionUpdate, ...more}},
});
const options = [
  {optionId: 'once', kind: 'allow_once', name: 'a'},
  {optionId: 'no', kind: 'reject_once', name: 'b'},
];
const asks = (id: number, command: string) => ({
  id,
  method: 'session/request_permission',
  params: {sessionId: 'ses', options, toolCall: {toolCallId: `t${id}`, kind: 'execute', rawInput: {command}}},
});
const cancelled = {id: 3, result: {stopReason: 'cancelled'}};

function fold(lines: readonly object[]): {state: AcpState; kinds: string[]} {
  const kinds: string[] = [];
  let state = acpInitial;
  for (const each of lines) {
    const decoded = driver.decode(state, JSON.stringify({jsonrpc: '2.0', ...each}));
    state = decoded.state;
    kinds.push(...decoded.events.map(({kind}) => kind));
  }
  return {state, kinds};
}
const sent = (...ids: readonly string[]): Talk => ({waiting: [], hasSent: id => ids.includes(id)});
const due = (lines: readonly object[], from: DriverInput = resumed, talk: Talk = silence) =>
  driver.due(fold(lines).state, from, talk).map(({text}) => JSON.parse(text) as {method: string; params: object});

test('[CP15] an agent that can load its sessions is put off by interrupting its turn, and has waited', () => {
  const lines = [initialized, opened, asks(7, 'a'), asks(8, 'b')];
  const {state} = fold(lines);
  const [ask] = driver.asks(state);
  if (ask?.kind !== 'permission') throw new Error('no question');
  expect(ask.canDefer).toBe(true);
  const line = driver.answer(state, ask, {kind: 'defer', reason: ''});
  expect(line).toMatchObject({repeat: 'once'});
  const said = line?.text
    .trim()
    .split('\n')
    .map(text => JSON.parse(text) as object);
  expect(said).toMatchObject([
    {method: 'session/cancel', params: {sessionId: 'ses'}},
    {id: 7, result: {outcome: {outcome: 'cancelled'}}},
    {id: 8, result: {outcome: {outcome: 'cancelled'}}},
  ]);
  const talk = sent('session/prompt', line?.id ?? '');
  expect(driver.isPutOff(state, talk.hasSent)).toBe(false);
  // The agent says of the call that it failed before it ends its turn.
  const over = [...lines, update('tool_call_update', {toolCallId: 't7', status: 'failed'}), cancelled];
  const {state: end} = fold(over);
  expect(driver.isPutOff(end, talk.hasSent)).toBe(true);
  expect(driver.isPutOff(end, silence.hasSent)).toBe(false);
  const waiting = {...talk, waiting: [{id: 'm1', text: 'hello'}]};
  expect(driver.due(end, input, waiting)).toEqual([]);
  expect(driver.read(end, {exitCode: null, signal: 'SIGTERM'}, talk.hasSent)).toMatchObject({
    deferred: 't7',
    failure: null,
    putOff: {session: 'ses', tool: 'Bash', input: {command: 'a'}},
  });
});

test('[CP15] an agent is put off in a later turn as in the first', () => {
  const later = [initialized, opened, {id: 3, result: {stopReason: 'end_turn'}}, asks(7, 'a')];
  const talk = sent('session/prompt', 'go-on-1', 'put-off-permission-7');
  expect(driver.isPutOff(fold(later).state, talk.hasSent)).toBe(false);
  const over = fold([...later, {id: 101, result: {stopReason: 'cancelled'}}]).state;
  expect(driver.isPutOff(over, talk.hasSent)).toBe(true);
});

test('[CP15] one that cannot load them is not put off, nor is a question of our own tools', () => {
  const [ask] = driver.asks(fold([unable, opened, asks(7, 'a')]).state);
  expect(ask).toMatchObject({canDefer: false});
  const toolCallId = 'mcp_switchyard_ask_person__1';
  const params = {options, toolCall: {toolCallId, title: 'ask_person (switchyard MCP Server)'}};
  const own = {id: 9, method: 'session/request_permission', params};
  expect(driver.asks(fold([initialized, opened, own]).state)[0]).toMatchObject({canDefer: false});
});

test('[CP16] an agent that was put off goes on in its session, and is told to make the call again', () => {
  expect(due([initialized])).toMatchObject([{id: 'load:ses', method: 'session/load', params: {sessionId: 'ses'}}]);
  const [prompt] = due([initialized, loaded]);
  expect(prompt).toMatchObject({method: 'session/prompt', params: {sessionId: 'ses'}});
  expect(JSON.stringify(prompt)).toContain('make exactly the same call again'.replace('make', 'Make'));
  expect(JSON.stringify(prompt)).not.toContain('do it');
});

test.for([
  {why: 'cannot load', lines: [unable, opened], from: resumed},
  {why: 'could not', lines: [initialized, {id: 'load:ses', error: {code: 1, message: 'gone'}}, opened], from: resumed},
  {why: 'was not told its session', lines: [initialized, opened], from: {...resumed, session: null}},
])('[CP16] one that $why begins anew, and is told that it was interrupted', ({lines, from}) => {
  expect(due(lines.slice(0, -1), from)).toMatchObject([{method: 'session/new'}]);
  const text = JSON.stringify(due(lines, from));
  expect(text).toContain('do it');
  expect(text).toContain('You were interrupted in the middle of the task');
  expect(JSON.stringify(due(lines, input))).not.toContain('interrupted');
});

test('[CP17] what an agent tells of its session while it loads it counts for nothing', () => {
  const said = update('agent_message_chunk', {content: {type: 'text', text: 'before'}});
  const called = update('tool_call', {toolCallId: 't1', kind: 'execute', title: 'ls'});
  const {state, kinds} = fold([initialized, said, called, loaded]);
  expect(kinds).toEqual(['session_started']);
  expect(state).toMatchObject({session: 'ses', text: '', shown: {}});
  // gemini goes on with that after its answer.
  const late = fold([initialized, loaded, said, update('user_message_chunk', {content: {type: 'text', text: 'x'}})]);
  expect(late.state.text).toBe('');
});

test('[CP18] the first call like the one that waited is decided under its name, and a second one is its own', async () => {
  const runDir = mkdtempSync(join(tmpdir(), 'waited-'));
  onTestFinished(() => rmSync(runDir, {recursive: true, force: true}));
  const waited = {toolCall: 't7', session: 'ses', tool: 'Bash', input: {command: 'a', description: 'x'}};
  const names: string[] = [];
  const decide = async (ask: Ask) => {
    if (ask.kind === 'permission') names.push(`${ask.toolCall} ${String(ask.input['description'])}`);
    return {kind: 'allow', reason: ''} as const;
  };
  const ask = (id: string, command: string): Ask => ({
    kind: 'permission',
    id,
    tool: 'Bash',
    input: {command, description: 'y'},
    toolCall: id,
    canDefer: true,
  });
  const call = async (each: Ask) => withWaitedCall(decide, waited, runDir)(each, new AbortController().signal);
  await call(ask('p1', 'b'));
  await call(ask('p2', 'a'));
  // The next process of the runner finds the same question open.
  await call(ask('p2', 'a'));
  await call(ask('p3', 'a'));
  expect(names).toEqual(['p1 y', 't7 x', 't7 x', 'p3 y']);
});

test('[CP23] an agent that gives its turn up because a call was refused is told to go on, until it has had its most turns', () => {
  const lines = [initialized, opened, asks(7, 'a'), cancelled];
  const refused = sent('session/prompt', 'permission-7');
  const {state} = fold(lines);
  expect(driver.isDone(state, refused.hasSent)).toBe(false);
  const [prompt] = due(lines, input, refused);
  expect(prompt).toMatchObject({id: 101, method: 'session/prompt'});
  expect(JSON.stringify(prompt)).toContain('was refused');
  // One that gives up by itself is let go, also later.
  expect(driver.isDone(state, sent('session/prompt').hasSent)).toBe(true);
  const later = {id: 101, result: {stopReason: 'cancelled'}};
  expect(driver.isDone(fold([...lines, later]).state, refused.hasSent)).toBe(true);
  const worn = {...state, turns: limits.refusedTurnsMax + 1, askedTurn: limits.refusedTurnsMax};
  expect(driver.isDone(worn, refused.hasSent)).toBe(true);
  expect(driver.isDone({...worn, turns: worn.turns - 1, askedTurn: worn.askedTurn - 1}, refused.hasSent)).toBe(false);
});
