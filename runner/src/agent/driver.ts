import type {AgentEventKind, AgentEventOf} from '@switchyard/shared/domain/agent-event.ts';
import type {ToolCall} from '@switchyard/shared/policy/charter/act.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';

/** What the agent did or said; known kinds have the data of `agentEventData`. */
export type AgentEvent = {readonly kind: string; readonly data: unknown};

/** An event of the vocabulary that all drivers share. */
export function agentEvent<Kind extends AgentEventKind>(kind: Kind, data: AgentEventOf<Kind>): AgentEvent {
  return {kind, data};
}

/** What the machine gives an agent to reach a model; the token is worth nothing outside this attempt. */
export type ModelAccess = {
  readonly token: string;
  /** Base URLs of the proxy on loopback, by wire format. */
  readonly urls: {readonly anthropic: string; readonly openai: string; readonly google: string};
};

/** How the agent of an attempt calls our tools over loopback; the token is good for nothing else. */
export type ToolAccess = {readonly token: string; readonly mcpUrl: string; readonly emitUrl: string};

/** The folder in which the agent's own program keeps the login of this machine's owner: no proxy is between them. */
export type OwnLogin = {readonly configDirectory: string};

export type DriverInput = {
  readonly task: string;
  readonly spec: TaskSpec;
  /** What the agent is told first: the prompt of its role, or that of the task as it is. */
  readonly prompt: string;
  /** A file with the prompt, readable by the agent, outside the worktree. */
  readonly promptPath: string;
  /** The Node that runs this program, for the bundled agent. */
  readonly nodePath: string;
  /** The agent's program as it was found on this machine; null for drivers that bring or name their own. */
  readonly program: string | null;
  readonly model: ModelAccess | OwnLogin | null;
  readonly tools: ToolAccess;
  /** Files of this task that only the agent's program reads: its settings, its session. Kept from attempt to attempt. */
  readonly homePath: string;
  /** An earlier attempt of the task left its session under `homePath`. */
  readonly isResumed: boolean;
  /** What the agent's program called that session; null where it has a name of ours, or there is none. */
  readonly session: string | null;
  /** Absolute path of the worktree. */
  readonly workingDirectory: string;
  /** Rules of the base branch and of the role, for the agent's system prompt; never those of the work itself. */
  readonly instructions: string | null;
};

export type DriverPlan = {
  readonly argv: readonly string[];
  /** Added to the environment that the policy lets through; never a secret that outlives the attempt. */
  readonly env: Readonly<Record<string, string>>;
  /** Settings of the agent's program, written before it starts; the path is relative to `homePath`. */
  readonly files: readonly {readonly path: string; readonly text: string}[];
  /** What of `homePath` an agent that goes on needs of an earlier attempt, as patterns; everything when absent. */
  readonly session?: readonly string[] | undefined;
  /** All that the agent will do, where that is known before it starts: it asks nobody on the way. */
  readonly calls?: readonly ToolCall[] | undefined;
  /** `prompt`: standard input is the prompt and then ends. `stream`: it stays open for lines. */
  readonly stdin: 'prompt' | 'stream';
};

export type Decoded<State> = {readonly state: State; readonly events: readonly AgentEvent[]};

/** A line for the standard input of an agent, with its end. */
export type AgentLine = {
  /** One line of an attempt has one id, whichever process of the runner sends it. */
  readonly id: string;
  readonly text: string;
  /** The waiting messages that it carries, by their ids. */
  readonly messages?: readonly string[] | undefined;
  /** `safe`: the agent takes it twice as once. `once`: it is noted on disk before it is sent and never sent again. */
  readonly repeat: 'safe' | 'once';
};

