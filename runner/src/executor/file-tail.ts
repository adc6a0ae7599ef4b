import {constants, watch, type FSWatcher} from 'node:fs';
import {open, type FileHandle} from 'node:fs/promises';
import {basename, dirname} from 'node:path';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

/** `bytes` is a buffer of its own: it may be kept. */
export type TailChunk = {readonly offset: number; readonly bytes: Uint8Array};

export type FileTail = {
  readonly path: string;
  readonly offset: number;
  /** Asked at the end of the file: true means that nobody will append any more. */
  readonly isComplete: () => Promise<boolean>;
  /** Whether an empty chunk says, each time, that everything written by then has been read. */
  readonly tellsEnd?: boolean;
  readonly signal?: AbortSignal;
};

export const TAIL_CHUNK_BYTES_MAX = 65_536;
/** Without notices of change the file is looked at this often. */
const POLL_MS = 10;
/** With them too, because a notice can be lost and some file systems send none. */
const WATCHED_POLL_MS = 250;

/**
 * Reads a growing file from an offset, which may lie ahead, to its end: `fs.watch` wakes, pread reads, at most 64 KiB
 * are held. Ends silently when the signal aborts. Follows no link and reads nothing but a regular file.
 *
 * @throws SwitchyardError state_corrupt when the file is shorter than what was read, or is no regular file
 */
export async function* tailFile({
  path,
  offset,
  isComplete,
  tellsEnd = false,
  signal,
}: FileTail): AsyncGenerator<TailChunk, void, undefined> {
  if (signal?.aborted === true) return;
  await using file = await openLog(path);
  using wakeups = wakeupsOf(path, signal);
  let position = offset;
  let readTo = 0;
  for (;;) {
    // Asked before the read: what was appended before the end is then surely read.
    const complete = await isComplete();
    for (;;) {
      const chunk = await readAt(file, position);
      if (chunk === undefined) break;
      position += chunk.byteLength;
      readTo = position;
      yield {offset: position - chunk.byteLength, bytes: chunk};
      if (wakeups.isAborted()) return;
    }
    if ((await file.stat()).size < readTo)
      throw new SwitchyardError('state_corrupt', `${path} is shorter than ${readTo} bytes, which were read before`);
    if (complete || wakeups.isAborted()) return;
    if (tellsEnd) yield {offset: position, bytes: new Uint8Array()};
    await wakeups.next();
  }
}

async function openLog(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (cause) {
    throw new SwitchyardError('state_corrupt', `${path} cannot be read as a log`, {cause});
  }
  throw new SwitchyardError('state_corrupt', `${path} is no regular file`);
}

async function readAt(file: FileHandle, position: number): Promise<Uint8Array | undefined> {
  const {bytesRead, buffer} = await file.read(
    Buffer.allocUnsafeSlow(TAIL_CHUNK_BYTES_MAX),
    0,
    TAIL_CHUNK_BYTES_MAX,
    position,
  );
  if (bytesRead === 0) return undefined;
  // A short read is copied so that a slow log does not pin 64 KiB for each line.
  return bytesRead === TAIL_CHUNK_BYTES_MAX ? buffer : Uint8Array.prototype.slice.call(buffer, 0, bytesRead);
}

type Wakeups = Disposable & {readonly next: () => Promise<void>; readonly isAborted: () => boolean};

/** Wakes for changes of the file and of its neighbours that say how the attempt ended, and from time to time anyway. */
function wakeupsOf(path: string, signal: AbortSignal | undefined): Wakeups {
  let resolve: (() => void) | undefined;
  let isDue = false;
  const wake = (): void => {
    isDue = true;
    resolve?.();
  };
  const names = new Set([basename(path), 'exit', 'killed']);
  const watcher = watchFolder(dirname(path), name => {
    if (names.has(name)) wake();
  });
  signal?.addEventListener('abort', wake);
  return {
    isAborted: () => signal?.aborted === true,
    async next() {
      if (!isDue && signal?.aborted !== true) {
        const timer = setTimeout(wake, watcher === undefined ? POLL_MS : WATCHED_POLL_MS);
        await new Promise<void>(done => {
          resolve = done;
        });
        clearTimeout(timer);
      }
      isDue = false;
    },
    [Symbol.dispose]() {
      signal?.removeEventListener('abort', wake);
      watcher?.close();
    },
  };
}

/** Undefined where the system has no more watches to give. */
function watchFolder(folder: string, changed: (name: string) => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, {persistent: true}, (_event, name) => changed(name ?? ''));
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
