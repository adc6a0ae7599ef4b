import {createHash, type Hash} from 'node:crypto';
import type {FileHandle} from 'node:fs/promises';
import {join} from 'node:path';

import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

import {openExposedFile} from '../state/exposed-file.ts';
import {readCursor, writeCursor} from './log-cursor.ts';
import {type AgentStream, LogMerge} from './log-merge.ts';
import type {Secrets} from './secrets.ts';
import {errnoOf} from '../state/errno.ts';

/** Agent output in one log. Notes of the runner come on top, so that the log can always say how it ended. */
export const logCapBytes = 256 * 1024 * 1024;

/** Merged bytes that wait for a disk that takes none; beyond it the streams are not read on. */
export const pendingBytesMax = 1024 * 1024;

export type SpoolHealth =
  | {readonly kind: 'ok'}
  /** Nothing is lost: the raw files hold it, and every later call tries again. */
  | {readonly kind: 'disk_full' | 'failing'; readonly detail: string};

export type LogEnd = {readonly length: number; readonly sha256: string; readonly droppedBytes: number};

interface Opened {
  readonly directory: string;
  readonly file: FileHandle;
  readonly hash: Hash;
  readonly merge: LogMerge;
  readonly length: number;
}

/**
 * The one log of an attempt: the file `log` in its run directory, which only grows, and which is what offsets, hash
 * and upload mean. Order of every step: bytes into the file, then the cursor, then `length` says so. A process killed
 * at any point therefore finds, when it opens the spool again, exactly the bytes that were ever shown, and goes on.
 *
 * One process at a time may have a spool open. Disk trouble is never thrown: see `health`.
 */
export class LogSpool {
  readonly #directory: string;
  readonly #file: FileHandle;
  readonly #hash: Hash;
  readonly #merge: LogMerge;
  readonly #listeners = new Set<(length: number) => void>();
  #length: number;
  #health: SpoolHealth = {kind: 'ok'};
  #last: Promise<unknown> = Promise.resolve();

  private constructor(opened: Opened) {
    this.#directory = opened.directory;
    this.#file = opened.file;
    this.#hash = opened.hash;
    this.#merge = opened.merge;
    this.#length = opened.length;
  }

  /**
   * Begins a spool or goes on with one. `secrets` must hold all that may occur. Throws `state_corrupt` when the file
   * holds less than was shown (a machine that lost power): such a log cannot be continued truthfully.
   */
  static async open(options: {directory: string; secrets: Secrets; capBytes?: number}): Promise<LogSpool> {
    const {directory, secrets, capBytes = logCapBytes} = options;
    const cursor = await readCursor(directory);
    const path = join(directory, 'log');
    const file = await openExposedFile(path);
    try {
      const {size} = await file.stat();
      if (size < cursor.length) {
        throw new SwitchyardError('state_corrupt', `${path} has ${size} bytes, ${cursor.length} were written`);
      }
      if (size > cursor.length) await file.truncate(cursor.length);
      const {hash, lastByte} = await hashOf(file, cursor.length);
      const merge = new LogMerge({secrets, capBytes, cursor, endsLine: lastByte === undefined || lastByte === 0x0a});
      return new LogSpool({directory, file, hash, merge, length: cursor.length});
    } catch (cause) {
      await file.close();
      throw cause;
    }
  }

  /** Bytes that are in the file for good and may be sent. */
  get length(): number {
    return this.#length;
  }

  get health(): SpoolHealth {
    return this.#health;
  }

  /**
   * Where to go on reading a raw stream. After `open` that is earlier than what the log holds, by what the redactor must
   * see; the spool leaves out what it has.
   */
  readFrom(stream: AgentStream): number {
    return this.#merge.readFrom(stream);
  }

  /** Calls back after `length` has grown, until the returned function is called. */
  onGrow(listener: (length: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Takes the next raw bytes of a stream. `full`: not taken, offer them again later; `finished`: the log is closed.
   * After `taken` they are in the log, or wait for their line end, for the redactor or for the disk.
   */
  append(stream: AgentStream, bytes: Uint8Array): Promise<'taken' | 'full' | 'finished'> {
    return this.#serially(async () => {
      if (this.#merge.isFinished) return 'finished';
      if (this.#merge.pendingBytes >= pendingBytesMax && !(await this.#store())) return 'full';
      this.#merge.take(stream, bytes);
      await this.#store();
      return 'taken';
    });
  }

  /** For a stream that pauses: shows its open line, and tries again what a full disk refused. */
  flushOpenLine(stream: AgentStream): Promise<void> {
    return this.#serially(async () => {
      if (!this.#merge.isFinished) this.#merge.takeOpenLine(stream);
      await this.#store();
    });
  }

  /** For a stream that has ended: shows all of it, so that what comes next stands behind it. */
  endStream(stream: AgentStream): Promise<void> {
    return this.#serially(async () => {
      if (!this.#merge.isFinished) this.#merge.endStream(stream);
      await this.#store();
    });
  }

