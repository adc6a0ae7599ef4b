import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';

/** What the agent did or said, in the vocabulary of the Agent Client Protocol's session updates where it has one. */
export type AgentEvent = {readonly kind: string; readonly data: unknown};

export type DriverInput = {
  readonly spec: TaskSpec;
  /** A file with the prompt, readable by the agent, outside the worktree. */
  readonly promptPath: string;
  /** The Node that runs this program, for the bundled agent. */
  readonly nodePath: string;
};

export type DriverPlan = {
  readonly argv: readonly string[];
  /** Added to the environment that the policy lets through; never a secret. */
  readonly env: Readonly<Record<string, string>>;
  /** `prompt`: standard input is the prompt and then ends. `stream`: it stays open for `encode`d commands. */
  readonly stdin: 'prompt' | 'stream';
};

export type Decoded<State> = {readonly state: State; readonly events: readonly AgentEvent[]};

export type AgentCommand = {readonly kind: 'message'; readonly text: string};

/** How the agent's process ended. */
export type ProcessEnd = {readonly exitCode: number | null; readonly signal: string | null};

export type Reading = {
  /** What the agent says it did, for people. */
  readonly summary: string | null;
  /** `null` leaves the judgement to the evidence in the worktree. */
  readonly failure: AttemptResult | null;
};

/**
 * The codec of one agent CLI: pure, so that the whole state is a fold over the lines of `out` and a runner that
 * crashed reads them again and knows as much as before.
 */
export interface Driver<State> {
  readonly name: string;
  plan(input: DriverInput): DriverPlan;
  readonly initial: State;
  /** One line of standard output without its end; a line that means nothing to the driver gives no event. */
  decode(state: State, line: string): Decoded<State>;
  /** Bytes for standard input; `null` when this agent takes no such command. */
  encode(command: AgentCommand): string | null;
  read(state: State, end: ProcessEnd): Reading;
}
