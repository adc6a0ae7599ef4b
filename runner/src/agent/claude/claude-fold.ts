import {limits} from '@switchyard/shared/policy/limits.ts';
import {agentEvent, type AgentEvent, type Decoded} from '../driver.ts';
import {TOOL_SERVER} from '../our-tools.ts';
import {readClaudeLine, type ClaudeLine, type ClaudeRequest} from './claude-line.ts';
import type {ClaudeState, OpenRequest} from './claude-state.ts';
import {onToolServer} from './claude-tool-server.ts';
import {turnOf, usageOf} from './claude-turn.ts';

export const PRE_TOOL_HOOK = 'pre';
export const STOP_HOOK = 'stop';
export const INITIALIZE_ID = 'switchyard-initialize';

const TEXT_MAX = 20_000;
const TITLE_MAX = 500;

export function decodeClaudeLine(state: ClaudeState, text: string): Decoded<ClaudeState> {
  const line = readClaudeLine(text);
  return line === undefined ? {state, events: []} : onLine(state, line);
}

function onLine(state: ClaudeState, line: ClaudeLine): Decoded<ClaudeState> {
  switch (line.type) {
    case 'system':
      return onSystem(state, line);
    case 'command_lifecycle':
      return onMessageState(state, line.command_uuid, line.state);
    case 'assistant':
      return {state: {...state, said: saidIn(state.said, line)}, events: line.message.content.flatMap(eventsOfBlock)};
    case 'user':
      return onToolResults(state, line);
    case 'control_response':
      return {
        state: line.response.request_id === INITIALIZE_ID ? {...state, isInitialized: true} : state,
        events: [],
      };
    case 'control_request':
      return onRequest(state, line);
    case 'control_cancel_request':
      return {state: {...state, requests: without(state.requests, line.request_id)}, events: []};
    case 'result': {
      const turn = turnOf(line);
      const usage = usageOf(line);
      // What was asked in a turn that has ended waits for nothing any more.
      return {
        state: {...state, turn, usage, requests: state.requests.filter(({kind}) => kind === 'reply')},
        events: [
          agentEvent('usage_update', usage),
          agentEvent('turn_finished', {outcome: turn.outcome, text: turn.text.slice(0, TEXT_MAX)}),
        ],
      };
    }
  }
}

function onSystem(state: ClaudeState, line: Extract<ClaudeLine, {type: 'system'}>): Decoded<ClaudeState> {
  if (line.subtype === 'api_retry') {
    const {attempt, max_retries, retry_delay_ms, error_status, error} = line;
    const event = agentEvent('retry', {
      attempt: Math.round(attempt),
      attempts_max: Math.round(max_retries),
      delay_ms: Math.round(retry_delay_ms),
      status: error_status ?? null,
      error: typeof error === 'string' ? error.slice(0, TITLE_MAX) : '',
    });
    return {state, events: [event]};
  }
  const {session_id: session, model, claude_code_version: version} = line;
  if (state.session === session) return {state, events: []};
  const event = agentEvent('session_started', {
    session: session.slice(0, 200),
    agent: 'claude',
    version: version?.slice(0, 100) ?? null,
    model: model?.slice(0, 200) ?? null,
  });
  return {state: {...state, session}, events: [event]};
}

const messageStates = ['queued', 'started', 'completed', 'cancelled'] as const;

function onMessageState(state: ClaudeState, message: string, told: string): Decoded<ClaudeState> {
  const known = messageStates.find(each => each === told);
  if (known === undefined) return {state, events: []};
  // A message that is queued or started opens a turn that has no result yet.
  const turn = known === 'queued' || known === 'started' ? null : state.turn;
  return {
    state: {...state, turn, messages: {...state.messages, [message]: known}},
    events: [agentEvent('message_delivered', {message: message.slice(0, 100), state: known})],
  };
}

type Block = Extract<ClaudeLine, {type: 'assistant'}>['message']['content'][number];

function eventsOfBlock(block: Block): readonly AgentEvent[] {
  if (block.type === 'text' && typeof block['text'] === 'string')
    return [agentEvent('agent_message_chunk', {text: block['text'].slice(0, TEXT_MAX)})];
  if (block.type === 'thinking' && typeof block['thinking'] === 'string')
    return [agentEvent('agent_thought_chunk', {text: block['thinking'].slice(0, TEXT_MAX)})];
  const {id, name, input} = block;
  if (block.type !== 'tool_use' || typeof id !== 'string' || typeof name !== 'string') return [];
  return [agentEvent('tool_call', {id: id.slice(0, 200), tool: name.slice(0, 200), title: titleOf(input)})];
}