  /** Adds a line `[switchyard] …`. False when the log is closed or too much waits for the disk: it is not in the log. */
  note(text: string): Promise<boolean> {
    return this.#serially(async () => {
      if (this.#merge.isFinished || this.#merge.pendingBytes >= 2 * pendingBytesMax) return false;
      this.#merge.note(text);
      await this.#store();
      return true;
    });
  }

  /**
   * Closes the log once all streams were taken to their end, and makes it survive the machine. May be called again,
   * also after a restart; must be when it answers `undefined`, which means that the disk did not take the rest.
   */
  finish(): Promise<LogEnd | undefined> {
    return this.#serially(async () => {
      this.#merge.finish();
      if (!(await this.#store())) return undefined;
      const {cursor} = this.#merge.pending();
      const isDurable = await this.#attempt(async () => {
        await this.#file.sync();
        await writeCursor(this.#directory, cursor, true);
      });
      if (!isDurable) return undefined;
      return {length: this.#length, sha256: this.#hash.copy().digest('hex'), droppedBytes: cursor.droppedBytes};
    });
  }

  /**
   * Closes the log with what the disk did take; the rest counts as dropped. For a disk that stays full: the attempt must
   * end some time. Nothing is written any more.
   */
  giveUp(): Promise<LogEnd> {
    return this.#serially(async () => {
      const {cursor} = this.#merge.pending();
      const unstored = cursor.length - this.#length;
      return {
        length: this.#length,
        sha256: this.#hash.copy().digest('hex'),
        droppedBytes: cursor.droppedBytes + unstored,
      };
    });
  }

  /** At most `bytesMax` bytes from `offset`, never beyond `length`. Throws what the file system throws. */
  async read(offset: number, bytesMax: number): Promise<Uint8Array<ArrayBuffer>> {
    const wanted = Math.max(0, Math.min(bytesMax, this.#length - offset));
    const bytes = new Uint8Array(wanted);
    for (let filled = 0; filled < wanted;) {
      const {bytesRead} = await this.#file.read(bytes, filled, wanted - filled, offset + filled);
      if (bytesRead === 0) throw new SwitchyardError('state_corrupt', `the log ends before ${offset + wanted} bytes`);
      filled += bytesRead;
    }
    return bytes;
  }

  /** Keeps the files. What was not stored yet is read again from the raw streams by the next `open`. */
  close(): Promise<void> {
    return this.#serially(() => this.#file.close());
  }

  async #store(): Promise<boolean> {
    const {bytes, cursor} = this.#merge.pending();
    if (bytes.length === 0 && this.#health.kind === 'ok' && !cursor.isFinished) return true;
    const isStored = await this.#attempt(async () => {
      // At a position, not appended: what a failed try has left is written over.
      for (let written = 0; written < bytes.length;) {
        written += (await this.#file.write(bytes, written, bytes.length - written, this.#length + written))
          .bytesWritten;
      }
      await writeCursor(this.#directory, cursor, false);
    });
    if (!isStored) return false;
    this.#merge.stored();
    if (bytes.length === 0) return true;
    this.#hash.update(bytes);
    this.#length = cursor.length;
    for (const listener of this.#listeners) listener(this.#length);
    return true;
  }

  async #attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.#health = {kind: 'ok'};
      return true;
    } catch (error) {
      const code = errnoOf(error);
      const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
      this.#health = {kind: isFull ? 'disk_full' : 'failing', detail: String(error)};
      return false;
    }
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

async function hashOf(file: FileHandle, length: number): Promise<{hash: Hash; lastByte: number | undefined}> {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(Math.min(length, 1024 * 1024));
  let lastByte: number | undefined;
  for (let offset = 0; offset < length;) {
    const {bytesRead} = await file.read(buffer, 0, Math.min(buffer.length, length - offset), offset);
    if (bytesRead === 0) throw new SwitchyardError('state_corrupt', `the log ends at ${offset} of ${length} bytes`);
    hash.update(buffer.subarray(0, bytesRead));
    lastByte = buffer[bytesRead - 1];
    offset += bytesRead;
  }
  return {hash, lastByte};
}
