import {randomBytes} from 'node:crypto';
import {chmod, link, open, readFile, rename, stat, unlink} from 'node:fs/promises';
import {dirname} from 'node:path';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {errnoOf} from '../state/errno.ts';
import {makeFolders} from '../state/make-folders.ts';
import {stateRefusal} from '../state/state-refusal.ts';
import {unfinishedPath} from '../state/unfinished-files.ts';

/** Bytes of the largest state file of this folder's kind. */
const fileBytesMax = 1_048_576;

/*
 * Whatever the file system refuses here is a `disk_full`, a `configuration_invalid` or a `state_corrupt` that names the
 * path and the next step.
 */

/** Makes a directory that only its owner can enter. */
export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    makeFolders(path);
    await chmod(path, 0o700);
  } catch (cause) {
    throw stateRefusal(path, cause);
  }
}

/** Replaces a file as a whole, readable by its owner alone: after a crash the old or the new content is there. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const temporary = await writeBeside(path, text);
  try {
    await rename(temporary, path);
  } catch (cause) {
    await unlink(temporary).catch(() => undefined);
    throw stateRefusal(path, cause);
  }
}

/** Makes the file unless it exists; false where it did. Of several that try at once, one succeeds. */
export async function createPrivateFile(path: string, text: string): Promise<boolean> {
  const temporary = await writeBeside(path, text);
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw stateRefusal(path, error);
  } finally {
    await unlink(temporary);
  }
}

async function writeBeside(path: string, text: string): Promise<string> {
  const temporary = unfinishedPath(path, randomBytes(6).toString('hex'));
  try {
    makeFolders(dirname(path));
    await using file = await open(temporary, 'wx', 0o600);
    await file.writeFile(text);
    await file.sync();
  } catch (cause) {
    await unlink(temporary).catch(() => undefined);
    throw stateRefusal(path, cause);
  }
  return temporary;
}

/** `undefined` when there is no such file. */
export async function readStateFile(path: string): Promise<string | undefined> {
  try {
    const info = await stat(path);
    // A FIFO would be waited for, for ever.
    if (!info.isFile()) throw new SwitchyardError('state_corrupt', `${path} is not a file: move away what lies there`);
    if (info.size > fileBytesMax)
      throw new SwitchyardError('state_corrupt', `${path} is larger than ${fileBytesMax} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw stateRefusal(path, error);
  }
}

/**
 * Like `readStateFile`, for secrets: a file that others can read is refused, because what was exposed must be replaced
 * by a person, not used on.
 */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  const text = await readStateFile(path);
  if (text === undefined) return undefined;
  const {mode} = await stat(path);
  if ((mode & 0o077) !== 0)
    throw new SwitchyardError(
      'configuration_invalid',
      `${path} can be read by others (mode ${(mode & 0o777).toString(8)}): replace the secret, or run chmod 600 on it`,
    );
  return text;
}

/** False where there was none. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return false;
  }
}
