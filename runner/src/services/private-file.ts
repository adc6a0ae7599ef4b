import {randomBytes} from 'node:crypto';
import {chmod, link, lstat, mkdir, open, readFile, rename, unlink} from 'node:fs/promises';
import {dirname} from 'node:path';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {errnoOf} from '../state/errno.ts';

/** Bytes of the largest state file of this folder's kind. */
const fileBytesMax = 1_048_576;

/** Makes a directory that only its owner can enter. */
export async function makePrivateDirectory(path: string): Promise<void> {
  await mkdir(path, {recursive: true, mode: 0o700});
  await chmod(path, 0o700);
}

/** Replaces a file as a whole, readable by its owner alone: after a crash the old or the new content is there. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), {recursive: true, mode: 0o700});
  const temporary = await writeBeside(path, text);
  await rename(temporary, path);
}

/** Makes the file unless it exists; false where it did. Of several that try at once, one succeeds. */
export async function createPrivateFile(path: string, text: string): Promise<boolean> {
  await mkdir(dirname(path), {recursive: true, mode: 0o700});
  const temporary = await writeBeside(path, text);
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(temporary);
  }
}

async function writeBeside(path: string, text: string): Promise<string> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.new`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  return temporary;
}

/** `undefined` when there is no such file. */
export async function readStateFile(path: string): Promise<string | undefined> {
  try {
    const {size} = await lstat(path);
    if (size > fileBytesMax) throw new SwitchyardError('state_corrupt', `${path} is larger than ${fileBytesMax} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Like `readStateFile`, for secrets: a file that others can read is refused, because what was exposed must be replaced
 * by a person, not used on.
 */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  const text = await readStateFile(path);
  if (text === undefined) return undefined;
  const {mode} = await lstat(path);
  if ((mode & 0o077) !== 0)
    throw new SwitchyardError(
      'configuration_invalid',
      `${path} can be read by others (mode ${(mode & 0o777).toString(8)}): replace the secret, or run chmod 600 on it`,
    );
  return text;
}

export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
