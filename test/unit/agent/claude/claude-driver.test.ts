import * as fc from 'fast-check';
import {expect, test} from 'vitest';
import {agentEventData} from '@switchyard/shared/domain/agent-event.ts';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {claudeDriver, uuidOf} from '../../../../runner/src/agent/claude/claude-driver.ts';
import {claudeInitial} from '../../../../runner/src/agent/claude/claude-state.ts';
import type {Answer, Ask} from '../../../../runner/src/agent/driver.ts';
import {driverInput, silence} from '../driver-input.ts';
import {fold, line} from './lines.ts';

const specOf = (agent: Partial<TaskSpecInput['agent']> = {}) =>
  taskSpecSchema.parse({prompt: 'do it', agent: {driver: 'claude', ...agent}});
const input = driverInput(specOf());
const prompt = uuidOf(`${input.task}/prompt`);
const bash = {tool: 'Bash', input: {command: 'ls'}};
const idsDue = (lines: readonly object[]): readonly string[] =>
  claudeDriver.due(fold(lines).state, input, silence).map(({id}) => id);
const json = (text: string | undefined): unknown => JSON.parse(text ?? 'null');

test('[CD1] nothing of a repository and no login of the machine reaches a turn: only the given settings, tools and proxy count', () => {
  const model = {token: 'tok', urls: {anthropic: 'http://127.0.0.1:1/anthropic', openai: 'o', google: 'g'}};
  const {argv, env, files, stdin} = claudeDriver.plan(
    driverInput(specOf({profile: 'readonly', model: 'opus'}), {model}),
  );
  expect(files).toEqual([{path: '.claude/settings.json', text: '{}\n'}]);
  expect(argv.join(' ')).toContain('--setting-sources user --strict-mcp-config');
  expect(argv.join(' ')).toContain('--tools Read,Glob,Grep --model opus');
  expect(argv.join(' ')).not.toContain('do it');
  expect(argv.join(' ')).not.toContain('tok');
  expect(argv).not.toContain('--dangerously-skip-permissions');
  expect(env).toMatchObject({
    ANTHROPIC_BASE_URL: 'http://127.0.0.1:1/anthropic',
    ANTHROPIC_AUTH_TOKEN: 'tok',
    CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST: '1',
    CLAUDE_CONFIG_DIR: '/run/home/.claude',
  });
  expect(stdin).toBe('stream');
});

test('[CD2] the session of a task has one name, and a resumed attempt goes on with it', () => {
  const first = claudeDriver.plan(input).argv;
  const again = claudeDriver.plan({...input, isResumed: true}).argv;
  const session = first[first.indexOf('--session-id') + 1];
  expect(session).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(again[again.indexOf('--resume') + 1]).toBe(session);
  expect(again).not.toContain('--session-id');
});

test('[CP24] of what claude left in its home only its sessions are there when it goes on', () => {
  expect(claudeDriver.plan(input).session).toBeUndefined();
  expect(claudeDriver.plan({...input, isResumed: true}).session).toEqual(['.claude/projects']);
});

test('[CD3] what the agent has not shown to have is due, in order, and nothing that it has shown', () => {
  expect(idsDue([])).toEqual(['switchyard-initialize', `${input.task}/prompt`]);
  expect(idsDue([line.initialized])).toEqual([`${input.task}/prompt`]);
  expect(idsDue([line.initialized, line.message(prompt, 'queued')])).toEqual([]);
  expect(idsDue([line.initialized, line.message(prompt, 'started'), line.turn()])).toEqual(['switchyard-end']);
});

test('[CD4] a message has one uuid whichever process sends it, so that the agent takes it once', () => {
  const encode = (id: string) => claudeDriver.encode(claudeInitial, {kind: 'message', id, text: 'x'});
  expect(encode('tsk/message/1')).toEqual(encode('tsk/message/1'));
  expect(encode('tsk/message/1')).not.toEqual(encode('tsk/message/2'));
  expect(claudeDriver.hasTaken(fold([line.message(uuidOf('a'), 'queued')]).state, 'a')).toBe(true);
  expect(claudeDriver.hasTaken(claudeInitial, 'a')).toBe(false);
});

