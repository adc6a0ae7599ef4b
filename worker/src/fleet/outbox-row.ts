import type {Scope} from '@switchyard/shared/api/contract.ts';
import type {AttemptEnd} from '@switchyard/shared/domain/attempt-end.ts';
import type {ErrorCode} from '@switchyard/shared/domain/error.ts';
import type {RunnerId, TaskId} from '@switchyard/shared/domain/id.ts';
import type {TaskState} from '@switchyard/shared/machine/task-machine.ts';
import type {GitEvidence, ToldRole} from '@switchyard/shared/protocol/exit-record.ts';

/**
 * What the Fleet tells the rest of the control plane, written in the transaction that made it true and delivered
 * afterwards, at least once and in any order: whoever takes a row upserts by its key and ignores a row that is older
 * than what it has (`at_ms`).
 */

/** One finished attempt; key (task, epoch). An attempt never changes after this row. */
export type HistoryAttemptRow = {
  readonly kind: 'history.attempt';
  readonly at_ms: number;
  readonly pool: string;
  readonly task: TaskId;
  readonly epoch: number;
  readonly runner: RunnerId;
  readonly title: string;
  readonly repository: string | null;
  readonly agent_type: string;
  /** The state to which this attempt led: a finished one, or `pending` and `queued` where the task goes on. */
  readonly task_state: TaskState;
  readonly outcome: 'succeeded' | 'failed' | 'timed_out' | 'cancelled' | 'interrupted' | 'waiting' | 'lease_lost';
  readonly code: ErrorCode | null;
  readonly queued_ms: number;
  readonly started_ms: number;
  readonly finished_ms: number;
  readonly exit_code: number | null;
  readonly log_bytes: number;
  readonly timings: {readonly prepare_ms: number; readonly run_ms: number; readonly finish_ms: number} | null;
  readonly git: GitEvidence | null;
  /** The prompt of a role that the agent was told, and what it stated; a long outcome is only named. */
  readonly role: ToldRole | null;
};

/** A runner as people manage it; key runner. */
export type DirectoryRunnerRow = {
  readonly kind: 'directory.runner';
  readonly at_ms: number;
  readonly pool: string;
  readonly runner: RunnerId;
  readonly name: string;
  readonly labels: readonly string[];
  /** Public key, base64url. */
  readonly x: string;
  readonly state: 'enrolled' | 'draining' | 'revoked';
  readonly enrolled_ms: number;
};

/** A token or a signing key, never its secret; key id. */
export type DirectoryCredentialRow = {
  readonly kind: 'directory.credential';
  readonly at_ms: number;
  readonly pool: string;
  readonly id: string;
  readonly name: string;
  readonly credential_kind: 'token' | 'hmac' | 'ed25519';
  readonly scope: Scope;
  readonly hash: string | null;
  readonly created_ms: number;
  readonly revoked_ms: number | null;
};

/** Who changed what; key (pool, seq). */
export type AuditRow = {
  readonly kind: 'audit';
  readonly at_ms: number;
  readonly pool: string;
  /** Rises by one with each audited action of the pool. */
  readonly seq: number;
  /** `token:<id>`, `signer:<id>`, `dispatch` or `root`. */
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly detail: string;
};

/** Rows for D1; `deliverToDirectory(database, rows)` takes up to `directoryBatchMax` of them at once. */
export type DirectoryRow = HistoryAttemptRow | DirectoryRunnerRow | DirectoryCredentialRow | AuditRow;

/** The viewers of a log are told that the task has ended, or, where an epoch is named, that attempt. */
export type LogFinishRow = {readonly kind: 'log.finish'; readonly at_ms: number; readonly task: TaskId} & (
  | {readonly state: TaskState}
  | {readonly epoch: number; readonly state: AttemptEnd}
);

/** The runner of this attempt may write its log no more: it was revoked, or its lease ran out. */
export type LogFenceRow = {
  readonly kind: 'log.fence';
  readonly at_ms: number;
  readonly task: TaskId;
  readonly epoch: number;
};

/** The exit of this attempt said that its log is empty, and was taken: no byte may come into it any more. */
export type LogSealRow = {
  readonly kind: 'log.seal';
  readonly at_ms: number;
  readonly task: TaskId;
  readonly epoch: number;
  readonly runner: string;
};

/** Rows for the log of one task. */
export type LogRow = LogFinishRow | LogFenceRow | LogSealRow;

export type OutboxRow = DirectoryRow | LogRow;

const logKinds: ReadonlySet<string> = new Set<LogRow['kind']>(['log.finish', 'log.fence', 'log.seal']);

export const isLogRow = (row: OutboxRow): row is LogRow => logKinds.has(row.kind);

export const directoryBatchMax = 500;

/** The directory hears of things at most this much later, so that what happened together is written together. */
export const directoryDelayMs = 1_000;

/**
 * When a row is due. Somebody may look at a log or write it, so what ends that is told at once; rows for the directory fall due together, at
 * whole seconds: one alarm and one write for all of them.
 */
export function outboxDueMs(row: OutboxRow, nowMs: number): number {
  return isLogRow(row) ? nowMs : (Math.floor(nowMs / directoryDelayMs) + 1) * directoryDelayMs;
}

/** Where the rows go. A rejected promise means that the same rows come again later. */
export type OutboxTargets = {
  readonly deliverToDirectory: (rows: readonly DirectoryRow[]) => Promise<void>;
  readonly tellLog: (row: LogRow) => Promise<void>;
};
