import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {makePrivateDirectory} from '../services/private-file.ts';
import {tryFileLock, type FileLock} from '../state/file-lock.ts';

const LOCK_FILE = 'secrets.lock';
const LOOK_MS = 20;

/**
 * Does one change of the secrets in the folder of a runner while no other process, and nothing else in this one, does
 * another: what was read before a write is still true when it is written. Readers need no lock, since each file is
 * replaced as a whole. Changes are not nested.
 *
 * @throws SwitchyardError executor_unavailable when another change does not end in time
 */
export async function aloneWithSecrets<Changed>(directory: string, change: () => Promise<Changed>): Promise<Changed> {
  await makePrivateDirectory(directory);
  const lock = await waitForLock(join(directory, LOCK_FILE));
  try {
    return await change();
  } finally {
    lock.release();
  }
}

async function waitForLock(path: string): Promise<FileLock> {
  const isLate = AbortSignal.timeout(limits.secretsLockMs);
  for (;;) {
    const lock = tryFileLock(path);
    if (lock !== undefined) return lock;
    if (isLate.aborted)
      throw new SwitchyardError(
        'executor_unavailable',
        `another process has changed secrets in ${path} for too long: end it, or wait, and run the command again`,
      );
    await wait(LOOK_MS);
  }
}
