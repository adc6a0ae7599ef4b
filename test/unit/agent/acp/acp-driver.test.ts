import * as fc from 'fast-check';
import {expect, test} from 'vitest';
import {agentEventData} from '@switchyard/shared/domain/agent-event.ts';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {acpDriver} from '../../../../runner/src/agent/acp/acp-driver.ts';
import {acpInitial, type AcpState} from '../../../../runner/src/agent/acp/acp-fold.ts';
import type {AgentEvent, DriverInput, Talk} from '../../../../runner/src/agent/driver.ts';
import {driverInput, silence} from '../driver-input.ts';

const driver = acpDriver('gemini');
const model = {token: 'tok', urls: {anthropic: 'http://a', openai: 'http://o/v1', google: 'http://g'}};
const specOf = (agent: Partial<TaskSpecInput['agent']> = {}) =>
  taskSpecSchema.parse({prompt: 'do it', agent: {driver: 'gemini', ...agent}});
const input = driverInput(specOf(), {model, program: '/bin/gemini'});

const initialized = {id: 1, result: {protocolVersion: 1, agentInfo: {name: 'gemini-cli', version: '0.61.0'}}};
const opened = {id: 2, result: {sessionId: 'ses'}};
const update = (sessionUpdate: string, more: object) => ({
  method: 'session/update',
  params: {sessionId: 'ses', update: {sessionUpdate, ...more}},
});
const says = (text: string) => update('agent_message_chunk', {content: {type: 'text', text}});
const options = [
  {optionId: 'always', kind: 'allow_always', name: 'a'},
  {optionId: 'once', kind: 'allow_once', name: 'b'},
  {optionId: 'no', kind: 'reject_once', name: 'c'},
];
const asks = (id: number, toolCall: object) => ({
  id,
  method: 'session/request_permission',
  params: {sessionId: 'ses', options, toolCall: {toolCallId: `t${id}`, ...toolCall}},
});
const ended = (stopReason = 'end_turn') => ({
  id: 3,
  result: {stopReason, usage: {inputTokens: 3_300, outputTokens: 63, totalTokens: 3_363}},
});

function fold(lines: readonly object[]): {state: AcpState; events: AgentEvent[]} {
  const events: AgentEvent[] = [];
  let state = acpInitial;
  for (const each of lines) {
    const decoded = driver.decode(state, JSON.stringify({jsonrpc: '2.0', ...each}));
    state = decoded.state;
    events.push(...decoded.events);
  }
  return {state, events};
}
const due = (lines: readonly object[]) =>
  driver.due(fold(lines).state, input, silence).map(({id, repeat}) => ({id, repeat}));
const json = (text: string | undefined): unknown => JSON.parse(text ?? 'null');

test('[CP1] initialize, a session and the prompt are due one after the other, each once in the life of an attempt', () => {
  expect(due([])).toEqual([{id: 'initialize', repeat: 'once'}]);
  expect(due([initialized])).toEqual([{id: 'session/new', repeat: 'once'}]);
  expect(due([initialized, opened])).toEqual([{id: 'session/prompt', repeat: 'once'}]);
  expect(due([initialized, opened, ended()])).toEqual([]);
  const [prompt] = driver.due(fold([initialized, opened]).state, input, silence);
  expect(json(prompt?.text)).toMatchObject({params: {sessionId: 'ses', prompt: [{type: 'text', text: 'do it'}]}});
});

test.for([
  {
    kind: 'edit',
    title: 'Writing a.txt',
    locations: [{path: '/wt/a.txt'}],
    tool: 'Write',
    told: {file_path: '/wt/a.txt'},
  },
  {kind: 'execute', title: 'rm -rf x', locations: [], tool: 'Bash', told: {command: 'rm -rf x'}},
  {kind: 'execute', title: 'a step', rawInput: {command: 'ls'}, tool: 'Bash', told: {command: 'ls'}},
  {kind: 'delete', title: 'delete x', tool: 'Bash', told: {command: 'delete x'}},
  {kind: 'fetch', title: 'http://x', tool: 'WebFetch', told: {}},
  {kind: 'other', title: 'what', tool: 'unknown other', told: {}},
  {title: 'what', tool: 'unknown tool', told: {}},
])('[CP2] a question about $kind $title asks for the tool $tool', ({tool, told, ...toolCall}) => {
  const [ask] = driver.asks(fold([initialized, opened, asks(7, toolCall)]).state);
  expect(ask).toMatchObject({kind: 'permission', tool, input: told, toolCall: 't7'});
});

