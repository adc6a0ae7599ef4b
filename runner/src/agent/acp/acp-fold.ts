import type {AgentEventOf} from '@switchyard/shared/domain/agent-event.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {agentEvent, type AgentEvent, type Ask, type Decoded} from '../driver.ts';
import {OUR_PREFIX} from '../our-tools.ts';
import {askedCall, shownCall, toolsByKind, type ShownCall} from './asked-call.ts';
import {HOOK_PREFIX} from './hook-call.ts';
import {readAcpLine, type AcpAnswer, type AcpRequest, type AcpUpdate} from './acp-line.ts';

/** Our requests, in their order; each is sent once in the life of an attempt. */
export const requestIds = {initialize: 1, newSession: 2, prompt: 3, setMode: 4} as const;

const LATER_PROMPTS = 100;
const LOAD_PREFIX = 'load:';

/** The request that goes on with a session carries its name, so that the answer does. */
export function loadId(session: string): string {
  return `${LOAD_PREFIX}${session}`;
}

/** The request of the prompt that follows after so many turns of the session. */
export function promptId(turns: number): number {
  return turns === 0 ? requestIds.prompt : LATER_PROMPTS + turns;
}

/** A question of the agent that its output has not shown to be answered. */
export type OpenAsk = {
  readonly rpcId: number | string;
  readonly ask: Extract<Ask, {kind: 'permission'}>;
  readonly allow: string | null;
  readonly reject: string | null;
};

export type AcpState = {
  readonly isInitialized: boolean;
  /** Whether it reaches servers of tools over HTTP. */
  readonly takesHttpTools: boolean;
  /** Whether it can go on with a session of an earlier process. */
  readonly canLoad: boolean;
  readonly session: string | null;
  /** That session was one of an earlier process; `failed` where it could not be. */
  readonly loaded: 'no' | 'yes' | 'failed';
  readonly isModeSet: boolean;
  readonly asks: readonly OpenAsk[];
  /** The last questions, also those that are answered. */
  readonly asked: readonly OpenAsk['ask'][];
  /** The turn in which the last of them was asked. */
  readonly askedTurn: number;
  /** Calls that are not over, by their ids, as far as they were shown. */
  readonly shown: Readonly<Record<string, ShownCall>>;
  /** Requests for what we do not offer: the agent has ways of its own. */
  readonly refused: readonly (number | string)[];
  /** Prompts that were answered. */
  readonly turns: number;
  /** What the agent said last, in one piece, and the turn in which it did. */
  readonly text: string;
  readonly textTurn: number;
  readonly agent: {readonly name: string; readonly version: string | null} | null;
  /** Of all turns so far. */
  readonly usage: Omit<AgentEventOf<'usage_update'>, 'turns' | 'cost_usd'>;
  readonly end: {readonly stopReason: string} | {readonly error: string} | null;
};

export const acpInitial: AcpState = {
  isInitialized: false,
  takesHttpTools: false,
  canLoad: false,
  session: null,
  loaded: 'no',
  isModeSet: false,
  asks: [],
  asked: [],
  askedTurn: -1,
  shown: {},
  refused: [],
  turns: 0,
  text: '',
  textTurn: 0,
  agent: null,
  usage: {input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0},
  end: null,
};

const TEXT_MAX = 20_000;
const TITLE_MAX = 500;
const SHOWN_MAX = 64;
const ASKED_MAX = 64;

export function decodeAcpLine(state: AcpState, line: string): Decoded<AcpState> {
  const message = readAcpLine(line);
  switch (message?.kind) {
    case undefined:
      return {state, events: []};
    case 'answer':
      return onAnswer(state, message.answer);
    case 'request':
      return onRequest(state, message.request);
    case 'update':
      return onUpdate(state, message.update);
  }
}

function onAnswer(state: AcpState, {id, result, error}: AcpAnswer): Decoded<AcpState> {
  if (typeof id === 'string') return onLoaded(state, id, error === undefined);
  const isPrompt = id === promptId(state.turns);
  const isOurs = Object.values<number | string>(requestIds).includes(id);
  if (!isPrompt && (!isOurs || id === requestIds.prompt)) return {state, events: []};
  if (error !== undefined) return failedTurn(state, error.message);
  if (id === requestIds.initialize) return onInitialized(state, result);
  if (id === requestIds.newSession) return onSession(state, result?.sessionId);
  if (id === requestIds.setMode) return {state: {...state, isModeSet: true}, events: []};
  return onTurnEnd(state, result);
}

function failedTurn(state: AcpState, message: string): Decoded<AcpState> {
  const text = message.slice(0, TEXT_MAX);
  return {state: {...state, end: {error: text}}, events: [agentEvent('turn_finished', {outcome: 'failed', text})]};
}

function onInitialized(state: AcpState, result: AcpAnswer['result']): Decoded<AcpState> {
  const {name = 'agent', version} = result?.agentInfo ?? {};
  const agent = {name: name.slice(0, 100), version: version?.slice(0, 100) ?? null};
  const {mcpCapabilities, loadSession: canLoad = false} = result?.agentCapabilities ?? {};
  const takesHttpTools = mcpCapabilities?.http === true;
  return {state: {...state, isInitialized: true, takesHttpTools, canLoad, agent}, events: []};
}

/** What cannot be gone on with is begun anew. */
function onLoaded(state: AcpState, id: string, isLoaded: boolean): Decoded<AcpState> {
  if (!id.startsWith(LOAD_PREFIX) || state.loaded !== 'no') return {state, events: []};
  if (!isLoaded) return {state: {...state, loaded: 'failed'}, events: []};
  return onSession({...state, loaded: 'yes'}, id.slice(LOAD_PREFIX.length));
}