test('[CD5] a question stays open until the output shows its answer, its end or the end of the turn', () => {
  const asked = [line.hook('r1', 't1', bash), line.hook('r2', 't2', bash)];
  const open = (lines: readonly object[]): readonly string[] =>
    claudeDriver.asks(fold([...asked, ...lines]).state).map(({id}) => id);
  expect(open([])).toEqual(['r1', 'r2']);
  expect(open([line.result('t1', 'ok')])).toEqual(['r2']);
  expect(open([line.withdrawn('r2')])).toEqual(['r1']);
  expect(open([line.turn()])).toEqual([]);
});

test('[CD14] of the calls of one turn only the first that waits can be put off', () => {
  const {state} = fold([line.hook('r1', 't1', bash), line.hook('r2', 't2', bash)]);
  expect(claudeDriver.asks(state)).toMatchObject([{canDefer: true}, {canDefer: false}]);
  const later = fold([line.hook('r1', 't1', bash), line.result('t1', 'ok'), line.hook('r2', 't2', bash)]).state;
  expect(claudeDriver.asks(later)).toMatchObject([{canDefer: true}]);
});

test('[CD14] a call of a subagent cannot be put off: it is not there any more when the program is resumed', () => {
  const hook = line.hook('r1', 't1', bash);
  const input = {...hook.request.input, agent_id: 'sub-1'};
  const {state} = fold([{...hook, request: {...hook.request, input}}]);
  expect(claudeDriver.asks(state)).toMatchObject([{id: 'r1', canDefer: false}]);
});

const answers: readonly {given: Answer; said: object}[] = [
  {given: {kind: 'allow', reason: 'why'}, said: {permissionDecision: 'allow', permissionDecisionReason: 'why'}},
  {given: {kind: 'deny', reason: 'why'}, said: {permissionDecision: 'deny', permissionDecisionReason: 'why'}},
  {given: {kind: 'defer', reason: 'why'}, said: {permissionDecision: 'defer', permissionDecisionReason: 'why'}},
];

test.for(answers)('[CD6] the hook before a tool is answered with $given.kind', ({given, said}) => {
  const {state} = fold([line.hook('r1', 't1', bash)]);
  const [ask] = claudeDriver.asks(state);
  if (ask === undefined) throw new Error('no question');
  expect(ask).toEqual({kind: 'permission', id: 'r1', toolCall: 't1', canDefer: true, ...bash} satisfies Ask);
  expect(json(claudeDriver.answer(state, ask, given)?.text)).toEqual({
    type: 'control_response',
    response: {
      subtype: 'success',
      request_id: 'r1',
      response: {hookSpecificOutput: {hookEventName: 'PreToolUse', ...said}},
    },
  });
});

test('[CD7] the own question of the program is answered in its own form, and cannot be put off', () => {
  const {state} = fold([line.mayUse('r1', 't1', bash)]);
  const [ask] = claudeDriver.asks(state);
  if (ask === undefined) throw new Error('no question');
  const say = (given: Answer): unknown => {
    const text = claudeDriver.answer(state, ask, given)?.text;
    return text === undefined ? null : json(text);
  };
  expect(say({kind: 'allow', reason: ''})).toMatchObject({
    response: {response: {behavior: 'allow', updatedInput: bash.input}},
  });
  expect(say({kind: 'deny', reason: 'no'})).toMatchObject({response: {response: {behavior: 'deny', message: 'no'}}});
  expect(say({kind: 'defer', reason: 'later'})).toBeNull();
});

