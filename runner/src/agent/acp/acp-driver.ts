import {errorCodes, SwitchyardError, type ErrorCode} from '@switchyard/shared/domain/error.ts';
import {profileOf} from '@switchyard/shared/policy/tool-profile.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import type {AgentLine, Answer, Ask, Driver, DriverInput, DriverPlan, ProcessEnd, Reading} from '../driver.ts';
import {acpAgents, type AcpAgent, type AcpAgentName} from './acp-agent.ts';
import {acpInitial, decodeAcpLine, promptId, requestIds, type AcpState} from './acp-fold.ts';

const DETAIL_MAX = 4_000;

/**
 * Any agent of the Agent Client Protocol. Its messages have no identity that an agent would know again, so each request
 * is sent once in the life of an attempt: what got lost with a runner is seen as a stall, never sent twice.
 */
export function acpDriver(name: AcpAgentName): Driver<AcpState> {
  return {
    name,
    takesTyping: false,
    initial: acpInitial,
    plan: input => planOf(name, input),
    decode: decodeAcpLine,
    due: (state, input) => due(acpAgents[name], state, input),
    asks,
    // A second prompt in the middle of a turn is not in the protocol.
    encode: () => null,
    answer,
    hasTaken: () => true,
    isDone: ({end}) => end !== null,
    read,
  };
}

function planOf(name: AcpAgentName, {spec, program, model, homePath}: DriverInput): DriverPlan {
  const {args, setUp} = acpAgents[name];
  if (program === null)
    throw new SwitchyardError('agent_not_found', `${acpAgents[name].program} was not found on this runner`);
  if (model === null) throw new SwitchyardError('model_refused', `${name} needs a key: switchyard keys set`);
  const {env, files} = setUp({home: homePath, model, modelName: spec.agent.model});
  return {argv: [program, ...args], env: {...env, HOME: homePath}, files, stdin: 'stream'};
}

function due(agent: AcpAgent, state: AcpState, {spec, prompt, workingDirectory}: DriverInput): readonly AgentLine[] {
  const {isInitialized, session, isModeSet, refused, end} = state;
  const lines = refused.map(id =>
    line(`refuse-${id}`, {id, error: {code: -32_601, message: 'not offered by this client'}}, 'safe'),
  );
  if (end !== null) return lines;
  if (!isInitialized) return [...lines, request('initialize', requestIds.initialize, clientInfo)];
  if (session === null)
    return [...lines, request('session/new', requestIds.newSession, {cwd: workingDirectory, mcpServers: []})];
  const modeId = agent.modeOf(profileOf(spec.agent));
  if (modeId !== null && !isModeSet)
    return [...lines, request('session/set_mode', requestIds.setMode, {sessionId: session, modeId})];
  return [...lines, request('session/prompt', requestIds.prompt, promptOf(session, prompt))];
}

const promptOf = (session: string, text: string): object => ({sessionId: session, prompt: [{type: 'text', text}]});

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
  if (kind === 'stop') return given.kind === 'goOn' ? goOn(state, id, given.reason) : null;
  const open = state.asks.find(({ask}) => ask.id === id);
  if (open === undefined || (given.kind !== 'allow' && given.kind !== 'deny')) return null;
  const optionId = given.kind === 'allow' ? open.allow : open.reject;
  const outcome = optionId === null ? {outcome: 'cancelled'} : {outcome: 'selected', optionId};
  return line(id, {id: open.rpcId, result: {outcome}}, 'once');
}

/** One prompt more in the same session. What asked about an earlier turn is too late. */
function goOn({session, turns}: AcpState, id: string, text: string): AgentLine | null {
  if (session === null || id !== `stop-${turns}`) return null;
  return line(
    `go-on-${turns}`,
    {id: promptId(turns), method: 'session/prompt', params: promptOf(session, text)},
    'once',
  );
}

function read({end, text}: AcpState, {exitCode, signal}: ProcessEnd): Reading {
  const summary = text === '' ? null : text;
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

const request = (method: string, id: number, params: object): AgentLine => line(method, {id, method, params}, 'once');

const line = (id: string, message: object, repeat: AgentLine['repeat']): AgentLine => ({
  id,
  repeat,
  text: `${JSON.stringify({jsonrpc: '2.0', ...message})}\n`,
});
