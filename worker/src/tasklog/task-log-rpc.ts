import type {AttemptEnd} from '@switchyard/shared/domain/attempt-end.ts';
import type {LogExchange} from './runner-exchange.ts';
import type {RunnerState} from './socket-role.ts';
import type {TaskState} from '@switchyard/shared/machine/task-machine.ts';

/**
 * The log of one task: ONE byte stream in which the attempts follow each other. An attempt owns the range from its
 * `base`; when a higher epoch opens, the lower one is fenced and its length never changes again, so an offset of the
 * stream means the same for ever.
 */
export type LogPage = {
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  readonly length: number;
  readonly sealed: boolean;
  readonly bytes: Uint8Array;
};

/** Chunks of one attempt as they were stored; `to` is where a chunk ends in the attempt. */
export type LogChunks = {
  readonly chunks: readonly {readonly to: number; readonly atMs: number | null; readonly bytes: Uint8Array}[];
  readonly length: number;
  readonly sealed: boolean;
};

export interface TaskLogRpc {
  /** Frames and control messages of the runner of an attempt, which the Worker has verified, and the answers to them. */
  exchange(attempt: RunnerState, messages: readonly (string | Uint8Array)[]): Promise<LogExchange>;
  /** At most `bytesMax` bytes from an offset of the stream, or of one attempt where `epoch` is given. */
  read(range: {
    readonly from: number;
    readonly bytesMax: number;
    readonly epoch?: number | undefined;
  }): Promise<LogPage>;
  /** Whole chunks from an offset of an attempt on, the first one cut at that offset; at least one where there is one. */
  readChunks(range: {readonly from: number; readonly bytesMax: number; readonly epoch: number}): Promise<LogChunks>;
  /** The task has ended: viewers are told the state and let go. Safe to repeat. */
  finish(state: TaskState): Promise<void>;
  /** An attempt has ended: its own viewers are told how and let go. Safe to repeat; the first end stays. */
  finishAttempt(epoch: number, state: AttemptEnd): Promise<void>;
  /** This attempt and every lower one may write no more: the tickets of their runners are worth nothing. */
  fence(epoch: number): Promise<void>;
  /** This attempt ended without a byte: it is fenced, and sealed as empty unless there are bytes of it. Safe to repeat. */
  sealEmpty(epoch: number, runner: string): Promise<void>;
}

/**
 * Set by the Worker on upgrades and streams after it has verified them; stripped from what clients send. The state is that of the
 * task, or the end of the attempt where a viewer names one.
 */
export const logRoleHeader = 'x-switchyard-log-role';
export const logTaskHeader = 'x-switchyard-log-task';
export const logEpochHeader = 'x-switchyard-log-epoch';
export const logStateHeader = 'x-switchyard-log-state';

/** Durable Object names: a pool's Fleet, a task's log. */
export function fleetName(pool: string): string {
  return `pool:${pool}`;
}
export function taskLogName(pool: string, task: string): string {
  return `task:${pool}:${task}`;
}
