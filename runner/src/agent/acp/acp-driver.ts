import {fileURLToPath} from 'node:url';
import {errorCodes, SwitchyardError, type ErrorCode} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {profileOf, toolsOf} from '@switchyard/shared/policy/tool-profile.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import type {AgentLine, Answer, Ask, Driver, DriverInput, DriverPlan, ProcessEnd, Reading, Talk} from '../driver.ts';
import {OUR_PREFIX, TOOL_SERVER} from '../our-tools.ts';
import {acpAgents, type AcpAgent, type AcpAgentName} from './acp-agent.ts';
import {HELD} from './hook-call.ts';
import {firstPrompt, goOnPrompt, interruptedPrompt, laterPrompt, refusedPrompt, resumedPrompt} from './acp-prompt.ts';
import {acpInitial, decodeAcpLine, loadId, promptId, requestIds, type AcpState} from './acp-fold.ts';

const DETAIL_MAX = 4_000;

/**
 * Any agent of the Agent Client Protocol. Its messages have no identity that an agent would know again, so each request
 * is sent once in the life of an attempt: what got lost with a runner is seen as a stall, never sent twice. An agent that
 * can load a session is put off by interrupting its turn: it goes on in that session, and makes the call again.
 */
export function acpDriver(name: AcpAgentName): Driver<AcpState> {
  return {
    name,
    takesTyping: false,
    initial: acpInitial,
    plan: input => planOf(name, input),
    decode: decodeAcpLine,
    due: (state, input, talk) => [...refusals(state), ...due(acpAgents[name], {state, input, talk})],
    asks,
    // A second prompt in the middle of a turn is not in the protocol: the turn is interrupted for it, and then it is due.
    // Any message interrupts: this protocol has no other way to hand one over.
    encode: (_state, command) => (command.kind === 'message' ? 'later' : null),
    answer,
    hasTaken: () => true,
    isDone,
    isPutOff: (state, hasSent) => putOffCall(state, hasSent) !== undefined && state.turns > state.askedTurn,
    read,
  };
}

function planOf(name: AcpAgentName, {spec, program, model, homePath, nodePath, isResumed}: DriverInput): DriverPlan {
  const agent: AcpAgent = acpAgents[name];
  if (program === null)
    throw new SwitchyardError('agent_not_found', `${acpAgents[name].program} was not found on this runner`);
  if (model === null || !('token' in model))
    throw new SwitchyardError('model_refused', `${name} needs a key: switchyard keys set`);
  const node = [nodePath, '--disable-warning=ExperimentalWarning'];
  const hooks = `${homePath}/hooks`;
  const held = profileOf(spec.agent) === 'readonly' ? [HELD] : [];
  const hook = agent.asksByHook ? [...node, hookAsk, hooks, OUR_PREFIX, ...held] : null;
  const tools = toolsOf(spec.agent);
  const {env, files} = agent.setUp({home: homePath, model, modelName: spec.agent.model, tools, hook});
  const own = [program, ...agent.args(homePath)];
  return {
    argv: agent.asksByHook ? [...node, hookRelay, hooks, ...own] : own,
    env: {...env, HOME: homePath},
    files,
    session: isResumed ? agent.sessions : undefined,
    stdin: 'stream',
  };
}

const hookAsk = fileURLToPath(new URL('hook-ask.ts', import.meta.url));
const hookRelay = fileURLToPath(new URL('hook-relay.ts', import.meta.url));

type Due = {readonly state: AcpState; readonly input: DriverInput; readonly talk: Talk};

function due(agent: AcpAgent, {state, input, talk}: Due): readonly AgentLine[] {
  const {isInitialized, session, isModeSet, end} = state;
  if (end !== null) return putOffCall(state, talk.hasSent) === undefined ? dueBetweenTurns(state, talk) : [];
  if (!isInitialized) return [request('initialize', requestIds.initialize, clientInfo)];
  if (session === null) return [opening(state, input)];
  const modeId = agent.modeOf(profileOf(input.spec.agent));
  if (modeId !== null && !isModeSet)
    return [request('session/set_mode', requestIds.setMode, {sessionId: session, modeId})];
  const prompt = beginning(state, input);
  const first = request('session/prompt', requestIds.prompt, {sessionId: session, prompt});
  return talk.hasSent(first.id) ? [first, ...interruption(state, talk)] : [first];
}

