import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {LogMerge} from '../../../runner/src/logs/log-merge.ts';
import {logCapBytes, pendingBytesMax, type LogEnd} from '../../../runner/src/logs/log-spool.ts';
import type {Secrets} from '../../../runner/src/logs/secrets.ts';
import {sha256Of} from '../control-plane/proof.ts';
import type {Disk, RunDirectory} from './disk.ts';

/**
 * The log of an attempt over a simulated file: the shipped merge and redaction, and the order of every step that
 * `LogSpool` keeps: bytes, then the cursor, then `length` says so.
 */
export class Spool {
  readonly directory: RunDirectory;
  readonly #disk: Disk;
  readonly #merge: LogMerge;
  #length: number;
  onGrow: (length: number) => void = () => undefined;
  /** A fault: the process dies with the bytes written and the cursor not. */
  readonly #death: () => (() => void) | undefined;

  /** Throws `state_corrupt` when the file holds less than was shown, and `disk_full`. */
  constructor(directory: RunDirectory, disk: Disk, secrets: Secrets, death: () => (() => void) | undefined) {
    disk.needRoom('the log');
    const {cursor, log} = directory;
    if (log.length < cursor.length)
      throw new SwitchyardError('state_corrupt', `the log has ${log.length} bytes, ${cursor.length} were written`);
    log.truncate(cursor.length);
    const endsLine = cursor.length === 0 || log.slice(cursor.length - 1)[0] === 0x0a;
    this.directory = directory;
    this.#disk = disk;
    this.#death = death;
    this.#merge = new LogMerge({secrets, capBytes: logCapBytes, cursor, endsLine});
    this.#length = cursor.length;
  }

  get length(): number {
    return this.#length;
  }

  readFrom(): number {
    return this.#merge.readFrom('out');
  }

  append(bytes: Uint8Array): 'taken' | 'full' | 'finished' {
    if (this.#merge.isFinished) return 'finished';
    if (this.#merge.pendingBytes >= pendingBytesMax && !this.#store()) return 'full';
    this.#merge.take('out', bytes);
    this.#store();
    return 'taken';
  }

  flushOpenLine(): void {
    if (!this.#merge.isFinished) this.#merge.takeOpenLine('out');
    this.#store();
  }

  endStream(): void {
    if (!this.#merge.isFinished) this.#merge.endStream('out');
    this.#store();
  }

  note(text: string): void {
    if (this.#merge.isFinished || this.#merge.pendingBytes >= 2 * pendingBytesMax) return;
    this.#merge.note(text);
    this.#store();
  }

  finish(): LogEnd | undefined {
    this.#merge.finish();
    if (!this.#store() || this.#disk.isFull) return undefined;
    const {cursor} = this.#merge.pending();
    this.directory.cursor = cursor;
    this.directory.syncedCursor = cursor;
    return {length: this.#length, sha256: this.#sha256(), droppedBytes: cursor.droppedBytes};
  }

  giveUp(): LogEnd {
    const {cursor} = this.#merge.pending();
    return {
      length: this.#length,
      sha256: this.#sha256(),
      droppedBytes: cursor.droppedBytes + cursor.length - this.#length,
    };
  }

  read(offset: number, bytesMax: number): Uint8Array {
    const bytes = this.directory.log.slice(offset, Math.min(offset + bytesMax, this.#length));
    return new Uint8Array(bytes);
  }

  #sha256(): string {
    return sha256Of(this.directory.log.slice(0, this.#length));
  }

  #store(): boolean {
    const {bytes, cursor} = this.#merge.pending();
    if (bytes.length === 0 && !cursor.isFinished) return true;
    if (this.#disk.isFull) {
      this.#disk.onRefused();
      return false;
    }
    const {log} = this.directory;
    log.truncate(this.#length);
    log.append(bytes);
    const die = bytes.length > 0 ? this.#death() : undefined;
    if (die !== undefined) {
      die();
      return false;
    }
    this.directory.cursor = cursor;
    this.#merge.stored();
    this.#length = cursor.length;
    if (bytes.length > 0) this.onGrow(this.#length);
    return true;
  }
}