test('[CD8] our tools are served inside the control channel', () => {
  const {state} = fold([
    line.rpc('a', {id: 0, method: 'initialize', params: {protocolVersion: '2025-11-25'}}),
    line.rpc('b', {method: 'notifications/initialized'}),
    line.rpc('c', {id: 1, method: 'tools/list'}),
    line.rpc('d', {id: 2, method: 'server/discover'}),
    line.rpc('e', {
      id: 3,
      method: 'tools/call',
      params: {name: 'report_progress', arguments: {text: 'half'}, _meta: {'claudecode/toolUseId': 't9'}},
    }),
  ]);
  const due = claudeDriver.due(state, input, silence).filter(({id}) => id.length === 1);
  expect(due.map(({id}) => id)).toEqual(['a', 'b', 'c', 'd']);
  expect(due[2]?.text).toContain('"name":"report_progress"');
  expect(due[3]?.text).toContain('"code":-32601');
  const [ask] = claudeDriver.asks(state);
  expect(ask).toEqual({kind: 'tool', id: 'e', tool: 'report_progress', input: {text: 'half'}, toolCall: 't9'});
  if (ask === undefined) throw new Error('no question');
  const said = claudeDriver.answer(state, ask, {kind: 'result', text: 'ok', isError: false});
  expect(json(said?.text)).toMatchObject({
    response: {response: {mcp_response: {id: 3, result: {content: [{type: 'text', text: 'ok'}], isError: false}}}},
  });
});

test('[CD9] the end of a turn may be refused with a reason, and the question has the last word of the agent', () => {
  const said = [line.says('I will look.'), line.calls('t1', 'Bash', {}), line.says('First.'), line.says('Then.')];
  const startedByIt = {...line.says('not mine'), parent_tool_use_id: 't1'};
  const {state} = fold([...said, startedByIt, line.stop('s1')]);
  const asks = claudeDriver.asks(state);
  expect(asks).toEqual([{kind: 'stop', id: 's1', said: 'First.\nThen.'}]);
  const [first] = asks;
  if (first === undefined) throw new Error('no question');
  expect(json(claudeDriver.answer(state, first, {kind: 'goOn', reason: 'run the tests'})?.text)).toMatchObject({
    response: {response: {decision: 'block', reason: 'run the tests'}},
  });
  expect(json(claudeDriver.answer(state, first, {kind: 'allow', reason: ''})?.text)).toMatchObject({
    response: {response: {}},
  });
});

const started = [line.initialized, line.message(prompt, 'started'), line.init];

test.for([
  {name: 'a finished turn', more: {}, failure: null, deferred: null},
  {
    name: 'success with is_error',
    more: {is_error: true, terminal_reason: 'api_error', api_error_status: 529, result: 'API Error: overloaded'},
    failure: {code: 'model_unavailable', retryable: true},
    deferred: null,
  },
  {
    name: 'a refused key',
    more: {is_error: true, terminal_reason: 'api_error', api_error_status: 401, result: 'API Error: 401'},
    failure: {code: 'model_refused', retryable: false},
    deferred: null,
  },
  {
    name: 'a budget that the proxy ended',
    more: {
      is_error: true,
      terminal_reason: 'api_error',
      api_error_status: 429,
      result: 'API Error: Request rejected (429) · task token budget reached (2470/2000)',
    },
    failure: {code: 'budget_spent', retryable: false},
    deferred: null,
  },
  {
    name: 'too many turns',
    more: {subtype: 'error_max_turns', is_error: true, terminal_reason: 'max_turns', errors: ['Reached maximum']},
    failure: {code: 'turn_limit', retryable: false},
    deferred: null,
  },
  {
    name: 'an interrupted turn',
    more: {subtype: 'error_during_execution', is_error: true, terminal_reason: 'aborted_tools'},
    failure: {code: 'agent_failed', retryable: true},
    deferred: null,
  },
  {
    name: 'a call that was put off',
    more: {terminal_reason: 'tool_deferred', deferred_tool_use: {id: 't7', name: 'Bash', input: {}}},
    failure: null,
    deferred: 't7',
  },
  {
    name: 'a turn that was put off again after it was resumed',
    more: {terminal_reason: null, deferred_tool_use: {id: 't7', name: 'Bash', input: {}}},
    failure: null,
    deferred: 't7',
  },
  {
    name: 'a call that was put off in a turn that broke',
    more: {is_error: true, terminal_reason: 'tool_deferred', deferred_tool_use: {id: 't7', name: 'Bash', input: {}}},
    failure: {code: 'agent_failed', retryable: true},
    deferred: null,
  },
])('[CD10] $name is read for what it is', ({more, failure, deferred}) => {
  const {state} = fold([...started, line.turn(more)]);
  const reading = claudeDriver.read(state, {exitCode: 0, signal: null}, silence.hasSent);
  expect(reading.deferred).toBe(deferred);
  const {failure: read} = reading;
  expect(read?.kind === 'failed' ? {code: read.code, retryable: read.retryable} : read).toEqual(failure);
});

