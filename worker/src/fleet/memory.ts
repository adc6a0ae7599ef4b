import type {PoolSettings} from '@switchyard/shared/api/pool-contracts.ts';
import type {RunnerView} from '@switchyard/shared/api/runner-contracts.ts';
import type {TaskId} from '@switchyard/shared/domain/id.ts';
import type {Resources} from '@switchyard/shared/protocol/resources.ts';
import {firstExpiryMs, tasksThatAsk} from './approval-row.ts';
import {Avoidance} from './avoidance.ts';
import {loadCredentials, type CredentialRecord} from './credential-row.ts';
import {FreshSpecs} from './fresh-specs.ts';
import {Lanes} from './lanes.ts';
import {LiveTasks} from './live-tasks.ts';
import {allRunners, readRunner, type Runner} from './runner-row.ts';
import {loadSettings} from './settings.ts';
import {SpendingBook} from './spending-book.ts';
import {one, type Sql} from './sql.ts';
import {countIdempotencyKeys} from './submitted-before.ts';
import {TurnTaking} from './turn-taking.ts';

export type AttemptResources = Resources & {readonly task: string; readonly epoch: number};

/**
 * What the Fleet keeps in memory of its own database. It is the only writer, so this is never out of date; it is read
 * again from the database when the object starts and after a transaction that failed.
 */
export type Memory = {
  readonly lanes: Lanes;
  readonly live: LiveTasks;
  readonly runners: Map<string, Runner>;
  readonly credentials: Map<string, CredentialRecord>;
  readonly turns: TurnTaking;
  readonly avoidance: Avoidance;
  readonly metrics: Map<string, NonNullable<RunnerView['metrics']>>;
  /** What the attempts of each runner use of it, by its newest report. */
  readonly resources: Map<string, readonly AttemptResources[]>;
  /** When each runner last sent a message. */
  readonly seenMs: Map<string, number>;
  readonly freshSpecs: FreshSpecs;
  readonly spending: SpendingBook;
  settings: PoolSettings;
  /** Whether any task may wait for another one. */
  hasDependencies: boolean;
  /** Whether any sub-task may live. */
  hasSubtasks: boolean;
  /** Tasks in `pending` and `queued`. */
  waiting: number;
  /** Lower bound of the earliest `due_ms`. */
  dueMs: number;
  /** Tasks with an ask that nobody has decided. */
  readonly askingTasks: Set<TaskId>;
  /** Lower bound of the earliest end of such an ask. */
  approvalDueMs: number;
  /** When the newest task was queued, with a fraction that no other task has. */
  queuedMs: number;
  /** Rows of idempotency keys, those that are too old among them until they are deleted. */
  idempotencyKeys: number;
  outboxId: number;
  mailboxSeq: number;
  auditSeq: number;
};

export function loadMemory(sql: Sql): Memory {
  const number = (query: string): number => one(sql.all<{n: number | null}>(query)).n ?? 0;
  const lanes = new Lanes(sql);
  let queued = 0;
  for (const {count} of lanes.all()) queued += count;
  return {
    lanes,
    live: new LiveTasks(sql),
    runners: new Map(allRunners(sql).map(row => [row.id, readRunner(row)])),
    credentials: loadCredentials(sql),
    turns: new TurnTaking(),
    avoidance: new Avoidance(),
    metrics: new Map(),
    resources: new Map(),
    seenMs: new Map(),
    freshSpecs: new FreshSpecs(),
    spending: new SpendingBook(sql),
    settings: loadSettings(sql),
    hasDependencies: number('SELECT EXISTS (SELECT 1 FROM dependency) AS n') === 1,
    hasSubtasks:
      number('SELECT EXISTS (SELECT 1 FROM task WHERE parent IS NOT NULL AND finished_ms IS NULL) AS n') === 1,
    waiting: queued + number("SELECT count(*) AS n FROM task WHERE state = 'pending'"),
    dueMs: one(sql.all<{n: number | null}>('SELECT min(due_ms) AS n FROM task WHERE due_ms IS NOT NULL')).n ?? Infinity,
    askingTasks: new Set(tasksThatAsk(sql)),
    approvalDueMs: firstExpiryMs(sql),
    queuedMs: 0,
    idempotencyKeys: countIdempotencyKeys(sql),
    outboxId: number('SELECT max(id) AS n FROM outbox'),
    mailboxSeq: number('SELECT max(seq) AS n FROM mailbox'),
    auditSeq: number(
      "SELECT CAST(value AS INTEGER) AS n FROM (SELECT max(value) AS value FROM setting WHERE name = 'audit_seq')",
    ),
  };
}
