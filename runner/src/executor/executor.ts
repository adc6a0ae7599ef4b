import type {AttemptName} from './attempt-name.ts';
import type {Deadline} from './run-directory.ts';
import type {RunStatus} from './run-status.ts';
import type {TailChunk} from './file-tail.ts';
import type {KillOutcome} from './kill-tree.ts';

/** Everything needed to start one agent. The same plan may be launched again after a crash of the runner. */
export type LaunchPlan = {
  readonly attempt: AttemptName;
  /** Program and arguments, handed over as they are: no shell reads them. */
  readonly argv: readonly [string, ...string[]];
  /** The whole environment of the agent. HOME and TMPDIR point into the run directory unless they are named here. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path of the worktree. */
  readonly cwd: string;
  /** `merged` puts both streams into `out`, in the order they were written. */
  readonly channels: 'separate' | 'merged';
  /** `none` gives the agent an empty input; `stream` one that stays open until `write` ends it. */
  readonly input: 'stream' | 'none';
  /** In force from the first moment, with or without a runner. */
  readonly deadline: Deadline;
  /** Held at once where the executor can; elsewhere whoever launches has to look. */
  readonly memoryBytesMax?: number | undefined;
};

export type Channel = 'out' | 'err';
export type TailOptions = {
  readonly channel: Channel;
  readonly offset: number;
  /** Whether an empty chunk says, each time, that everything written by then has been read. */
  readonly tellsEnd?: boolean;
  readonly signal?: AbortSignal;
};
export type WriteOptions = {readonly end?: boolean; readonly timeoutMs?: number};
export type AgentSignal = 'SIGINT' | 'SIGTERM' | 'SIGKILL';

/**
 * Where an agent runs. Five verbs on a run directory, and the lease's deadline. The directory is the whole state: any
 * process that holds the port and the path can use every verb, so a restart of the runner needs no hand-over.
 */
export type Executor = {
  readonly kind: 'host' | 'tmux' | 'docker' | 'ssh' | 'lima';

  /**
   * Starts the agent, at most once for a run directory however often it is called, by however many processes.
   * Failure: `executor_unavailable` or `disk_full`; the attempt may be launched again. A program that cannot be run
   * is no failure of the launch but an exit with code 126 or 127 and its reason in `err`.
   * Cancel: `signal('SIGKILL')`, which also stops an attempt that has not begun from ever beginning.
   * Restart: if the caller dies before, nothing has started or the shim goes on by itself; call again or read status.
   */
  readonly launch: (plan: LaunchPlan, runDir: string) => Promise<RunStatus>;

  /**
   * The bytes of one channel from an offset, in order, each once; ends when the attempt is final and all was read.
   * Where the shim died and its agent lives on, the agent is ended first, so that the log has an end.
   * Failure: `state_corrupt` when the log is not the file it was (replaced or cut). Cancel: the signal, or leaving the
   * loop; both are silent. Restart: call again with the offset behind the last chunk.
   */
  readonly tail: (runDir: string, options: TailOptions) => AsyncIterable<TailChunk>;

  /**
   * Gives bytes to the agent's input, whole and in the order of the calls of this process; `end` then closes it, which
   * the agent sees within about a second.
   * Failure: `not_running` when nobody reads, or when the agent takes too little within `timeoutMs` (10 s); the detail
   * says how many bytes went in. Restart: bytes that went in are not lost; the caller knows what it sent.
   */
  readonly write: (runDir: string, bytes: Uint8Array, options?: WriteOptions) => Promise<void>;

  /**
   * SIGINT reaches the agent's own process group. SIGTERM reaches everything it started. SIGKILL ends everything,
   * shim included, takes the containment away and answers when nobody is left; call it after an agent has ended by
   * itself too, which keeps its exit.
   * Failure: none for an attempt that has ended; `survivors` names what could not be ended. Restart: call again.
   */
  readonly signal: (runDir: string, signal: AgentSignal, reason?: string) => Promise<KillOutcome>;

  /** What is known right then. Failure: none; what cannot be read counts as absent. Restart: same answer. */
  readonly status: (runDir: string) => Promise<RunStatus>;

  /**
   * Moves the deadline; the dead man obeys within a second. Failure: `disk_full`, and the old deadline stays in force.
   */
  readonly refreshDeadline: (runDir: string, deadline: Deadline) => Promise<void>;
};