test('[CP3] an answer allows or rejects this one call, and never for the rest of the session', () => {
  const {state} = fold([initialized, opened, asks(7, {kind: 'edit'})]);
  const [ask] = driver.asks(state);
  if (ask === undefined) throw new Error('no question');
  const said = (kind: 'allow' | 'deny' | 'defer') => json(driver.answer(state, ask, {kind, reason: ''})?.text);
  expect(said('allow')).toEqual({jsonrpc: '2.0', id: 7, result: {outcome: {outcome: 'selected', optionId: 'once'}}});
  expect(said('deny')).toEqual({jsonrpc: '2.0', id: 7, result: {outcome: {outcome: 'selected', optionId: 'no'}}});
  expect(said('defer')).toBeNull();
  const over = update('tool_call_update', {toolCallId: 't7', status: 'completed'});
  expect(driver.asks(fold([initialized, opened, asks(7, {kind: 'edit'}), over]).state)).toEqual([]);
});

test('[CP4] a request for what this client does not offer is refused, so that the agent goes its own way', () => {
  const {state} = fold([
    initialized,
    opened,
    {id: 1, method: 'fs/write_text_file', params: {path: '/etc/passwd', content: 'x'}},
  ]);
  const refusal = driver.due(state, input, silence).find(({id}) => id === 'refuse-1');
  expect(json(refusal?.text)).toMatchObject({id: 1, error: {code: -32_601}});
  expect(driver.asks(state)).toEqual([]);
});

test.for([
  {lines: [initialized, opened, says('done'), ended()], failure: null},
  {lines: [initialized, opened, ended('max_turn_requests')], failure: 'turn_limit'},
  {lines: [initialized, opened, ended('refusal')], failure: 'model_refused'},
  {lines: [initialized, opened, ended('cancelled')], failure: 'agent_failed'},
  {lines: [initialized, opened, {id: 3, error: {code: 1, message: 'quota'}}], failure: 'agent_failed'},
  {lines: [initialized, {id: 2, error: {code: 1, message: 'no auth'}}], failure: 'agent_failed'},
  {lines: [initialized, opened, says('half')], failure: 'agent_failed'},
])('[CP5] $lines.length lines end as $failure', ({lines, failure}) => {
  const {state} = fold(lines);
  const reading = driver.read(state, {exitCode: 0, signal: null}, silence.hasSent);
  expect(reading.failure?.kind === 'failed' ? reading.failure.code : null).toBe(failure);
});

test('[CP6] events have the shape of the vocabulary that all drivers share', () => {
  const {events} = fold([
    initialized,
    opened,
    update('agent_thought_chunk', {content: {type: 'text', text: 'hm'}}),
    says('I will'),
    update('tool_call', {toolCallId: 't1', kind: 'execute', title: 'ls', status: 'in_progress'}),
    update('tool_call_update', {toolCallId: 't1', status: 'failed', title: 'ls'}),
    update('available_commands_update', {availableCommands: []}),
    ended(),
  ]);
  expect(events.map(({kind}) => kind)).toEqual([
    'session_started',
    'agent_thought_chunk',
    'agent_message_chunk',
    'tool_call',
    'tool_call_update',
    'usage_update',
    'turn_finished',
  ]);
  for (const {kind, data} of events) {
    const schema = Object.entries(agentEventData).find(([name]) => name === kind)?.[1];
    expect(schema?.strict().parse(data)).toEqual(data);
  }
});

test('[CP10] a turn that ends in order asks whether the agent may end, and goes on in the same session where it may not', () => {
  const lines = [initialized, opened, says('done'), ended()];
  const {state} = fold(lines);
  const [stop] = driver.asks(state);
  expect(stop).toEqual({kind: 'stop', id: 'stop-1', said: 'done'});
  if (stop === undefined) throw new Error('no question');
  const more = driver.answer(state, stop, {kind: 'goOn', reason: 'run the tests'});
  expect(more).toMatchObject({id: 'go-on-1', repeat: 'once'});
  expect(json(more?.text)).toMatchObject({
    id: 101,
    method: 'session/prompt',
    params: {sessionId: 'ses', prompt: [{type: 'text', text: 'run the tests'}]},
  });
  expect(driver.answer(state, stop, {kind: 'allow', reason: ''})).toBeNull();

  const again = fold([...lines, says('now it is'), {...ended(), id: 101}]);
  expect(driver.asks(again.state)).toEqual([{kind: 'stop', id: 'stop-2', said: 'now it is'}]);
  expect(driver.answer(again.state, stop, {kind: 'goOn', reason: 'too late'})).toBeNull();
  expect(again.events.filter(({kind}) => kind === 'usage_update').at(-1)?.data).toMatchObject({
    input_tokens: 6_600,
    turns: 2,
  });
  for (const stopReason of ['refusal', 'max_tokens', 'cancelled'])
    expect(driver.asks(fold([initialized, opened, ended(stopReason)]).state)).toEqual([]);
});

