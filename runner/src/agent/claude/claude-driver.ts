import {createHash} from 'node:crypto';
import {toolsOf} from '@switchyard/shared/policy/tool-profile.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {AgentLine, Answer, Ask, Driver, DriverInput, DriverPlan, OwnLogin} from '../driver.ts';
import {TOOL_SERVER} from '../our-tools.ts';
import {decodeClaudeLine, INITIALIZE_ID, PRE_TOOL_HOOK, STOP_HOOK} from './claude-fold.ts';
import {claudeInitial, type ClaudeState, type OpenRequest} from './claude-state.ts';
import {readClaudeEnd} from './claude-turn.ts';

/** Longer than any decision takes here: what takes longer is put off, and what is not answered at all is blocked. */
const HOOK_TIMEOUT_S = 3_600;
const END_ID = 'switchyard-end';
const INSTRUCTIONS = 'instructions.md';

/**
 * Claude Code in its native stream-json form. Its program asks before every tool call over the same pipes that carry its
 * output, so that no call runs which was not allowed, and an unanswered question blocks it.
 */
export const claudeDriver: Driver<ClaudeState> = {
  name: 'claude',
  takesTyping: false,
  initial: claudeInitial,
  plan,
  decode: decodeClaudeLine,
  due,
  asks: ({requests}) => requests.flatMap(request => (request.kind === 'reply' ? [] : [request.ask])),
  encode: (_state, command) =>
    command.kind === 'message' ? message(command.id, command.text) : control(command.id, {subtype: 'interrupt'}),
  answer,
  hasTaken: ({messages}, id) => messages[uuidOf(id)] !== undefined,
  isDone,
  // Its process ends by itself.
  isPutOff: () => false,
  read: readClaudeEnd,
};

function plan(input: DriverInput): DriverPlan {
  const {spec, program, model, homePath, instructions} = input;
  if (program === null) throw new SwitchyardError('agent_not_found', 'claude was not found on this runner');
  const session = uuidOf(input.task);
  const argv = [
    ...[program, '-p', '--input-format', 'stream-json', '--output-format', 'stream-json', '--verbose'],
    ...(input.isResumed ? ['--resume', session] : ['--session-id', session]),
    // A repository must not bring hooks, servers or an address for the key: only what is given here counts.
    // The settings of a person are for that person's own sessions, even where the login is.
    ...['--setting-sources', isOwnLogin(model) ? '' : 'user', '--strict-mcp-config'],
    ...['--permission-mode', 'default', '--permission-prompt-tool', 'stdio'],
    // Known from the start: a call of ours that was put off is resumed before anything is said.
    ...['--mcp-config', JSON.stringify({mcpServers: {[TOOL_SERVER]: {type: 'sdk', name: TOOL_SERVER}}})],
    ...['--tools', toolsOf(spec.agent).join(',')],
    ...(spec.agent.model === undefined ? [] : ['--model', spec.agent.model]),
    ...(spec.agent.turns_max === undefined ? [] : ['--max-turns', String(spec.agent.turns_max)]),
    ...(instructions === null ? [] : ['--append-system-prompt-file', `${homePath}/${INSTRUCTIONS}`]),
  ];
  return {
    argv,
    env: {...settings, ...modelEnvironment(homePath, model), ...(input.isResumed ? resumed : {})},
    session: input.isResumed ? ['.claude/projects'] : undefined,
    files: [
      {path: '.claude/settings.json', text: '{}\n'},
      ...(instructions === null ? [] : [{path: INSTRUCTIONS, text: instructions}]),
    ],
    stdin: 'stream',
  };
}

const resumed = {CLAUDE_CODE_RESUME_INTERRUPTED_TURN: '1', CLAUDE_CODE_RESUME_REASON: 'runner_restart'};

const settings: Readonly<Record<string, string>> = {
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  CLAUDE_CODE_DISABLE_CRON: '1',
  CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
  CLAUDE_CODE_STARTUP_FAILURE_RESULTS: '1',
  // Half a minute: a runner that starts again, on a busy machine, is back by then. The queue owns longer waits.
  CLAUDE_CODE_MAX_RETRIES: '6',
  DISABLE_AUTOUPDATER: '1',
  DISABLE_TELEMETRY: '1',
  DISABLE_ERROR_REPORTING: '1',
};

