import {mkdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {DatabaseSync} from 'node:sqlite';
import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {stateRefusal} from './state-refusal.ts';

/** Who holds the state directory, for people and for `runner status`; the lock itself is the kernel's. */
export const lockHolderSchema = z.strictObject({pid: z.int(), start: z.string(), boot_id: z.string()});
export type LockHolder = z.infer<typeof lockHolderSchema>;

export type StateLock = {readonly release: () => void};

const lockName = 'lock.sqlite';
const holderName = 'runner.pid';
const busy = 5;

/**
 * Makes this process the only one that uses the state directory. Throws `already_running`, naming the holder.
 *
 * The lock is an exclusive transaction of SQLite, which is a lock of the kernel on the file: it ends with the process,
 * however that ends, so a stale one cannot exist and none is ever broken by mistake. It is the only lock between
 * processes; all others (journal, mirrors, spools) live in memory behind it.
 */
export function acquireStateLock(directory: string, self: LockHolder): StateLock {
  const database = openLock(directory);
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    const error = z.object({errcode: z.int()}).safeParse(cause);
    if (!error.success || (error.data.errcode & 0xff) !== busy)
      throw new SwitchyardError('state_corrupt', unlockable(directory), {cause});
    const holder = readHolder(directory);
    const who = holder === undefined ? 'another process' : `process ${holder.pid}`;
    throw new SwitchyardError('already_running', `${who} uses ${directory}`);
  }
  const path = join(directory, holderName);
  try {
    writeFileSync(`${path}.new`, JSON.stringify(self), {mode: 0o600});
    renameSync(`${path}.new`, path);
  } catch (cause) {
    database.close();
    throw stateRefusal(path, cause);
  }
  return {
    release: () => {
      database.close();
    },
  };
}

/** It holds nothing: a lock file that is damaged may be taken away while nothing runs. */
const unlockable = (directory: string): string =>
  `${join(directory, lockName)} cannot be locked: while nothing runs, it may be removed`;

function openLock(directory: string): DatabaseSync {
  try {
    mkdirSync(directory, {recursive: true, mode: 0o700});
  } catch (cause) {
    throw stateRefusal(directory, cause);
  }
  try {
    return new DatabaseSync(join(directory, lockName), {timeout: 0});
  } catch (cause) {
    throw new SwitchyardError('state_corrupt', unlockable(directory), {cause});
  }
}

/** The process that held the lock last; whether it still lives is for the caller to find out. */
export function readHolder(directory: string): LockHolder | undefined {
  try {
    return lockHolderSchema.safeParse(JSON.parse(readFileSync(join(directory, holderName), 'utf8'))).data;
  } catch {
    return undefined;
  }
}
