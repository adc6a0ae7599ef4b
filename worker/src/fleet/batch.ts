import type {PoolSettings} from '@switchyard/shared/api/pool-contracts.ts';
import type {AttemptEnd} from '@switchyard/shared/domain/attempt-end.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {LeaseConfig} from '@switchyard/shared/protocol/down.ts';
import type {Draft} from './draft.ts';
import type {Memory} from './memory.ts';
import {outboxDueMs, type AuditRow, type OutboxRow} from './outbox-row.ts';
import {readRunner, upsertRunners, type Runner, type RunnerRow} from './runner-row.ts';
import {saveSettings} from './settings.ts';
import type {Sql} from './sql.ts';
import {
  insertTasks,
  taskById,
  updateTasks,
  waitingStates,
  type TaskChange,
  type TaskRow,
  type TaskUpdate,
} from './task-row.ts';
import {specFrom, specOf} from './spec-row.ts';

export type Json = string | number | boolean | null | readonly Json[] | {readonly [key: string]: Json};

/** Time, chance and the times of the protocol, as one batch sees them. */
export type BatchContext = {
  readonly sql: Sql;
  readonly memory: Memory;
  readonly pool: string;
  readonly nowMs: number;
  /** From 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
  readonly leaseConfig: (leaseClass: 'standard' | 'patient') => LeaseConfig;
  /** Counts what was refused, per kind; such as `renew.gone`. */
  readonly refuse: (kind: string) => void;
};

type EventRow = readonly [task: string, seq: number, atMs: number, kind: string, epoch: number, data: string];
type AttemptRow = readonly [
  task: string,
  epoch: number,
  runner: string,
  outcome: string,
  endedMs: number,
  startedMs: number,
  state: AttemptEnd,
  exitCode: number | null,
  code: string | null,
  detail: string | null,
  said: string | null,
  role: string | null,
];

/** What is remembered of an attempt that has ended, beside the row of its task. */
export type EndedAttempt = {
  /** As the runner reported it, or that the lease was lost. */
  readonly outcome: string;
  readonly state: AttemptEnd;
  readonly exitCode: number | null;
  readonly code: string | null;
  readonly detail: string | null;
  /** What its agent said last, and as JSON which prompt of a role it was told and the outcome that it stated. */
  readonly said: string | null;
  readonly role: string | null;
};

/** A message and the connection that spoke for its runner when it was decided: it is for that one or for none. */
export type Addressed = {readonly runner: string; readonly connection: string; readonly draft: Draft};

type Mark = {readonly at: number; readonly flushes: number};

/** Ends a connection once everything before it was sent. */
export type Closing = {
  readonly runner: string;
  readonly connection: string;
  readonly code: number;
  readonly why: string;
};

/**
 * The unit of work of one transaction: rows as plain objects, changed in memory and written in sets at the end. Every
 * change notes how it is taken back, so an operation that throws leaves no trace although its neighbours commit.
 */
export class Batch {
  readonly context: BatchContext;
  readonly drafts: Addressed[] = [];
  readonly closings: Closing[] = [];
  /** Tasks that ended and whose dependants have not been told. */
  readonly finished: TaskRow[] = [];
  /** When the first of the rows that this batch leaves in the outbox is due; `Infinity` where it leaves none. */
  outboxDueMs = Infinity;

  readonly #changed = new Map<string, TaskUpdate>();
  readonly #created = new Map<string, TaskRow>();
  readonly #runners = new Map<string, RunnerRow>();
  readonly #specs: (readonly [task: string, spec: string])[] = [];
  readonly #events: EventRow[] = [];
  readonly #attempts: AttemptRow[] = [];
  readonly #outbox: (readonly [due: number, id: number, row: string])[] = [];
  readonly #undo: (() => void)[] = [];
  #flushes = 0;
  #hasSettings = false;

  constructor(context: BatchContext) {
    this.context = context;
  }

  get memory(): Memory {
    return this.context.memory;
  }

  get nowMs(): number {
    return this.context.nowMs;
  }

  task(id: string): TaskRow | undefined {
    return (
      this.#changed.get(id)?.after ??
      this.#created.get(id) ??
      this.memory.live.get(id) ??
      taskById(this.context.sql, id)
    );
  }

