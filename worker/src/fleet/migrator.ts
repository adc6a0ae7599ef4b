import type {Sql} from './sql.ts';

export type Migration = {readonly name: string; readonly statements: string};

/**
 * Brings the database to the newest schema: each migration once, in the order given, each in its own transaction with
 * the note that it was applied. Safe to call at every start.
 */
export function migrate(sql: Sql, migrations: readonly Migration[], nowMs: number): void {
  sql.run('CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, applied_ms INTEGER NOT NULL) WITHOUT ROWID');
  const applied = new Set(sql.all<{name: string}>('SELECT name FROM migration').map(({name}) => name));
  for (const {name, statements} of migrations.filter(each => !applied.has(each.name))) {
    sql.transaction(() => {
      for (const statement of statements.split(';').filter(each => each.trim() !== '')) sql.run(statement);
      sql.run('INSERT INTO migration (name, applied_ms) VALUES (?, ?)', name, nowMs);
    });
  }
}
