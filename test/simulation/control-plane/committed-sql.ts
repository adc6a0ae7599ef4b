import {DatabaseSync, type StatementSync} from 'node:sqlite';
import type {Sql, SqlValue} from '../../../worker/src/fleet/sql.ts';
import type {LogSql} from '../../../worker/src/tasklog/log-store.ts';

type Binding = string | number | null | ArrayBuffer;

/**
 * The storage of an object: what was written since the last `commit` is lost when the object dies. Everything between
 * two commits is one open transaction of an in-memory SQLite, so a snapshot costs nothing.
 */
export class CommittedSql implements Sql {
  readonly #database = new DatabaseSync(':memory:');
  readonly #prepared = new Map<string, StatementSync>();
  #depth = 0;
  #isOpen = false;

  all<Row extends {readonly [Column in keyof Row]: SqlValue}>(query: string, ...params: readonly SqlValue[]): Row[] {
    return this.#prepare(query).all(...params) as unknown as Row[];
  }

  run(query: string, ...params: readonly SqlValue[]): void {
    this.#begin();
    this.#prepare(query).run(...params);
  }

  transaction<T>(work: () => T): T {
    // With nothing uncommitted before it, the outermost one may roll back everything there is.
    const isWhole = !this.#isOpen;
    const name = `level_${this.#depth}`;
    this.#begin();
    if (!isWhole) this.#prepare(`SAVEPOINT ${name}`).run();
    this.#depth += 1;
    try {
      const value = work();
      this.#depth -= 1;
      if (!isWhole) this.#prepare(`RELEASE ${name}`).run();
      return value;
    } catch (error) {
      this.#depth -= 1;
      if (isWhole) this.rollBack();
      else this.#prepare(`ROLLBACK TO ${name}`).run();
      throw error;
    }
  }

  /** The same storage as the log of a task reaches it. */
  get forLog(): LogSql {
    return {
      exec: <Row extends Record<string, Binding>>(query: string, ...bindings: readonly Binding[]) => {
        if (!query.startsWith('SELECT')) this.#begin();
        const params = bindings.map(each => (each instanceof ArrayBuffer ? new Uint8Array(each) : each));
        const rows = this.#prepare(query).all(...params) as unknown as Row[];
        return {toArray: () => rows};
      },
    };
  }

  commit(): void {
    if (this.#isOpen) this.#prepare('COMMIT').run();
    this.#isOpen = false;
  }

  /** The object died before its write was durable. */
  rollBack(): void {
    if (this.#isOpen) this.#prepare('ROLLBACK').run();
    this.#isOpen = false;
  }

  close(): void {
    this.#database.close();
  }

  #begin(): void {
    if (this.#isOpen) return;
    this.#prepare('BEGIN').run();
    this.#isOpen = true;
  }

  #prepare(query: string): StatementSync {
    const known = this.#prepared.get(query);
    if (known !== undefined) return known;
    const made = this.#database.prepare(query);
    this.#prepared.set(query, made);
    return made;
  }
}