const isOwnLogin = (model: DriverInput['model']): model is OwnLogin => model !== null && 'configDirectory' in model;

/** With the login of its owner the program is told where that is, and nothing else: how it is used is between the two. */
function modelEnvironment(homePath: string, model: DriverInput['model']): Readonly<Record<string, string>> {
  if (isOwnLogin(model)) return {CLAUDE_CONFIG_DIR: model.configDirectory};
  const own = {CLAUDE_CONFIG_DIR: `${homePath}/.claude`, CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST: '1'};
  return model === null ? own : {...own, ANTHROPIC_BASE_URL: model.urls.anthropic, ANTHROPIC_AUTH_TOKEN: model.token};
}

function due(state: ClaudeState, input: DriverInput): readonly AgentLine[] {
  const lines: AgentLine[] = [];
  if (!state.isInitialized) lines.push(initialize);
  for (const request of state.requests) if (request.kind === 'reply') lines.push(response(request.id, request.reply));
  const prompt = message(`${input.task}/prompt`, input.prompt);
  if (state.messages[uuidOf(prompt.id)] === undefined) lines.push(prompt);
  if (isDone(state)) lines.push(control(END_ID, {subtype: 'end_session'}));
  return lines;
}

const initialize = control(INITIALIZE_ID, {
  subtype: 'initialize',
  hooks: {
    PreToolUse: [{matcher: '*', hookCallbackIds: [PRE_TOOL_HOOK], timeout: HOOK_TIMEOUT_S, onFailure: 'block'}],
    // The declared checks run before it is answered.
    Stop: [{hookCallbackIds: [STOP_HOOK], timeout: HOOK_TIMEOUT_S}],
  },
  sdkMcpServers: [TOOL_SERVER],
});

function isDone({turn, messages}: ClaudeState): boolean {
  return turn !== null && !Object.values(messages).includes('queued');
}

function answer({requests}: ClaudeState, ask: Ask, given: Answer): AgentLine | null {
  const request = requests.find(each => each.kind !== 'reply' && each.ask.id === ask.id);
  const body = request === undefined ? null : answerBody(request, given);
  return body === null ? null : response(ask.id, body);
}

function answerBody(request: OpenRequest, given: Answer): object | null {
  if (request.kind === 'reply') return null;
  if (request.kind === 'call') return given.kind === 'result' ? resultBody(request.rpcId, given) : null;
  const {ask, via} = request;
  if (ask.kind === 'stop') return given.kind === 'goOn' ? {decision: 'block', reason: given.reason} : {};
  if (given.kind === 'result' || given.kind === 'goOn' || ask.kind !== 'permission') return null;
  return via === 'hook' ? hookBody(given) : promptBody(ask.input, given);
}

type Permission = Extract<Answer, {kind: 'allow' | 'deny' | 'defer'}>;

const resultBody = (id: number | string, {text, isError}: Extract<Answer, {kind: 'result'}>): object => ({
  mcp_response: {jsonrpc: '2.0', id, result: {content: [{type: 'text', text}], isError}},
});

const hookBody = ({kind, reason}: Permission): object => ({
  hookSpecificOutput: {hookEventName: 'PreToolUse', permissionDecision: kind, permissionDecisionReason: reason},
});

function promptBody(input: object, {kind, reason}: Permission): object | null {
  if (kind === 'defer') return null;
  return kind === 'allow' ? {behavior: 'allow', updatedInput: input} : {behavior: 'deny', message: reason};
}

function message(id: string, text: string): AgentLine {
  return line(id, {type: 'user', uuid: uuidOf(id), message: {role: 'user', content: text}, parent_tool_use_id: null});
}

function control(id: string, request: object): AgentLine {
  return line(id, {type: 'control_request', request_id: id, request});
}

function response(id: string, body: object): AgentLine {
  return line(id, {type: 'control_response', response: {subtype: 'success', request_id: id, response: body}});
}

function line(id: string, json: object): AgentLine {
  return {id, text: `${JSON.stringify(json)}\n`, repeat: 'safe'};
}

/** One name, one UUID (version 8, RFC 9562): the program knows a message by it, also after a resume. */
export function uuidOf(name: string): string {
  const hex = createHash('sha256').update(`switchyard ${name}`).digest('hex');
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
