import type {DatabaseSync} from 'node:sqlite';
import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

/** One entry per version of the schema; an entry never changes once it was released. */
const migrations: readonly string[] = [
  `CREATE TABLE attempt (
     task TEXT NOT NULL, epoch INTEGER NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL,
     PRIMARY KEY (task, epoch)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE max_epoch (position INTEGER PRIMARY KEY, task TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL) STRICT;
   CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;`,
];

/** Brings the file to this version, each step in a transaction. Throws `configuration_invalid` for a newer file. */
export function migrate(database: DatabaseSync): void {
  const {user_version: from} = z.object({user_version: z.int()}).parse(database.prepare('PRAGMA user_version').get());
  if (from > migrations.length)
    throw new SwitchyardError(
      'configuration_invalid',
      `the journal has version ${from}, this runner knows ${migrations.length}: update the runner`,
    );
  for (const [index, statements] of migrations.entries()) {
    if (index < from) continue;
    database.exec(`BEGIN IMMEDIATE; ${statements} PRAGMA user_version = ${index + 1}; COMMIT;`);
  }
}