function onSession(state: AcpState, session: string | undefined): Decoded<AcpState> {
  if (session === undefined) return failedTurn(state, 'the agent opened no session');
  const event = agentEvent('session_started', {
    session: session.slice(0, 200),
    agent: state.agent?.name ?? 'agent',
    version: state.agent?.version ?? null,
    model: null,
  });
  return {state: {...state, session}, events: [event]};
}

const outcomes: Readonly<Record<string, AgentEventOf<'turn_finished'>['outcome']>> = {
  end_turn: 'completed',
  max_tokens: 'limit',
  max_turn_requests: 'limit',
  cancelled: 'aborted',
};

function onTurnEnd(state: AcpState, result: AcpAnswer['result']): Decoded<AcpState> {
  const stopReason = result?.stopReason ?? 'end_turn';
  const outcome = outcomes[stopReason] ?? 'failed';
  const {inputTokens, outputTokens, cachedReadTokens, cachedWriteTokens} = result?.usage ?? {};
  const turns = state.turns + 1;
  const usage = {
    input_tokens: state.usage.input_tokens + Math.round(inputTokens ?? 0),
    output_tokens: state.usage.output_tokens + Math.round(outputTokens ?? 0),
    cache_read_tokens: state.usage.cache_read_tokens + Math.round(cachedReadTokens ?? 0),
    cache_write_tokens: state.usage.cache_write_tokens + Math.round(cachedWriteTokens ?? 0),
  };
  const finished = agentEvent('turn_finished', {outcome, text: state.text.slice(0, TEXT_MAX)});
  return {
    state: {...state, asks: [], shown: {}, end: {stopReason}, turns, usage},
    events: [
      ...(typeof inputTokens === 'number' ? [agentEvent('usage_update', {...usage, turns, cost_usd: null})] : []),
      finished,
    ],
  };
}

function onRequest(state: AcpState, {id, method, params}: AcpRequest): Decoded<AcpState> {
  const {toolCall, options = []} = params ?? {};
  if (method !== 'session/request_permission' || toolCall === undefined)
    return {state: {...state, refused: [...state.refused, id]}, events: []};
  const option = (kinds: readonly string[]): string | null =>
    kinds.flatMap(kind => options.filter(each => each.kind === kind))[0]?.optionId ?? null;
  const {toolCallId} = toolCall;
  const call = askedCall(toolCall, state.shown[toolCallId]);
  const ask: OpenAsk['ask'] = {
    kind: 'permission',
    id: `permission-${id}`,
    toolCall: toolCallId,
    // A question of our own tools is asked by the tool, which cannot be put off.
    canDefer: state.canLoad && !call.tool.startsWith(OUR_PREFIX),
    isHeld: toolCall.isHeld === true && `${id}`.startsWith(HOOK_PREFIX),
    ...call,
  };
  const open = {rpcId: id, ask, allow: option(['allow_once']), reject: option(['reject_once', 'reject_always'])};
  return {
    state: {
      ...state,
      asks: [...state.asks, open],
      asked: [...state.asked, ask].slice(-ASKED_MAX),
      askedTurn: state.turns,
    },
    events: [],
  };
}

function onUpdate(state: AcpState, update: AcpUpdate): Decoded<AcpState> {
  // An agent that goes on with a session tells first what was said in it.
  if (state.session === null) return {state, events: []};
  switch (update.sessionUpdate) {
    case 'user_message_chunk':
      return {state: {...state, text: ''}, events: []};
    case 'agent_message_chunk':
    case 'agent_thought_chunk':
      return onChunk(state, update);
    case 'tool_call':
    case 'tool_call_update':
      return onToolCall(state, update);
    default:
      return {state, events: []};
  }
}

function onChunk(state: AcpState, update: AcpUpdate): Decoded<AcpState> {
  const content: unknown = update['content'];
  const said: unknown = typeof content === 'object' && content !== null ? Reflect.get(content, 'text') : undefined;
  if (typeof said !== 'string') return {state, events: []};
  const isMessage = update.sessionUpdate === 'agent_message_chunk';
  const before = state.textTurn === state.turns ? state.text : '';
  return {
    state: isMessage
      ? {...state, text: (before + said).slice(-limits.lastMessageCharactersMax), textTurn: state.turns}
      : state,
    events: [agentEvent(isMessage ? 'agent_message_chunk' : 'agent_thought_chunk', {text: said.slice(0, TEXT_MAX)})],
  };
}

function onToolCall(state: AcpState, update: AcpUpdate): Decoded<AcpState> {
  const id: unknown = update['toolCallId'];
  if (typeof id !== 'string') return {state, events: []};
  const title = typeof update['title'] === 'string' ? update['title'].slice(0, TITLE_MAX) : '';
  const kind = typeof update['kind'] === 'string' ? update['kind'] : '';
  const status: unknown = update['status'];
  const isOver = status === 'completed' || status === 'failed';
  const events: AgentEvent[] = [];
  if (update.sessionUpdate === 'tool_call')
    events.push(agentEvent('tool_call', {id: id.slice(0, 200), tool: toolsByKind[kind] ?? kind, title}));
  if (isOver) events.push(agentEvent('tool_call_update', {id: id.slice(0, 200), status, text: title}));
  const {[id]: before, ...others} = state.shown;
  const shown = isOver
    ? others
    : {...Object.fromEntries(Object.entries(others).slice(-SHOWN_MAX)), [id]: shownCall(before, update)};
  return {
    // A call that goes on was answered; what it said before it was over counts for nobody's decision.
    state: isOver
      ? {...state, shown, text: '', asks: state.asks.filter(({ask}) => ask.toolCall !== id)}
      : {...state, shown},
    events,
  };
}
