import {existsSync, mkdirSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {DatabaseSync} from 'node:sqlite';
import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {leaseConfigSchema, type LeaseConfig} from '@switchyard/shared/protocol/down.ts';
import {attemptKey, attemptSchema, type Attempt, type AttemptRef} from '../attempt/attempt-state.ts';
import {isDiskFull, sqliteCodeOf} from './disk-full.ts';
import {errnoOf} from './errno.ts';
import {migrate} from './journal-schema.ts';

/** What this machine must not forget: what it holds, and which epoch of each task began here last. */
export type JournalContent = {
  readonly attempts: ReadonlyMap<string, Attempt>;
  /** Oldest first. */
  readonly maxEpochs: ReadonlyMap<string, number>;
  readonly config: LeaseConfig | null;
  /** False when the machine was rebooted since: times of the boot clock in `attempts` mean nothing. */
  readonly sameBoot: boolean;
  /** Grows with every boot and every opening: the base of sequence numbers that must rise across restarts. */
  readonly openings: number;
};

export type JournalChange = {
  readonly save: readonly Attempt[];
  readonly remove: readonly AttemptRef[];
  readonly epochs: readonly {readonly task: string; readonly epoch: number}[];
  readonly forgetEpochs: readonly string[];
  readonly config?: LeaseConfig | undefined;
};

export interface Journal {
  readonly content: JournalContent;
  /** One transaction, on the disk when it returns. Throws `disk_full` or `state_corrupt`; then nothing was written. */
  write(change: JournalChange): void;
  close(): void;
}

export type JournalOptions = {
  /** Absolute; made with mode 0700. */
  readonly directory: string;
  readonly bootId: string;
  /** For the name of a file that is moved aside. */
  readonly wallMs: number;
  /** Starts empty although an earlier journal was lost: epochs that began here may then begin again. */
  readonly acceptStateLoss?: boolean | undefined;
};

const fileName = 'journal.sqlite';
const sentinelName = 'journal.made';

/**
 * Opens the journal of this state directory, or makes it.
 *
 * Throws `state_corrupt` when the file is damaged (it is moved aside, with the time in its name) or is missing although
 * one was made here; it throws again at every start until `acceptStateLoss` is given, because without the epochs this
 * runner could start an attempt twice.
 */
export function openJournal(options: JournalOptions): Journal {
  const {directory} = options;
  mkdirSync(directory, {recursive: true, mode: 0o700});
  const path = join(directory, fileName);
  const sentinel = join(directory, sentinelName);
  if (!existsSync(path) && existsSync(sentinel) && options.acceptStateLoss !== true) {
    throw new SwitchyardError(
      'state_corrupt',
      `${path} is missing: the epochs that began on this machine are unknown. ` +
        'Restore the file, or start once with --accept-state-loss when no attempt can be running any more',
    );
  }
  const database = openSound(path, options);
  try {
    const content = read(database, options.bootId);
    writeFileSync(sentinel, '', {mode: 0o600});
    return journalOver(database, content, options.bootId);
  } catch (cause) {
    database.close();
    const error = cause instanceof SwitchyardError ? cause : storageError(path, cause);
    if (error.code !== 'state_corrupt' || options.acceptStateLoss !== true) throw error;
    moveAside(path, options.wallMs);
    const empty = openChecked(path);
    return journalOver(empty, read(empty, options.bootId), options.bootId);
  }
}

function openSound(path: string, {wallMs, acceptStateLoss = false}: JournalOptions): DatabaseSync {
  try {
    return openChecked(path);
  } catch (cause) {
    if (cause instanceof SwitchyardError && cause.code !== 'state_corrupt') throw cause;
    const aside = moveAside(path, wallMs);
    if (acceptStateLoss) return openChecked(path);
    throw new SwitchyardError('state_corrupt', `${path} is damaged and was kept as ${aside}`, {cause});
  }
}

function openChecked(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, {timeout: 5_000});
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    const answer = z
      .array(z.object({integrity_check: z.string()}))
      .parse(database.prepare('PRAGMA integrity_check').all());
    if (answer.length !== 1 || answer[0]?.integrity_check !== 'ok')
      throw new SwitchyardError('state_corrupt', answer[0]?.integrity_check ?? 'no answer to the integrity check');
    migrate(database);
    return database;
  } catch (cause) {
    database?.close();
    throw cause instanceof SwitchyardError ? cause : storageError(path, cause);
  }
}