  /** As it was submitted, also in this batch. */
  spec(task: string): TaskSpec {
    const unwritten = this.#specs.find(each => each[0] === task);
    return unwritten === undefined ? specOf(this.context.sql, task) : specFrom(unwritten[1]);
  }

  create(row: TaskRow, spec: string): TaskRow {
    this.#push(this.#specs, [row.id, spec]);
    this.#set(this.#created, row.id, row);
    this.#replace(undefined, row);
    return row;
  }

  /** The next form of a row; with `event`, its history grows by one line. */
  change(row: TaskRow, change: TaskChange, event?: {readonly kind: string; readonly data?: Json}): TaskRow {
    const next = {...row, ...change, events: event === undefined ? row.events : row.events + 1};
    if (event !== undefined)
      this.#push(this.#events, [
        row.id,
        next.events,
        this.nowMs,
        event.kind,
        next.epoch,
        JSON.stringify(event.data ?? {}),
      ]);
    if (this.#created.has(row.id)) this.#set(this.#created, row.id, next);
    else this.#set(this.#changed, row.id, {before: this.#changed.get(row.id)?.before ?? row, after: next});
    this.#replace(row, next);
    return next;
  }

  runner(id: string): Runner | undefined {
    return this.memory.runners.get(id);
  }

  changeRunner(row: RunnerRow): void {
    this.#set(this.#runners, row.id, row);
    this.#set(this.memory.runners, row.id, readRunner(row));
  }

  /** How an attempt of this runner ended, `undefined` while it has not or when it never was. */
  attemptOutcome(task: string, epoch: number, runner: string): string | undefined {
    const unwritten = this.#attempts.find(each => each[0] === task && each[1] === epoch && each[2] === runner);
    if (unwritten !== undefined) return unwritten[3];
    return this.context.sql.all<{outcome: string}>(
      'SELECT outcome FROM attempt WHERE task = ? AND epoch = ? AND runner = ?',
      task,
      epoch,
      runner,
    )[0]?.outcome;
  }

  /** The newest attempt of a task, of those before an epoch, that ended in any other way than this one; 0 where none did. */
  newestEndBut(task: string, outcome: string, before = Number.MAX_SAFE_INTEGER): number {
    const unwritten = this.#attempts
      .filter(each => each[0] === task && each[3] !== outcome && each[1] < before)
      .map(each => each[1]);
    const [written] = this.context.sql.all<{epoch: number | null}>(
      'SELECT max(epoch) AS epoch FROM attempt WHERE task = ? AND outcome <> ? AND epoch < ?',
      task,
      outcome,
      before,
    );
    return Math.max(0, written?.epoch ?? 0, ...unwritten);
  }

  attemptEnded({id, epoch, runner, started_ms}: TaskRow, ended: EndedAttempt): void {
    if (runner === null) return;
    const {nowMs} = this;
    const {outcome, state, exitCode, code, detail, said, role} = ended;
    const times = [nowMs, started_ms ?? nowMs] as const;
    this.#push(this.#attempts, [id, epoch, runner, outcome, ...times, state, exitCode, code, detail, said, role]);
  }

  /** Best effort: nothing is sent to a runner without a connection, for its next `hello` asks for everything again. */
  send(runner: string | null, draft: Draft): void {
    const connection = runner === null ? null : (this.runner(runner)?.row.connection ?? null);
    if (runner !== null && connection !== null) this.#push(this.drafts, {runner, connection, draft});
  }

  close(closing: Closing): void {
    this.#push(this.closings, closing);
  }

  changeSettings(settings: PoolSettings): void {
    const {memory} = this;
    const before = memory.settings;
    memory.settings = settings;
    this.#hasSettings = true;
    this.#undo.push(() => {
      memory.settings = before;
    });
  }

  /** Notes how a change outside this object is taken back. */
  undoable(undo: () => void): void {
    this.#undo.push(undo);
  }

  finish(row: TaskRow): void {
    this.#push(this.finished, row);
  }

  emit(row: OutboxRow): void {
    this.memory.outboxId += 1;
    const dueMs = outboxDueMs(row, this.nowMs);
    this.outboxDueMs = Math.min(this.outboxDueMs, dueMs);
    this.#push(this.#outbox, [dueMs, this.memory.outboxId, JSON.stringify(row)]);
  }

  audit(entry: Pick<AuditRow, 'actor' | 'action' | 'target' | 'detail'>): void {
    this.memory.auditSeq += 1;
    this.context.sql.run(
      "INSERT INTO setting (name, value) VALUES ('audit_seq', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      String(this.memory.auditSeq),
    );
    this.emit({kind: 'audit', at_ms: this.nowMs, pool: this.context.pool, seq: this.memory.auditSeq, ...entry});
  }

  mark(): Mark {
    return {at: this.#undo.length, flushes: this.#flushes};
  }

  /** Takes back everything since the mark, newest first. Throws when part of it is written: then nothing may commit. */
  rollBack(mark: Mark): void {
    if (mark.flushes !== this.#flushes) throw new Error('an operation failed after a part of it was written');
    while (this.#undo.length > mark.at) this.#undo.pop()?.();
  }

  /** Writes what has changed so far, in few statements. */
  flush(): void {
    const {sql} = this.context;
    insertTasks(sql, this.#created.values());
    updateTasks(sql, this.#changed.values());
    upsertRunners(sql, [...this.#runners.values()]);
    insert(sql, 'task_spec (task, spec)', this.#specs);
    for (const [task, spec] of this.#specs) this.memory.freshSpecs.add(task, spec);
    insert(sql, 'task_event (task, seq, at_ms, kind, epoch, data)', this.#events);
    insert(
      sql,
      'attempt (task, epoch, runner, outcome, ended_ms, started_ms, state, exit_code, code, detail, said, role)',
      this.#attempts,
    );
    insert(
      sql,
      'outbox (due_ms, id, row, failures)',
      this.#outbox.map(row => [...row, 0]),
    );
    this.memory.spending.flush(sql);
    if (this.#hasSettings) saveSettings(sql, this.memory.settings);
    this.#hasSettings = false;
    for (const written of [this.#created, this.#changed, this.#runners]) written.clear();
    for (const written of [this.#specs, this.#events, this.#attempts, this.#outbox]) written.length = 0;
    // What is written is no longer taken back alone: the whole transaction is.
    this.#undo.length = 0;
    this.#flushes += 1;
  }

  #replace(before: TaskRow | undefined, after: TaskRow | undefined): void {
    this.#apply(before, after);
    this.#undo.push(() => this.#apply(after, before));
  }

  #apply(before: TaskRow | undefined, after: TaskRow | undefined): void {
    const {memory} = this;
    memory.live.replace(before, after);
    if (before?.state === 'queued') memory.lanes.remove(before);
    if (after?.state === 'queued') memory.lanes.add(after);
    memory.waiting += Number(isWaiting(after)) - Number(isWaiting(before));
    if (after?.due_ms !== undefined && after.due_ms !== null) memory.dueMs = Math.min(memory.dueMs, after.due_ms);
  }

  #set<Value>(map: Map<string, Value>, key: string, value: Value): void {
    const before = map.get(key);
    map.set(key, value);
    this.#undo.push(() => {
      if (before === undefined) map.delete(key);
      else map.set(key, before);
    });
  }

  #push<Item>(list: Item[], item: Item): void {
    list.push(item);
    this.#undo.push(() => list.pop());
  }
}

const isWaiting = (row: TaskRow | undefined): boolean => row !== undefined && waitingStates.has(row.state);

/** Values that one statement may bind (developers.cloudflare.com/durable-objects/platform/limits). */
const boundMax = 100;

/** Few rows come at once, and to bind them costs SQLite less than to read them out of JSON; many cost the same. */
function insert(sql: Sql, into: string, rows: readonly (readonly (string | number | null)[])[]): void {
  const [first] = rows;
  if (first === undefined) return;
  const places = `(${first.map(() => '?').join(', ')})`;
  const rowsMax = Math.floor(boundMax / first.length);
  for (let at = 0; at < rows.length; at += rowsMax) {
    const some = rows.slice(at, at + rowsMax);
    sql.run(`INSERT INTO ${into} VALUES ${some.map(() => places).join(', ')}`, ...some.flat());
  }
}
