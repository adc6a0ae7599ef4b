import {constants} from 'node:fs';
import {open, unlink, type FileHandle} from 'node:fs/promises';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {errnoOf} from './errno.ts';

/**
 * Files in a directory that an agent can write to. Whatever lies under a name may have been put there by it: a link to a
 * file of somebody else, a FIFO whose opening never returns and holds one of the few threads that do file work, a
 * device. None of them is opened, none of them is waited for.
 */
const neverElsewhere = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A regular file, made when it is absent. Throws `state_corrupt` when anything else lies there. */
export async function openExposedFile(path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDWR | constants.O_CREAT | neverElsewhere, 0o600);
  } catch (cause) {
    if (isRefusal(cause)) throw new SwitchyardError('state_corrupt', `${path} is not a regular file`, {cause});
    throw cause;
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new SwitchyardError('state_corrupt', `${path} is not a regular file`);
}

/** An empty file that did not exist before, for writing: what lay under its name is taken away, not written to. */
export async function createExposedFile(path: string): Promise<FileHandle> {
  await unlink(path).catch(() => undefined);
  return open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | neverElsewhere, 0o600);
}

/**
 * The text of a regular file; undefined when nothing is there. Throws `state_corrupt` when it is larger, or anything
 * else.
 */
export async function readExposedFile(path: string, bytesMax: number): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | neverElsewhere);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    if (isRefusal(cause)) throw new SwitchyardError('state_corrupt', `${path} is not a regular file`, {cause});
    throw cause;
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > bytesMax)
      throw new SwitchyardError('state_corrupt', `${path} is not a regular file of at most ${bytesMax} bytes`);
    const {buffer, bytesRead} = await file.read(Buffer.alloc(bytesMax), 0, bytesMax, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** How open(2) answers for a link, for a FIFO without a reader and for a directory. */
function isRefusal(error: unknown): boolean {
  return ['ELOOP', 'EMLINK', 'ENXIO', 'EISDIR'].includes(errnoOf(error) ?? '');
}