/** The damaged file keeps its write-ahead log: together they are what could be restored. */
function moveAside(path: string, wallMs: number): string {
  const aside = `${path}.corrupt-${new Date(wallMs).toISOString().replaceAll(/[:.]/g, '-')}`;
  writeFileSync(join(path, '..', sentinelName), '', {mode: 0o600});
  for (const suffix of ['', '-wal']) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  rmSync(`${path}-shm`, {force: true});
  return aside;
}

const attemptRowSchema = z.array(z.object({body: z.string()}));
const epochRowSchema = z.array(z.object({task: z.string(), epoch: z.int()}));
/** A number that is none would be written back, and be none for ever. */
const countSchema = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);
const settingRowSchema = z.array(z.object({name: z.string(), value: z.string()}));

function read(database: DatabaseSync, bootId: string): JournalContent {
  const settings = new Map(
    settingRowSchema
      .parse(database.prepare('SELECT name, value FROM setting').all())
      .map(({name, value}) => [name, value]),
  );
  const attempts = attemptRowSchema
    .parse(database.prepare('SELECT body FROM attempt ORDER BY task, epoch').all())
    .map(({body}) => attemptOf(body));
  const epochs = epochRowSchema.parse(database.prepare('SELECT task, epoch FROM max_epoch ORDER BY position').all());
  const config = settings.get('lease_config');
  const openings = countSchema.parse(settings.get('openings') ?? '0') + 1;
  const set = database.prepare(
    'INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
  );
  set.run('openings', String(openings));
  return {
    attempts: new Map(attempts.map(attempt => [attemptKey(attempt), attempt])),
    maxEpochs: new Map(epochs.map(({task, epoch}) => [task, epoch])),
    config: config === undefined ? null : leaseConfigSchema.parse(JSON.parse(config)),
    sameBoot: settings.get('boot_id') === bootId,
    openings,
  };
}

function attemptOf(body: string): Attempt {
  const parsed = attemptSchema.safeParse(JSON.parse(body));
  if (!parsed.success)
    throw new SwitchyardError(
      'state_corrupt',
      `an attempt in the journal cannot be read by this version: ${z.prettifyError(parsed.error)}`,
    );
  return parsed.data;
}

function journalOver(database: DatabaseSync, content: JournalContent, bootId: string): Journal {
  const save = database.prepare(
    'INSERT INTO attempt (task, epoch, state, body) VALUES (?, ?, ?, ?) ' +
      'ON CONFLICT (task, epoch) DO UPDATE SET state = excluded.state, body = excluded.body',
  );
  const remove = database.prepare('DELETE FROM attempt WHERE task = ? AND epoch = ?');
  const forget = database.prepare('DELETE FROM max_epoch WHERE task = ?');
  const spend = database.prepare('INSERT INTO max_epoch (task, epoch) VALUES (?, ?)');
  const set = database.prepare(
    'INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
  );
  return {
    content,
    write(change) {
      try {
        database.exec('BEGIN IMMEDIATE');
        for (const attempt of change.save)
          save.run(attempt.task, attempt.epoch, attempt.state, JSON.stringify(attempt));
        for (const {task, epoch} of change.remove) remove.run(task, epoch);
        for (const task of change.forgetEpochs) forget.run(task);
        for (const {task, epoch} of change.epochs) {
          // Inserted anew, so that the position says which epoch was spent last.
          forget.run(task);
          spend.run(task, epoch);
        }
        if (change.config !== undefined) set.run('lease_config', JSON.stringify(change.config));
        // Not before the times of an earlier boot are gone: a process that died in between would take them for its own.
        set.run('boot_id', bootId);
        database.exec('COMMIT');
      } catch (cause) {
        if (database.isTransaction) database.exec('ROLLBACK');
        throw storageError('the journal', cause);
      }
    },
    close: () => {
      database.close();
    },
  };
}

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

function storageError(what: string, cause: unknown): SwitchyardError {
  const primary = sqliteCodeOf(cause);
  if (isDiskFull(cause)) return new SwitchyardError('disk_full', `${what} cannot be written`, {cause});
  if (
    primary === SQLITE_CORRUPT ||
    primary === SQLITE_NOTADB ||
    cause instanceof z.ZodError ||
    // An integer that no number holds: nobody wrote it.
    errnoOf(cause) === 'ERR_OUT_OF_RANGE' ||
    cause instanceof SyntaxError
  )
    return new SwitchyardError('state_corrupt', `${what}: ${cause instanceof Error ? cause.message : 'damaged'}`, {
      cause,
    });
  return new SwitchyardError('internal', `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, {cause});
}