test.for(['codex', 'gemini', 'opencode'] as const)(
  '[CP7] %s gets the token of its attempt in its environment and files that are its own, nothing on its command line',
  name => {
    const plan = acpDriver(name).plan({...input, spec: specOf({model: 'm-1'})});
    expect(plan.argv.join(' ')).not.toContain('tok');
    expect(JSON.stringify(plan.env)).toContain('tok');
    expect(JSON.stringify(plan.files)).not.toContain('tok"');
    expect(plan.env['HOME']).toBe(input.homePath);
    expect(JSON.stringify([plan.env, plan.files])).toMatch(/http:\/\/[og]/);
  },
);

test('[CP8] codex holds a profile by a mode of its session, and has no prompt before the mode is set', () => {
  const codex = acpDriver('codex');
  const {state} = fold([initialized, opened]);
  const dueFor = (profile: 'readonly' | 'developer' | 'full-access', from = state) =>
    codex.due(from, {...input, spec: specOf({profile})}, silence).map(({text}) => json(text));
  expect(dueFor('readonly')).toMatchObject([{method: 'session/set_mode', params: {modeId: 'read-only'}}]);
  expect(dueFor('developer')).toMatchObject([{method: 'session/set_mode', params: {modeId: 'workspace-write'}}]);
  expect(dueFor('full-access')).toMatchObject([{params: {modeId: 'agent-full-access'}}]);
  const set = fold([initialized, opened, {id: 4, result: {}}]).state;
  expect(dueFor('readonly', set)).toMatchObject([{method: 'session/prompt'}]);
  const refused = fold([initialized, opened, {id: 4, error: {code: 1, message: 'no such mode'}}]).state;
  expect(dueFor('readonly', refused)).toEqual([]);
  expect(codex.read(refused, {exitCode: 0, signal: null}, silence.hasSent).failure).toMatchObject({
    detail: 'no such mode',
  });
});

const sentBefore = (...ids: readonly string[]): Talk => ({waiting: [], hasSent: id => ids.includes(id)});
const saying = (text: string, ...ids: readonly string[]): Talk => ({
  waiting: [{id: 'm1', text}],
  hasSent: id => ids.includes(id),
});
const dueLines = (lines: readonly object[], talk: Talk) =>
  driver.due(fold(lines).state, input, talk).map(({id, text, messages}) => ({id, messages, json: json(text)}));

test('[CP11] a message interrupts the turn that runs, and is the next prompt of the same session', () => {
  const running = [initialized, opened];
  expect(dueLines(running, saying('not so', 'session/prompt'))).toMatchObject([
    {id: 'session/prompt'},
    {id: 'cancel-0', json: {method: 'session/cancel', params: {sessionId: 'ses'}}},
  ]);
  const interrupted = [...running, ended('cancelled')];
  const said = saying('not so', 'session/prompt', 'cancel-0');
  expect(dueLines(interrupted, said)).toMatchObject([
    {id: 'go-on-1', messages: ['m1'], json: {id: 101, method: 'session/prompt', params: {sessionId: 'ses'}}},
  ]);
  expect(JSON.stringify(dueLines(interrupted, said))).toContain('not so');
  const later = saying('and so', 'session/prompt', 'cancel-0', 'go-on-1');
  expect(dueLines(interrupted, later)).toMatchObject([{id: 'cancel-1'}]);
});

test('[CP11] a message waits while no prompt was sent and while a person has to decide', () => {
  expect(dueLines([initialized, opened], saying('not so')).map(({id}) => id)).toEqual(['session/prompt']);
  const asking = [initialized, opened, asks(7, {kind: 'edit'})];
  expect(dueLines(asking, saying('not so', 'session/prompt')).map(({id}) => id)).toEqual(['session/prompt']);
});

