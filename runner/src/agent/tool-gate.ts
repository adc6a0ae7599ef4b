import type {ToolCall} from '@switchyard/shared/policy/charter/act.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import {toolsOf} from '@switchyard/shared/policy/tool-profile.ts';
import type {Answer, Ask} from './driver.ts';
import {answerOurTool, questionOf, readOurCall} from './our-tool-call.ts';
import {OUR_PREFIX} from './our-tools.ts';
import type {Ruling} from './ruling.ts';

/** What a person is asked for an agent, by the id of the tool call; of a `call` the control plane decides by itself. */
export type PersonQuestion = {
  readonly id: string;
  readonly kind: 'permission' | 'question' | 'call';
  readonly tool: string;
  readonly input: unknown;
  readonly reason: string;
  readonly rule: string | null;
};

export type PersonReply = {
  readonly decision: 'approve' | 'reject' | 'answer';
  readonly text: string;
  /** Null where nobody decided in time. */
  readonly by: string | null;
};

export type ToolGateOptions = {
  readonly spec: TaskSpec;
  /** What the charter of this machine says; null where it has none. */
  readonly ruling: ((call: ToolCall) => Ruling) | null;
  /** Waits for a person; `later` where the agent can be put off and nobody decided soon. */
  readonly askPerson: (
    question: PersonQuestion,
    how: {readonly canDefer: boolean; readonly withdrawn: AbortSignal},
  ) => Promise<PersonReply | 'later'>;
  /** A line of progress for people. */
  readonly progress: (text: string) => Promise<void>;
  /** Whether an agent that wants to end its turn may. */
  readonly mayEnd: (ask: Extract<Ask, {kind: 'stop'}>) => Promise<Answer>;
};

type Permission = Extract<Ask, {kind: 'permission'}>;

/** The reason of what needs no word: a tool of the profile, or of ours. */
export const USUAL = 'in the profile of this task';

const QUESTION_TOOL = `${OUR_PREFIX}ask_person`;

/**
 * Answers what the agent of one attempt asks, as soon as that is decided. What is not allowed by name is denied, whatever
 * its program thinks; within that the charter rejects first, then asks a person, then approves.
 */
export function toolGate(given: ToolGateOptions): (ask: Ask, withdrawn: AbortSignal) => Promise<Answer> {
  const options = {...given, askPerson: announced(given)};
  const allowed: ReadonlySet<string> = new Set(toolsOf(options.spec.agent));
  return async (ask, withdrawn) => {
    switch (ask.kind) {
      case 'stop':
        return options.mayEnd(ask);
      case 'permission':
        if (ask.tool === QUESTION_TOOL && ask.canDefer) return questionAsked(options, ask, withdrawn);
        if (ask.tool.startsWith(OUR_PREFIX)) return {kind: 'allow', reason: USUAL};
        if (allowed.has(ask.tool) || ask.isHeld === true) return ruled(options, ask, withdrawn);
        return {kind: 'deny', reason: `${ask.tool} is not among the tools of this task: ${[...allowed].join(', ')}`};
      case 'tool':
        return answerOurTool(options, ask, withdrawn);
    }
  };
}

/** Whoever watches the log learns that somebody has to decide, and where: once for each question. */
function announced({askPerson, progress}: ToolGateOptions): ToolGateOptions['askPerson'] {
  const told = new Set<string>();
  return async (question, how) => {
    const {id, kind, tool, reason} = question;
    if (kind !== 'call' && !told.has(id)) {
      told.add(id);
      await progress(`waits for a person, see switchyard approvals list: ${tool}: ${reason}`);
    }
    return askPerson(question, how);
  };
}

async function ruled(options: ToolGateOptions, ask: Permission, withdrawn: AbortSignal): Promise<Answer> {
  const {ruling, askPerson} = options;
  const {tool, input, toolCall: id, canDefer} = ask;
  const {decision, rule, reason} = ruling?.({tool, input}) ?? profileRuling;
  switch (decision) {
    case 'default':
      return {kind: 'allow', reason: USUAL};
    case 'approve':
      return {kind: 'allow', reason};
    case 'reject':
      return {kind: 'deny', reason};
    case 'escalate': {
      const reply = await askPerson({id, kind: 'permission', tool, input, reason, rule}, {canDefer, withdrawn});
      return reply === 'later' ? {kind: 'defer', reason} : permissionOf(reply);
    }
  }
}

const profileRuling: Ruling = {decision: 'default', rule: null, reason: 'this machine has no charter'};

function permissionOf({decision, text, by}: PersonReply): Answer {
  const why = text === '' ? '' : `: ${text}`;
  if (decision === 'approve') return {kind: 'allow', reason: `${by ?? 'a person'} approved it${why}`};
  return {kind: 'deny', reason: by === null ? `rejected${why}` : `${by} rejected it${why}`};
}

/** The agent waits here, where it can be put off, and not in the call of the tool, where it cannot. */
async function questionAsked(
  {askPerson}: ToolGateOptions,
  {input, toolCall, canDefer}: Permission,
  withdrawn: AbortSignal,
): Promise<Answer> {
  const call = readOurCall('ask_person', input);
  // The tool says what is wrong with its input.
  if (call instanceof SwitchyardError) return {kind: 'allow', reason: USUAL};
  const reply = await askPerson(questionOf(toolCall, call.input), {canDefer, withdrawn});
  return reply === 'later' ? {kind: 'defer', reason: 'nobody has answered yet'} : {kind: 'allow', reason: 'answered'};
}