test('[CD11] an agent that ended without the result of its turn has failed, whatever its exit code', () => {
  for (const end of [
    {exitCode: 0, signal: null},
    {exitCode: null, signal: 'SIGKILL'},
  ])
    expect(claudeDriver.read(fold(started).state, end, silence.hasSent).failure).toMatchObject({
      code: 'agent_failed',
      retryable: true,
    });
  // A result that is followed by a new message of ours is not the end of the work.
  const more = fold([...started, line.turn(), line.message(uuidOf('m2'), 'started')]).state;
  expect(claudeDriver.isDone(more, silence.hasSent)).toBe(false);
  expect(claudeDriver.read(more, {exitCode: 0, signal: null}, silence.hasSent).failure).not.toBeNull();
});

test('[CD12] events have the shape that the vocabulary of all drivers gives them, with the usage of all models', () => {
  const {events} = fold([
    ...started,
    line.says('I will'),
    line.calls('t1', 'Bash', bash.input),
    line.result('t1', 'out', true),
    {
      type: 'system',
      subtype: 'api_retry',
      attempt: 1,
      max_retries: 4,
      retry_delay_ms: 600.5,
      error_status: 529,
      error: 'overloaded',
    },
    line.turn(),
  ]);
  expect(events.map(({kind}) => kind)).toEqual([
    'message_delivered',
    'session_started',
    'agent_message_chunk',
    'tool_call',
    'tool_call_update',
    'retry',
    'usage_update',
    'turn_finished',
  ]);
  for (const {kind, data} of events) {
    const schema = Object.entries(agentEventData).find(([name]) => name === kind)?.[1];
    expect(schema?.strict().parse(data)).toEqual(data);
  }
  expect(events.find(({kind}) => kind === 'usage_update')?.data).toEqual({
    input_tokens: 3_400,
    output_tokens: 64,
    cache_read_tokens: 5,
    cache_write_tokens: 7,
    turns: 3,
    cost_usd: 0.02,
  });
});

const anyLine = fc.oneof(
  fc.string(),
  fc.json(),
  fc
    .constantFrom(line.initialized, line.init, line.turn(), line.hook('r', 't', bash), line.result('t', 'x'))
    .map(each => JSON.stringify(each)),
  fc
    .tuple(
      fc.constantFrom('system', 'assistant', 'user', 'result', 'control_request'),
      fc.dictionary(fc.string(), fc.jsonValue()),
    )
    .map(([type, more]) => JSON.stringify({...more, type})),
);

test('[CD13] no line throws, and reading all lines again gives the same state', () => {
  fc.assert(
    fc.property(fc.array(anyLine), fc.array(anyLine), (before, after) => {
      const read = (lines: readonly string[], from = claudeInitial) =>
        lines.reduce((state, each) => claudeDriver.decode(state, each).state, from);
      expect(read([...before, ...after])).toEqual(read(after, read(before)));
    }),
  );
});