const refusals = ({refused}: AcpState): readonly AgentLine[] =>
  refused.map(id => line(`refuse-${id}`, {id, error: {code: -32_601, message: 'not offered by this client'}}, 'safe'));

function opening(state: AcpState, input: DriverInput): AgentLine {
  const {session} = input;
  return session === null || !state.canLoad || state.loaded === 'failed'
    ? request('session/new', requestIds.newSession, sessionOf(state, input))
    : request('session/load', loadId(session), {sessionId: session, ...sessionOf(state, input)});
}

function beginning({loaded}: AcpState, {prompt, instructions, isResumed}: DriverInput): readonly object[] {
  if (loaded === 'yes') return resumedPrompt;
  return isResumed ? interruptedPrompt(prompt, instructions) : firstPrompt(prompt, instructions);
}

function sessionOf({takesHttpTools}: AcpState, {workingDirectory, tools}: DriverInput): object {
  const headers = [{name: 'Authorization', value: `Bearer ${tools.token}`}];
  const server = {type: 'http', name: TOOL_SERVER, url: tools.mcpUrl, headers};
  return {cwd: workingDirectory, mcpServers: takesHttpTools ? [server] : []};
}

/** While a later turn runs, the state is that of the turn before it: only what was sent tells. */
function dueBetweenTurns(state: AcpState, talk: Talk): readonly AgentLine[] {
  const {waiting, hasSent} = talk;
  if (hasSent(laterId(state))) return interruption(state, talk);
  if (waiting.length > 0)
    return nextPrompt(
      state,
      laterPrompt(waiting.map(({text}) => text)),
      waiting.map(({id}) => id),
    );
  if (wasInterrupted(state, hasSent)) return nextPrompt(state, goOnPrompt);
  return wasRefused(state, hasSent) ? nextPrompt(state, refusedPrompt) : [];
}

/** An agent that waits for a decision of a person is left alone until that has come. */
function interruption(state: AcpState, {waiting}: Talk): readonly AgentLine[] {
  return waiting.length === 0 || state.asks.length > 0 ? [] : [cancel(state)].flatMap(each => each ?? []);
}

const cancelId = (turns: number): string => `cancel-${turns}`;
/** Of the one prompt that can follow after the turns so far. */
const laterId = ({turns}: AcpState): string => `go-on-${turns}`;

/** The agent ends its turn with `cancelled`, or as it would have ended just now. */
function cancel({session, turns}: AcpState): AgentLine | null {
  if (session === null) return null;
  return line(cancelId(turns), {method: 'session/cancel', params: {sessionId: session}}, 'once');
}

function nextPrompt(state: AcpState, prompt: readonly object[], messages?: readonly string[]): readonly AgentLine[] {
  const {session, turns} = state;
  if (session === null) return [];
  const text = {id: promptId(turns), method: 'session/prompt', params: {sessionId: session, prompt}};
  return [{...line(laterId(state), text, 'once'), messages}];
}

const wasCancelled = ({end}: AcpState): boolean =>
  end !== null && 'stopReason' in end && end.stopReason === 'cancelled';

function wasInterrupted(state: AcpState, hasSent: Talk['hasSent']): boolean {
  return wasCancelled(state) && hasSent(cancelId(state.turns - 1));
}

/** codex takes the refusal of what it asks by itself for the wish that it stops. */
function wasRefused(state: AcpState, hasSent: Talk['hasSent']): boolean {
  const {asked, askedTurn, turns} = state;
  const isAnswered = askedTurn === turns - 1 && hasSent(asked.at(-1)?.id ?? '');
  return wasCancelled(state) && isAnswered && turns <= limits.refusedTurnsMax;
}

function isDone(state: AcpState, hasSent: Talk['hasSent']): boolean {
  if (state.end === null || 'error' in state.end) return state.end !== null;
  return !hasSent(laterId(state)) && !wasInterrupted(state, hasSent) && !wasRefused(state, hasSent);
}

