import {directoryBatchMax, isLogRow, type DirectoryRow, type OutboxRow, type OutboxTargets} from './outbox-row.ts';
import {one, type Sql} from './sql.ts';

const backoffBaseMs = 1_000;
const backoffMaxMs = 300_000;
/** Batches that one run delivers; the rest waits for the next. */
const batchesMax = 50;

export type OutboxParts = {readonly sql: Sql; readonly nowMs: () => number; readonly targets: OutboxTargets};

type Stored = {readonly due_ms: number; readonly id: number; readonly failures: number; readonly row: string};

/**
 * Delivers what transactions left to be told, at least once. Rows of one target go in batches; rows that could not be
 * delivered come again later and later, and never stop the ones behind them.
 */
export class Outbox {
  readonly #parts: OutboxParts;
  #running: Promise<void> | undefined;
  #isWanted = false;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Resolves when nothing is due. One run at a time; a call during a run makes it look again. */
  async drain(): Promise<void> {
    this.#isWanted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** When the next row is due; `Infinity` when there is none. */
  nextDueMs(): number {
    return one(this.#parts.sql.all<{due: number | null}>('SELECT min(due_ms) AS due FROM outbox')).due ?? Infinity;
  }

  async #run(): Promise<void> {
    for (let batches = 0; this.#isWanted && batches < batchesMax;) {
      this.#isWanted = false;
      for (let rows = this.#due(); rows.length > 0 && batches < batchesMax; rows = this.#due()) {
        await this.#deliver(rows);
        batches += 1;
      }
    }
  }

  #due(): readonly Stored[] {
    const {sql, nowMs} = this.#parts;
    return sql.all<Stored>(
      'SELECT due_ms, id, failures, row FROM outbox WHERE due_ms <= ? ORDER BY due_ms, id LIMIT ?',
      nowMs(),
      directoryBatchMax,
    );
  }

  async #deliver(stored: readonly Stored[]): Promise<void> {
    const {deliverToDirectory, tellLog} = this.#parts.targets;
    const opened = stored.map(each => ({stored: each, row: rowFrom(each.row)}));
    const directory = opened.flatMap(({stored: of, row}) => (isLogRow(row) ? [] : [{of, row}]));
    const logs = opened.flatMap(({stored: of, row}) => (isLogRow(row) ? [{of, row}] : []));
    const [told] = await Promise.allSettled([
      directory.length === 0 ? Promise.resolve() : this.#tell(directory, deliverToDirectory),
      ...logs.map(async ({of, row}) => this.#settle([of], tellLog(row))),
    ]);
    if (told.status === 'rejected') throw told.reason;
  }

  /** A row that D1 refuses must not hold up its neighbours: after a failure each comes again by itself. */
  async #tell(
    rows: readonly {readonly of: Stored; readonly row: DirectoryRow}[],
    deliver: OutboxTargets['deliverToDirectory'],
  ): Promise<void> {
    const fresh = rows.filter(({of}) => of.failures === 0);
    const again = rows.filter(({of}) => of.failures > 0);
    const groups = [...(fresh.length === 0 ? [] : [fresh]), ...again.map(each => [each])];
    for (const group of groups)
      await this.#settle(
        group.map(({of}) => of),
        deliver(group.map(({row}) => row)),
      );
  }

  async #settle(rows: readonly Stored[], delivery: Promise<void>): Promise<void> {
    const {sql, nowMs} = this.#parts;
    const remove = (): void =>
      sql.run(
        'DELETE FROM outbox WHERE (due_ms, id) IN (SELECT value->>0, value->>1 FROM json_each(?))',
        JSON.stringify(rows.map(({due_ms, id}) => [due_ms, id])),
      );
    try {
      await delivery;
      remove();
    } catch {
      // Kept and counted in the row itself; `probe` shows how many wait.
      sql.transaction(() => {
        remove();
        for (const {id, failures, row} of rows) {
          const dueMs = nowMs() + Math.min(backoffMaxMs, backoffBaseMs * 2 ** Math.min(failures, 20));
          sql.run('INSERT INTO outbox (due_ms, id, failures, row) VALUES (?, ?, ?, ?)', dueMs, id, failures + 1, row);
        }
      });
    }
  }
}

const kinds: ReadonlySet<string> = new Set<OutboxRow['kind']>([
  'history.attempt',
  'directory.runner',
  'directory.credential',
  'audit',
  'log.finish',
  'log.fence',
  'log.seal',
]);

/** Throws for a kind that this version does not know: it must not be dropped as if it were delivered. */
function rowFrom(text: string): OutboxRow {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the Fleet wrote this text from an OutboxRow
  const row = JSON.parse(text) as OutboxRow;
  if (!kinds.has(row.kind)) throw new Error(`the outbox holds a row of an unknown kind: ${row.kind}`);
  return row;
}
