import {readFileSync, renameSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {tryFileLock} from './file-lock.ts';
import {makeFolders} from './make-folders.ts';
import {stateRefusal} from './state-refusal.ts';
import {removeUnfinished} from './unfinished-files.ts';

/** Who holds the state directory, for people and for `runner status`; the lock itself is the kernel's. */
export const lockHolderSchema = z.strictObject({pid: z.int(), start: z.string(), boot_id: z.string()});
export type LockHolder = z.infer<typeof lockHolderSchema>;

export type StateLock = {readonly release: () => void};

const lockName = 'lock.sqlite';
const holderName = 'runner.pid';

/**
 * Makes this process the only one that uses the state directory, and removes what killed ones left half written. Throws `already_running`, naming the holder. Journal,
 * mirrors and spools are locked in memory, behind this one; secrets, which commands change beside a runner, have a lock
 * of their own.
 */
export function acquireStateLock(directory: string, self: LockHolder): StateLock {
  try {
    makeFolders(directory);
  } catch (cause) {
    throw stateRefusal(directory, cause);
  }
  const lock = tryFileLock(join(directory, lockName));
  if (lock === undefined) {
    const holder = readHolder(directory);
    const who = holder === undefined ? 'another process' : `process ${holder.pid}`;
    throw new SwitchyardError('already_running', `${who} uses ${directory}`);
  }
  const path = join(directory, holderName);
  try {
    writeFileSync(`${path}.new`, JSON.stringify(self), {mode: 0o600});
    renameSync(`${path}.new`, path);
    // By the clock of the file system, which gave the others their time as well.
    removeUnfinished(directory, statSync(path).mtimeMs);
  } catch (cause) {
    lock.release();
    throw stateRefusal(path, cause);
  }
  return lock;
}

/** The process that held the lock last; whether it still lives is for the caller to find out. */
export function readHolder(directory: string): LockHolder | undefined {
  try {
    return lockHolderSchema.safeParse(JSON.parse(readFileSync(join(directory, holderName), 'utf8'))).data;
  } catch {
    return undefined;
  }
}
