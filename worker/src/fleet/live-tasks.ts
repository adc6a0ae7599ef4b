import {readLane} from './lane.ts';
import type {Sql} from './sql.ts';
import {liveStates, type TaskRow} from './task-row.ts';

/**
 * The tasks that are offered, leased or being cancelled, with what is counted from them. Everything here follows from
 * the rows alone, so taking a change back is putting the row before it.
 */
export class LiveTasks {
  readonly #rows = new Map<string, TaskRow>();
  readonly #byRunner = new Map<string, Map<string, TaskRow>>();
  readonly #heldByRunner = new Map<string, Map<string, number>>();
  readonly #activeByConcurrency = new Map<string, number>();
  #earliestMs = Infinity;

  constructor(sql: Sql) {
    const held = sql.all<TaskRow>(
      `SELECT * FROM task INDEXED BY task_held
       WHERE runner IS NOT NULL AND finished_ms IS NULL AND state IN ('offered', 'leased', 'cancelling')`,
    );
    for (const row of held) this.#add(row);
  }

  get size(): number {
    return this.#rows.size;
  }

  /** A lower bound of the next expiry; `Infinity` when nothing is live. */
  get earliestMs(): number {
    return this.#earliestMs;
  }

  get(id: string): TaskRow | undefined {
    return this.#rows.get(id);
  }

  all(): Iterable<TaskRow> {
    return this.#rows.values();
  }

  ofRunner(runner: string): Iterable<TaskRow> {
    return this.#byRunner.get(runner)?.values() ?? [];
  }

  /** Attempts that a runner holds or may hold, per class of slot. */
  heldBy(runner: string): ReadonlyMap<string, number> {
    return this.#heldByRunner.get(runner) ?? new Map();
  }

  active(concurrencyKey: string): number {
    return this.#activeByConcurrency.get(concurrencyKey) ?? 0;
  }

  /** Replaces a row by its next form; either may be missing or not live. */
  replace(before: TaskRow | undefined, after: TaskRow | undefined): void {
    if (before !== undefined && liveStates.has(before.state)) this.#remove(before);
    if (after !== undefined && liveStates.has(after.state)) this.#add(after);
  }

  /** Rows whose offer or lease is over, and a fresh lower bound. */
  takePast(nowMs: number): readonly TaskRow[] {
    if (nowMs <= this.#earliestMs) return [];
    const past: TaskRow[] = [];
    this.#earliestMs = Infinity;
    for (const row of this.#rows.values()) {
      const expiresMs = row.expires_ms ?? Infinity;
      if (nowMs > expiresMs) past.push(row);
      else this.#earliestMs = Math.min(this.#earliestMs, expiresMs);
    }
    return past;
  }

  counts(): {readonly offered: number; readonly leased: number; readonly cancelling: number} {
    const counts = {offered: 0, leased: 0, cancelling: 0};
    for (const {state} of this.#rows.values())
      if (state === 'offered' || state === 'leased' || state === 'cancelling') counts[state] += 1;
    return counts;
  }

  #add(row: TaskRow): void {
    this.#rows.set(row.id, row);
    this.#earliestMs = Math.min(this.#earliestMs, row.expires_ms ?? Infinity);
    if (row.conc_key !== null) count(this.#activeByConcurrency, row.conc_key, 1);
    if (row.runner === null) return;
    const held = this.#heldByRunner.get(row.runner) ?? new Map<string, number>();
    this.#heldByRunner.set(row.runner, held);
    count(held, classOf(row), 1);
    const rows = this.#byRunner.get(row.runner) ?? new Map<string, TaskRow>();
    this.#byRunner.set(row.runner, rows.set(row.id, row));
  }

  #remove(row: TaskRow): void {
    this.#rows.delete(row.id);
    if (row.conc_key !== null) count(this.#activeByConcurrency, row.conc_key, -1);
    if (row.runner === null) return;
    const held = this.#heldByRunner.get(row.runner);
    if (held !== undefined) count(held, classOf(row), -1);
    this.#byRunner.get(row.runner)?.delete(row.id);
  }
}

const classByLane = new Map<string, string>();
const classesKeptMax = 10_000;

/** Parsing a lane is dear next to counting. */
function classOf({lane}: TaskRow): string {
  const known = classByLane.get(lane);
  if (known !== undefined) return known;
  if (classByLane.size >= classesKeptMax) classByLane.clear();
  const {slotClass} = readLane(lane);
  classByLane.set(lane, slotClass);
  return slotClass;
}

function count(counts: Map<string, number>, key: string, change: number): void {
  const next = (counts.get(key) ?? 0) + change;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}