test('[CP12] an agent is not done while a prompt that was sent has no answer, whichever process sent it', () => {
  const isDone = (lines: readonly object[], talk: Talk) => driver.isDone(fold(lines).state, talk.hasSent);
  const first = [initialized, opened, ended()];
  expect(isDone([initialized, opened], silence)).toBe(false);
  expect(isDone(first, silence)).toBe(true);
  expect(isDone(first, sentBefore('go-on-1'))).toBe(false);
  expect(isDone([...first, {id: 101, result: {stopReason: 'end_turn'}}], sentBefore('go-on-1'))).toBe(true);
  expect(isDone([...first, {id: 101, error: {code: 1, message: 'x'}}], sentBefore('go-on-1'))).toBe(true);
});

test('[CP12] a turn that was interrupted for a message which never came goes on, one that the agent gave up is over', () => {
  const lines = [initialized, opened, ended('cancelled')];
  expect(dueLines(lines, sentBefore('cancel-0'))).toMatchObject([{id: 'go-on-1', messages: undefined}]);
  expect(driver.isDone(fold(lines).state, sentBefore('cancel-0').hasSent)).toBe(false);
  expect(dueLines(lines, silence)).toEqual([]);
  expect(driver.isDone(fold(lines).state, silence.hasSent)).toBe(true);
});

test('[CP13] an agent that reaches servers over HTTP is given ours with the token of the tools, and no other', () => {
  const can = {id: 1, result: {agentCapabilities: {mcpCapabilities: {http: true}}}};
  const servers = (answer: object) =>
    driver.due(fold([answer]).state, input, silence).map(({text}) => json(text)) as {params: {mcpServers: unknown}}[];
  expect(servers(can)[0]?.params.mcpServers).toEqual([
    {
      type: 'http',
      name: 'switchyard',
      url: 'http://t/mcp',
      headers: [{name: 'Authorization', value: 'Bearer tools-tok'}],
    },
  ]);
  expect(servers(initialized)[0]?.params.mcpServers).toEqual([]);
});

test.for([
  {
    title: 'emit_event (switchyard MCP Server)',
    id: 'mcp_switchyard_emit_event__1',
    tool: 'mcp__switchyard__emit_event',
  },
  {title: 'emit_event (other MCP Server)', id: 'mcp_switchyard_emit_event__1', tool: 'unknown other'},
  {title: 'emit_event (switchyard MCP Server)', id: 'mcp_evil_emit_event__1', tool: 'unknown other'},
  {title: 'evil (switchyard MCP Server)', id: 'mcp_switchyard_evil__1', tool: 'unknown other'},
])('[CP13] a question about $title of $id is about $tool', ({title, id, tool}) => {
  const call = asks(7, {kind: 'other', title, toolCallId: id});
  expect(driver.asks(fold([initialized, opened, call]).state)).toMatchObject([{tool}]);
});

test('[CP14] the rules of the base stand before the task, fenced; the prompt is no command of the agent', () => {
  const told = (more: Partial<DriverInput>) =>
    JSON.stringify(driver.due(fold([initialized, opened]).state, {...input, ...more}, silence)[0]?.text);
  const both = told({instructions: 'Use tabs.'});
  expect(both).toContain('<<<DATA-1-rules');
  expect(both.indexOf('Use tabs.')).toBeLessThan(both.indexOf('do it'));
  expect(told({})).not.toContain('rules');
  expect(told({prompt: '/memory add x'})).toContain('Task: /memory add x');
});

test('[CP9] no line throws, and reading all lines again gives the same state', () => {
  const anyLine = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constantFrom(initialized, opened, ended(), says('x'), asks(1, {kind: 'edit'})).map(each => JSON.stringify(each)),
    fc
      .tuple(
        fc.constantFrom('session/update', 'session/request_permission', 'fs/x'),
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.nat(),
      )
      .map(([method, params, id]) => JSON.stringify({method, params, id})),
  );
  fc.assert(
    fc.property(fc.array(anyLine), fc.array(anyLine), (before, after) => {
      const read = (lines: readonly string[], from = acpInitial) =>
        lines.reduce((state, each) => driver.decode(state, each).state, from);
      expect(read([...before, ...after])).toEqual(read(after, read(before)));
    }),
  );
});