/** What comes before the call of a tool was not its last word, and what an agent says that it started is not its own. */
function saidIn(before: ClaudeState['said'], line: Extract<ClaudeLine, {type: 'assistant'}>): ClaudeState['said'] {
  if (typeof line['parent_tool_use_id'] === 'string') return before;
  const message = line.message['id'];
  const text = line.message.content.reduce(
    (said, block) => {
      if (block.type === 'tool_use') return '';
      if (block.type !== 'text' || typeof block['text'] !== 'string') return said;
      return `${said}${said === '' ? '' : '\n'}${block['text']}`.slice(-limits.lastMessageCharactersMax);
    },
    message === before.message ? before.text : '',
  );
  return {message, text};
}

/** What a person wants to see of a call: the command or the file, not the whole input. */
function titleOf(input: unknown): string {
  if (typeof input !== 'object' || input === null) return '';
  for (const key of ['command', 'file_path', 'path', 'pattern', 'url', 'description']) {
    const value: unknown = Reflect.get(input, key);
    if (typeof value === 'string') return value.slice(0, TITLE_MAX);
  }
  return JSON.stringify(input).slice(0, TITLE_MAX);
}

function onToolResults(state: ClaudeState, {message}: Extract<ClaudeLine, {type: 'user'}>): Decoded<ClaudeState> {
  const results = typeof message.content === 'string' ? [] : message.content.flatMap(toolResultOf);
  const answered = new Set(results.map(({id}) => id));
  return {
    state: {...state, requests: state.requests.filter(request => !answered.has(toolCallOf(request) ?? ''))},
    events: results.map(({id, failed, text}) =>
      agentEvent('tool_call_update', {
        id: id.slice(0, 200),
        status: failed ? 'failed' : 'completed',
        text: text.slice(0, TEXT_MAX),
      }),
    ),
  };
}

function toolResultOf(block: {readonly type: string}): readonly {id: string; failed: boolean; text: string}[] {
  if (block.type !== 'tool_result') return [];
  const id: unknown = Reflect.get(block, 'tool_use_id');
  const content: unknown = Reflect.get(block, 'content');
  if (typeof id !== 'string') return [];
  const text = typeof content === 'string' ? content : JSON.stringify(content ?? '');
  return [{id, failed: Reflect.get(block, 'is_error') === true, text}];
}

const toolCallOf = (request: OpenRequest): string | null =>
  request.kind === 'reply' || request.ask.kind === 'stop' ? null : request.ask.toolCall;

const isPermission = (request: OpenRequest): boolean => request.kind === 'ask' && request.ask.kind === 'permission';

const without = (requests: readonly OpenRequest[], id: string): readonly OpenRequest[] =>
  requests.filter(request => (request.kind === 'reply' ? request.id : request.ask.id) !== id);

function onRequest(state: ClaudeState, line: ClaudeRequest): Decoded<ClaudeState> {
  const request = openRequest(state, line);
  if (request === undefined) return {state, events: []};
  return {
    state: {...state, requests: [...without(state.requests, line.request_id), request]},
    events: [],
  };
}

function openRequest(state: ClaudeState, {request_id: id, request}: ClaudeRequest): OpenRequest | undefined {
  switch (request.subtype) {
    case 'hook_callback': {
      if (request.callback_id === STOP_HOOK)
        return {kind: 'ask', via: 'hook', ask: {kind: 'stop', id, said: state.said.text}};
      const {tool_name: tool, tool_input: input = {}, tool_use_id: toolCall, agent_id: child} = request.input;
      if (tool === undefined || toolCall === undefined) return undefined;
      // An agent that another one started ends with its program and is not there any more when that is resumed. Of
      // several calls of one turn the program keeps only one that was put off, so the others wait in it.
      const canDefer = child === undefined && !state.requests.some(isPermission);
      return {kind: 'ask', via: 'hook', ask: {kind: 'permission', id, tool, input, toolCall, canDefer}};
    }
    // Only where a hook was skipped: the same question, from the program's own rules.
    case 'can_use_tool': {
      const {tool_name: tool, input, tool_use_id: toolCall = id} = request;
      return {kind: 'ask', via: 'prompt', ask: {kind: 'permission', id, tool, input, toolCall, canDefer: false}};
    }
    case 'mcp_message':
      return request.server_name === TOOL_SERVER ? onToolServer(id, request.message) : undefined;
  }
}
