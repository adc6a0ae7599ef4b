import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {OpenAsk, PersonAsk} from './ask-desk.ts';
import type {AttemptResult, GitEvidence, StatedOutcome} from '@switchyard/shared/protocol/exit-record.ts';

/** One attempt as its work sees it: fixed from the verified envelope on. */
export type AttemptPlan = {
  readonly task: string;
  readonly epoch: number;
  readonly spec: TaskSpec;
  readonly branch: string;
  /** Opens the log on the server. */
  readonly logTicket: string;
};

/** A message of a person by its number among those of the task; the agent may have to leave what it is doing for it. */
export type Said = {readonly seq: number; readonly data: string; readonly interrupt?: true | undefined};

export type AgentEnd = {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The driver's reading of what the agent said of its own work. */
  readonly summary: string | null;
  /** Which prompt it was told, such as `coding@1.0.0`; nothing where that was the prompt of its task as it is. */
  readonly prompt?: string | null | undefined;
  /** Set where the attempt has failed already, whatever the worktree holds: a timeout, an agent that never started. */
  readonly result: AttemptResult | null;
};

export type Completion = {
  readonly result: AttemptResult;
  readonly git: GitEvidence | null;
  /** What the agent stated as the outcome of its role. */
  readonly outcome?: StatedOutcome | null | undefined;
};

export type SealedLog = {
  readonly length: number;
  readonly sha256: string;
  readonly receipt: string | null;
  readonly dropped: number;
};

export type WorkObserver = {
  /** A line of progress for people: `fetching`, `3 files changed`. */
  readonly phaseDetail: (plan: AttemptPlan, detail: string) => void;
  readonly agentEvent: (
    plan: AttemptPlan,
    event: {readonly seq: number; readonly kind: string; readonly data: unknown},
  ) => void;
  /** The agent waits for a person. */
  readonly askPerson: (plan: AttemptPlan, ask: PersonAsk) => OpenAsk;
};

/**
 * What an attempt does on this machine: worktree, agent process, log, completion. The reducer decides when, this port
 * does it. Every verb may be called again after a crash of the runner and then continues or repeats without a second
 * effect: `run` adopts an agent that lives, `finish` finds its commit made, `clean` finds nothing left.
 *
 * A rejected promise is a broken promise of the machine (`SwitchyardError`); the caller turns it into a failed result.
 * When `signal` aborts, a verb settles within a second and leaves nothing running that `stop` would not find.
 */
export interface AttemptWork {
  /** Opens the log and makes the worktree. `null` when ready; a result when the attempt cannot run at all. */
  prepare(plan: AttemptPlan, signal: AbortSignal): Promise<AttemptResult | null>;
  /** Starts the agent unless it was started, and resolves when it has ended by itself. */
  run(plan: AttemptPlan, signal: AbortSignal): Promise<AgentEnd>;
  /** Checks, commit, push: the completion by evidence. */
  finish(plan: AttemptPlan, end: AgentEnd, signal: AbortSignal): Promise<Completion>;
  /** Soft stop, `graceMs`, kill. Resolves when no process of the attempt is left. */
  stop(plan: AttemptPlan, graceMs: number): Promise<void>;
  /** Writes the last line, uploads the rest and resolves when the server holds the whole log. Retries for ever. */
  seal(plan: AttemptPlan, closing: {readonly line: string}, signal: AbortSignal): Promise<SealedLog>;
  /** Saves what is unsaved, then leaves no process, worktree or file of the attempt. */
  clean(plan: AttemptPlan): Promise<void>;
  /** False when the agent takes none. */
  input(plan: AttemptPlan, message: Said): Promise<boolean>;
  /** The time of the task is nearly used up: says so to people, and to an agent that takes messages. */
  warn(plan: AttemptPlan, leftMs: number): Promise<void>;
  /** The lease now ends at this time of the boot clock: the shim's dead-man's switch is told. */
  extend(plan: AttemptPlan, deadline: {readonly softBootMs: number; readonly hardBootMs: number}): Promise<void>;
  /** Bytes in the log spool. */
  spoolLength(plan: AttemptPlan): number;
}
