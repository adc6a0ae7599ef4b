import {DatabaseSync} from 'node:sqlite';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {isDiskFull, sqliteCodeOf} from './disk-full.ts';
import {stateRefusal} from './state-refusal.ts';

export type FileLock = {readonly release: () => void};

const busy = 5;

/**
 * Takes the lock that this file stands for; undefined while somebody else has it, in this process or another. The folder
 * must be there; the file is made, and stays empty.
 *
 * It is an exclusive transaction of SQLite, which is a lock of the kernel on the file: it ends with the process, however
 * that ends, so a stale one cannot exist and none is ever broken by mistake.
 *
 * @throws SwitchyardError state_corrupt when the file is none that can be locked, disk_full where it cannot be made
 */
export function tryFileLock(path: string): FileLock | undefined {
  const database = openLock(path);
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    if (sqliteCodeOf(cause) !== busy) throw unlockable(path, cause);
    return undefined;
  }
  return {release: () => database.close()};
}

function openLock(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, {timeout: 0});
  } catch (cause) {
    throw unlockable(path, cause);
  }
}

/** It holds nothing: a lock file that is damaged may be taken away while nothing runs. */
const unlockable = (path: string, cause: unknown): SwitchyardError =>
  isDiskFull(cause)
    ? stateRefusal(path, cause)
    : new SwitchyardError('state_corrupt', `${path} cannot be locked: while nothing runs, it may be removed`, {cause});