/** An agent of this protocol does not ask whether it may end: its answer to a prompt is taken for the question. */
function asks({asks: open, end, turns, text}: AcpState): readonly Ask[] {
  const isOver = end !== null && 'stopReason' in end && end.stopReason === 'end_turn';
  return [...open.map(({ask}) => ask), ...(isOver ? [{kind: 'stop', id: `stop-${turns}`, said: text} as const] : [])];
}

const clientInfo = {
  protocolVersion: 1,
  clientCapabilities: {fs: {readTextFile: false, writeTextFile: false}, terminal: false},
  clientInfo: {name: 'switchyard', version: '1'},
};

function answer(state: AcpState, {id, kind}: Ask, given: Answer): AgentLine | null {
  if (kind === 'stop') return given.kind === 'goOn' ? sentBack(state, id, given.reason) : null;
  const open = state.asks.find(({ask}) => ask.id === id);
  if (open?.ask.canDefer === true && given.kind === 'defer') return putOff(state, open.ask.id);
  if (open === undefined || (given.kind !== 'allow' && given.kind !== 'deny')) return null;
  const optionId = given.kind === 'allow' ? open.allow : open.reject;
  const outcome = optionId === null ? {outcome: 'cancelled'} : {outcome: 'selected', optionId};
  return line(
    id,
    {id: open.rpcId, result: {outcome, ...(given.reason === '' ? {} : {_meta: {reason: given.reason}})}},
    'once',
  );
}

function sentBack(state: AcpState, id: string, reason: string): AgentLine | null {
  // What asked about an earlier turn is too late.
  return id === `stop-${state.turns}` ? (nextPrompt(state, [{type: 'text', text: reason}])[0] ?? null) : null;
}

const putOffId = (askId: string): string => `put-off-${askId}`;

/** Interrupts the turn. Whoever cancels also answers what is asked, so that the agent can end its turn in order. */
function putOff(state: AcpState, askId: string): AgentLine | null {
  const stop = cancel(state);
  if (stop === null) return null;
  const outcome = {outcome: 'cancelled'};
  const answers = state.asks.map(({rpcId}) => line('', {id: rpcId, result: {outcome}}, 'once').text);
  return {id: putOffId(askId), text: [stop.text, ...answers].join(''), repeat: 'once'};
}

function putOffCall({asked}: AcpState, hasSent: Talk['hasSent']): AcpState['asked'][number] | undefined {
  return asked.find(({id}) => hasSent(putOffId(id)));
}

function read(state: AcpState, {exitCode, signal}: ProcessEnd, hasSent: Talk['hasSent']): Reading {
  const {end, text, session} = state;
  const summary = text === '' ? null : text;
  const waiting = putOffCall(state, hasSent);
  if (waiting !== undefined && session !== null) {
    const {toolCall, tool, input} = waiting;
    return {summary, deferred: toolCall, putOff: {session, tool, input}, failure: null};
  }
  return {summary, deferred: null, failure: failureOf(end, signal ?? `exit code ${exitCode ?? 'unknown'}`)};
}

function failureOf(end: AcpState['end'], how: string): AttemptResult | null {
  if (end === null) return failed('agent_failed', `the agent ended with ${how} before its turn was over`);
  if ('error' in end) return failed('agent_failed', end.error);
  switch (end.stopReason) {
    case 'end_turn':
      return null;
    case 'max_tokens':
    case 'max_turn_requests':
      return failed('turn_limit', `the agent stopped at a limit of its own (${end.stopReason})`);
    case 'refusal':
      return failed('model_refused', 'the model refused to go on');
    default:
      return failed('agent_failed', `the turn ended with ${end.stopReason.slice(0, 100)}`);
  }
}

const failed = (code: ErrorCode, detail: string): AttemptResult => ({
  kind: 'failed',
  code,
  detail: detail.slice(0, DETAIL_MAX),
  retryable: errorCodes[code].retry,
});

const request = (method: string, id: number | string, params: object): AgentLine =>
  line(method, {id, method, params}, 'once');

const line = (id: string, message: object, repeat: AgentLine['repeat']): AgentLine => ({
  id,
  repeat,
  text: `${JSON.stringify({jsonrpc: '2.0', ...message})}\n`,
});
