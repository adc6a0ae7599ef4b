import type {RandomBytes} from '@switchyard/shared/domain/id.ts';
import type {LeaseConfig} from '@switchyard/shared/protocol/down.ts';
import {Batch, type Addressed, type Closing} from './batch.ts';
import {passDeadlines} from './deadlines.ts';
import {wakeDependants} from './dependants.ts';
import {dispatch} from './dispatch.ts';
import {mail} from './mailbox.ts';
import {loadMemory, type Memory} from './memory.ts';
import {migrate, type Migration} from './migrator.ts';
import type {Sql} from './sql.ts';
import type {Sight} from './views.ts';

export type CoreParts = {
  readonly pool: string;
  readonly sql: Sql;
  readonly nowMs: () => number;
  /** From 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
  readonly randomBytes: RandomBytes;
  readonly leaseConfig: (leaseClass: 'standard' | 'patient') => LeaseConfig;
  readonly migrations: readonly Migration[];
};

/**
 * One operation: changes the unit of work, and answers a reader that is called once everything of the batch has been
 * decided and written, so that what it shows is what was committed.
 */
export type Work<Value> = (batch: Batch) => () => Value;

export type Settled<Value> = {readonly ok: true; readonly value: Value} | {readonly ok: false; readonly error: unknown};

export type Executed = {
  /** In the order of the operations. */
  readonly results: readonly Settled<unknown>[];
  readonly drafts: readonly Addressed[];
  readonly closings: readonly Closing[];
  /** When the first new row of the outbox is due; `Infinity` where there is none. */
  readonly outboxDueMs: number;
};

/**
 * The Fleet without its platform: synchronous, with time and chance from outside, over any SQLite. A Durable Object
 * runs it behind group commit; a simulation calls `execute` directly.
 */
export class FleetCore {
  readonly parts: CoreParts;
  #memory: Memory;
  readonly #refused = new Map<string, number>();

  constructor(parts: CoreParts) {
    this.parts = parts;
    migrate(parts.sql, parts.migrations, parts.nowMs());
    this.#memory = loadMemory(parts.sql);
  }

  get memory(): Memory {
    return this.#memory;
  }

  /** Events that were refused since the object started, per kind. */
  get refused(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#refused);
  }

  sight(): Sight {
    const {sql, pool, nowMs} = this.parts;
    return {sql, memory: this.#memory, pool, nowMs: nowMs()};
  }

  refuse(kind: string): void {
    this.#refused.set(kind, (this.#refused.get(kind) ?? 0) + 1);
  }

  /**
   * Runs operations as one transaction: what the clock demands first, then each operation (one that throws is taken
   * back alone), then those who waited for what ended, then dispatch. When the transaction itself fails, nothing of it
   * remains and this throws.
   */
  execute(works: readonly Work<unknown>[]): Executed {
    const {sql, pool, random, leaseConfig, nowMs} = this.parts;
    const refuse = (kind: string): void => this.refuse(kind);
    const batch = new Batch({sql, memory: this.#memory, pool, nowMs: nowMs(), random, leaseConfig, refuse});
    let readers: readonly Settled<() => unknown>[];
    try {
      readers = sql.transaction(() => {
        passDeadlines(batch);
        const done = works.map(work => attempt(batch, work));
        batch.memory.avoidance.expire(batch.nowMs);
        // Ends: a task that is kept back for good is one less each time.
        do {
          wakeDependants(batch);
          dispatch(batch);
        } while (batch.finished.length > 0);
        batch.flush();
        mail(sql, batch.memory, batch.drafts);
        return done;
      });
    } catch (error) {
      this.#memory = loadMemory(sql);
      throw error;
    }
    return {
      results: readers.map(read),
      drafts: batch.drafts,
      closings: batch.closings,
      outboxDueMs: batch.outboxDueMs,
    };
  }

  /** When `execute` has to be called again although nothing arrives; `Infinity` when never. */
  nextDueMs(): number {
    const {live, dueMs, approvalDueMs, avoidance, spending} = this.#memory;
    // A lease belongs to its holder through its last millisecond.
    const own = Math.min(live.earliestMs + 1, dueMs, approvalDueMs, spending.dueMs());
    return Math.min(own, avoidance.expire(this.parts.nowMs()));
  }
}

function attempt(batch: Batch, work: Work<unknown>): Settled<() => unknown> {
  const mark = batch.mark();
  try {
    return {ok: true, value: work(batch)};
  } catch (error) {
    batch.rollBack(mark);
    return {ok: false, error};
  }
}

function read(settled: Settled<() => unknown>): Settled<unknown> {
  if (!settled.ok) return settled;
  try {
    return {ok: true, value: settled.value()};
  } catch (error) {
    return {ok: false, error};
  }
}