/** What the agent asks and waits for. It stays open until the agent's own output shows that it was answered. */
export type Ask =
  | {
      readonly kind: 'permission';
      readonly id: string;
      readonly tool: string;
      readonly input: Readonly<Record<string, unknown>>;
      /** The tool call it is about; the same after a resume, where `id` is new. */
      readonly toolCall: string;
      /** Whether `defer` is an answer to it. */
      readonly canDefer: boolean;
      /** A sandbox keeps the call within the profile, whatever its tool can do. */
      readonly isHeld?: boolean | undefined;
    }
  /** A call of one of our own tools. */
  | {
      readonly kind: 'tool';
      readonly id: string;
      readonly tool: string;
      readonly input: unknown;
      readonly toolCall: string;
    }
  /** The agent wants to end its turn; `said` is what it said last. */
  | {readonly kind: 'stop'; readonly id: string; readonly said: string};

export type Answer =
  | {readonly kind: 'allow'; readonly reason: string}
  | {readonly kind: 'deny'; readonly reason: string}
  /** Put off: the agent ends, and asks again when it is resumed. Only for drivers that can. */
  | {readonly kind: 'defer'; readonly reason: string}
  | {readonly kind: 'result'; readonly text: string; readonly isError: boolean}
  /** To `stop`: the agent goes on with the reason as its next instruction. */
  | {readonly kind: 'goOn'; readonly reason: string};

export type AgentCommand =
  | {readonly kind: 'message'; readonly id: string; readonly text: string}
  | {readonly kind: 'interrupt'; readonly id: string};

/** What the output of an agent does not show. */
export type Talk = {
  /** Messages that it was not given yet, oldest first. */
  readonly waiting: readonly {readonly id: string; readonly text: string}[];
  /** Whether this line was sent, by whichever process of the runner. */
  readonly hasSent: (lineId: string) => boolean;
};

/** How the agent's process ended. */
export type ProcessEnd = {readonly exitCode: number | null; readonly signal: string | null};

export type Reading = {
  /** What the agent says it did, for people. */
  readonly summary: string | null;
  /** `null` leaves the judgement to the evidence in the worktree. */
  readonly failure: AttemptResult | null;
  /** The tool call that the agent was put off with; it asks again when it is resumed. */
  readonly deferred: string | null;
  /** Set where the agent's program gives that call a new name when it is resumed. */
  readonly putOff?: PutOffCall | undefined;
};

/** The call that an agent was put off with, and what its program calls the session in which it was. */
export type PutOffCall = {
  readonly session: string;
  readonly tool: string;
  readonly input: Readonly<Record<string, unknown>>;
};

/**
 * The codec of one agent CLI: pure, so that the whole state is a fold over the lines of `out` and a runner that
 * crashed reads them again and knows as much as before.
 */
export interface Driver<State> {
  readonly name: string;
  /** Whether a person may type into the agent's standard input as it is. */
  readonly takesTyping: boolean;
  plan(input: DriverInput): DriverPlan;
  readonly initial: State;
  /** One line of standard output without its end; a line that means nothing to the driver gives no event. */
  decode(state: State, line: string): Decoded<State>;
  /** Lines that the agent should have by now and has not shown to have, in order. */
  due(state: State, input: DriverInput, talk: Talk): readonly AgentLine[];
  /** Questions that are open, oldest first. */
  asks(state: State): readonly Ask[];
  /** A line for standard input; `later` when it will be due by itself, `null` when this agent takes no such command. */
  encode(state: State, command: AgentCommand): AgentLine | 'later' | null;
  /** The answer to a question of `asks`; `null` when this agent cannot be given it, or needs none. */
  answer(state: State, ask: Ask, answer: Answer): AgentLine | null;
  /** Whether the output shows that the agent has a message that `encode` made. */
  hasTaken(state: State, messageId: string): boolean;
  /** The work is done, although the process may still live: it is to be ended, once every `stop` is allowed. */
  isDone(state: State, hasSent: Talk['hasSent']): boolean;
  /** The agent was put off and has ended its turn for it: nothing more is said to it. */
  isPutOff(state: State, hasSent: Talk['hasSent']): boolean;
  read(state: State, end: ProcessEnd, hasSent: Talk['hasSent']): Reading;
}
