import type {RunnerId, TaskId} from '@switchyard/shared/domain/id.ts';
import type {TaskState} from '@switchyard/shared/machine/task-machine.ts';
import type {AttemptPhase} from '@switchyard/shared/protocol/attempt-message.ts';
import type {Sql, SqlValue} from './sql.ts';

/** The part of a task that changes. Times are milliseconds since 1970 by the clock of the Fleet. */
type TaskChanging = {
  readonly state: TaskState;
  /** Number of the newest attempt; 0 before the first offer. */
  readonly epoch: number;
  readonly runner: RunnerId | null;
  readonly phase: AttemptPhase | null;
  /** Newest `seq` of the phase and event messages of this epoch; -1 before the first. */
  readonly phase_seq: number;
  readonly event_seq: number;
  /** End of the offer or of the lease. */
  readonly expires_ms: number | null;
  /** When a task that waits has to be looked at: its time has come, or its deadline passes. */
  readonly due_ms: number | null;
  readonly failure_count: number;
  readonly failures: string;
  /** Dependencies that have not succeeded yet. */
  readonly unmet: number;
  readonly queued_ms: number | null;
  readonly started_ms: number | null;
  readonly finished_ms: number | null;
  readonly cancel: string | null;
  readonly result: string | null;
  readonly log_bytes: number;
  /** 1 when the TaskLog must hear of the end although no byte is known. */
  readonly log_live: number;
  /** Rows in task_event; the next one is numbered one higher. */
  readonly events: number;
  /** Messages ever taken, and those that no agent has taken yet. */
  readonly messages: number;
  readonly messages_open: number;
  /** Where it queues: that of its spec, or that of one runner while its session waits there. */
  readonly lane: string;
};

type TaskFixed = {
  readonly id: TaskId;
  readonly order_key: number;
  readonly prefers: string;
  readonly conc_key: string | null;
  readonly attempts_max: number;
  readonly not_before_ms: number | null;
  readonly deadline_ms: number | null;
  readonly title: string;
  readonly repository: string | null;
  readonly agent_type: string;
  readonly created_ms: number;
  readonly retried_from: TaskId | null;
  /** The task whose agent made this one. */
  readonly parent: TaskId | null;
};

export type TaskRow = TaskChanging & TaskFixed;
export type TaskChange = Partial<TaskChanging>;

const changingColumns = [
  'state',
  'epoch',
  'runner',
  'phase',
  'phase_seq',
  'event_seq',
  'expires_ms',
  'due_ms',
  'failure_count',
  'failures',
  'unmet',
  'queued_ms',
  'started_ms',
  'finished_ms',
  'cancel',
  'result',
  'log_bytes',
  'log_live',
  'events',
  'messages',
  'messages_open',
  'lane',
] as const satisfies readonly (keyof TaskChanging)[];

const fixedColumns = [
  'order_key',
  'prefers',
  'conc_key',
  'attempts_max',
  'not_before_ms',
  'deadline_ms',
  'title',
  'repository',
  'agent_type',
  'created_ms',
  'retried_from',
  'parent',
] as const satisfies readonly (keyof TaskFixed)[];

/** Every column of the table, in the order in which they are bound. */
export const taskColumns = ['id', ...changingColumns, ...fixedColumns] as const;

const insertQuery = `INSERT INTO task (${taskColumns.join(', ')}) VALUES (${taskColumns.map(() => '?').join(', ')})`;

/**
 * One statement for each row: the rows are wide, and taking a wide row apart out of JSON costs SQLite four times what
 * binding its columns costs.
 */
export function insertTasks(sql: Sql, rows: Iterable<TaskRow>): void {
  for (const row of rows) sql.run(insertQuery, ...taskColumns.map(name => row[name]));
}

export type TaskUpdate = {readonly before: TaskRow; readonly after: TaskRow};

/** Writes the columns that differ, and no other, so that an index is touched only when something in it changes. */
export function updateTasks(sql: Sql, updates: Iterable<TaskUpdate>): void {
  for (const {before, after} of updates) {
    const names = changingColumns.filter(name => before[name] !== after[name]);
    if (names.length > 0)
      sql.run(
        `UPDATE task SET ${names.map(name => `${name} = ?`).join(', ')} WHERE id = ?`,
        ...names.map((name): SqlValue => after[name]),
        after.id,
      );
  }
}

export function taskById(sql: Sql, id: string): TaskRow | undefined {
  return sql.all<TaskRow>('SELECT * FROM task WHERE id = ?', id)[0];
}

export const liveStates: ReadonlySet<TaskState> = new Set(['offered', 'leased', 'cancelling']);
export const waitingStates: ReadonlySet<TaskState> = new Set(['pending', 'queued']);
