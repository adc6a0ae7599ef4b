import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

export type Migration = {readonly name: string; readonly statements: readonly string[]};

/** The part of a D1 database that migrations use. */
export type MigrationDatabase<Statement> = {
  readonly prepare: (sql: string) => Statement & {readonly bind: (...values: string[]) => Statement};
  readonly batch: (statements: Statement[]) => Promise<readonly {readonly results?: readonly unknown[]}[]>;
};

/** drizzle-kit separates the statements of a file with this line. */
const breakpoint = '--> statement-breakpoint';

export async function readMigrations(directory: string): Promise<readonly Migration[]> {
  const names = (await readdir(directory).catch(() => [])).filter(name => name.endsWith('.sql')).toSorted();
  return Promise.all(
    names.map(async name => ({
      name,
      statements: (await readFile(join(directory, name), 'utf8'))
        .split(breakpoint)
        .map(text => text.trim())
        .filter(text => text !== ''),
    })),
  );
}

/**
 * Applies what is missing, in order, each migration in one transaction together with the note that it was applied. The
 * table is that of `wrangler d1 migrations apply`, so both may work on one database. Answers the names applied.
 */
export async function applyMigrations<Statement>(
  database: MigrationDatabase<Statement>,
  migrations: readonly Migration[],
): Promise<readonly string[]> {
  const table =
    'CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)';
  const [, listed] = await database.batch([
    database.prepare(table),
    database.prepare('SELECT name FROM d1_migrations'),
  ]);
  const known = new Set((listed?.results ?? []).map(nameOf));
  const missing = migrations.filter(({name}) => !known.has(name));
  for (const {name, statements} of missing) {
    const note = database.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name);
    await database.batch([...statements.map(sql => database.prepare(sql)), note]).catch((cause: unknown) => {
      throw new SwitchyardError('state_corrupt', `migration ${name} failed: ${String(cause)}`, {cause});
    });
  }
  return missing.map(({name}) => name);
}

function nameOf(row: unknown): string {
  return typeof row === 'object' && row !== null && 'name' in row ? String(row.name) : '';
}
