import type {LogCursor} from './log-cursor.ts';
import {Redactor, redactWhole} from './redactor.ts';
import type {Secrets} from './secrets.ts';

/** The raw streams of an attempt: what the agent prints, and what the declared checks print after it has ended. */
export const agentStreams = ['out', 'err', 'checks'] as const;
export type AgentStream = (typeof agentStreams)[number];

/** A longer line is merged in pieces, so that output without line ends flows too. */
export const lineBytesMax = 16 * 1024;

const newline = 0x0a;

/** One raw stream on its way into the log: redacted, then cut into whole lines. */
interface Inflow {
  readonly redactor: Redactor;
  /** Redacted bytes of a line that has not ended. */
  line: Uint8Array;
  /** Bytes from the redactor that the log holds already: they were read again only to set the redactor up. */
  known: number;
  /** Raw offset that the merged bytes reach. */
  offset: number;
  /** Raw offset that the bytes handed to `take` reach. */
  takenTo: number;
}

/**
 * Merges the raw streams of an attempt and the runner's notes into one sequence of bytes, line by line, all of it redacted.
 * Pure bookkeeping: bytes gather in `pending` until the owner has stored them and says so.
 */
export class LogMerge {
  readonly #secrets: Secrets;
  readonly #capBytes: number;
  readonly #inflows: Record<AgentStream, Inflow>;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #storedBytes: number;
  #droppedBytes: number;
  #endsLine: boolean;
  #isFinished: boolean;

  constructor(options: {secrets: Secrets; capBytes: number; cursor: LogCursor; endsLine: boolean}) {
    const {secrets, cursor} = options;
    this.#secrets = secrets;
    this.#capBytes = options.capBytes;
    this.#storedBytes = cursor.length;
    this.#droppedBytes = cursor.droppedBytes;
    this.#endsLine = options.endsLine;
    this.#isFinished = cursor.isFinished;
    const readFrom = (stream: AgentStream): number => Math.max(0, cursor[stream] - secrets.contextBytes);
    const inflow = (stream: AgentStream): Inflow => inflowAt(cursor[stream], readFrom(stream), secrets);
    this.#inflows = {out: inflow('out'), err: inflow('err'), checks: inflow('checks')};
  }

  /** Where the next bytes handed to `take` must stand in the raw stream. */
  readFrom(stream: AgentStream): number {
    return this.#inflows[stream].takenTo;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get isFinished(): boolean {
    return this.#isFinished;
  }

  take(stream: AgentStream, bytes: Uint8Array): void {
    const inflow = this.#inflows[stream];
    inflow.takenTo += bytes.length;
    this.#fill(inflow, inflow.redactor.push(bytes));
    const lineEnd = inflow.line.lastIndexOf(newline) + 1;
    const rest = inflow.line.length - lineEnd;
    this.#merge(inflow, rest > lineBytesMax ? inflow.line.length : lineEnd);
  }

  /** Merges a line that has not ended, as far as the redactor gives it out: a prompt must be seen. */
  takeOpenLine(stream: AgentStream): void {
    this.#merge(this.#inflows[stream], this.#inflows[stream].line.length);
  }

  /** The stream has ended: what the redactor held back, and a last line without an end, are merged in their place. */
  endStream(stream: AgentStream): void {
    const inflow = this.#inflows[stream];
    this.#fill(inflow, inflow.redactor.flush());
    this.#merge(inflow, inflow.line.length);
  }

  /** A line of the runner. Line ends in it become spaces. */
  note(text: string): void {
    const line = `[switchyard] ${text.replaceAll(/[\r\n]+/g, ' ')}\n`;
    const bytes = redactWhole(Buffer.from(this.#endsLine ? line : `\n${line}`), this.#secrets);
    this.#push(bytes);
  }

  /** Merges what is left and closes with the sum of what was dropped. Nothing may be taken afterwards. */
  finish(): void {
    if (this.#isFinished) return;
    for (const stream of agentStreams) this.endStream(stream);
    if (this.#droppedBytes > 0) {
      this.note(
        `${this.#droppedBytes} bytes of output were dropped: the log holds at most ${this.#capBytes} bytes of it`,
      );
    }
    this.#isFinished = true;
  }

  /** What to store next, and the cursor that is true once it is stored. */
  pending(): {readonly bytes: Uint8Array; readonly cursor: LogCursor} {
    const {out, err, checks} = this.#inflows;
    return {
      bytes: Buffer.concat(this.#pending),
      cursor: {
        v: 1,
        out: out.offset,
        err: err.offset,
        checks: checks.offset,
        length: this.#storedBytes + this.#pendingBytes,
        droppedBytes: this.#droppedBytes,
        isFinished: this.#isFinished,
      },
    };
  }

  /** Everything that `pending` gave out is stored. Nothing may have been merged in between. */
  stored(): void {
    this.#storedBytes += this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  #fill(inflow: Inflow, redacted: Uint8Array): void {
    const known = Math.min(inflow.known, redacted.length);
    inflow.known -= known;
    inflow.line = Buffer.concat([inflow.line, redacted.subarray(known)]);
  }

  #merge(inflow: Inflow, upTo: number): void {
    if (upTo === 0) return;
    const record = inflow.line.subarray(0, upTo);
    inflow.line = inflow.line.subarray(upTo);
    inflow.offset += record.length;
    const room = Math.max(0, this.#capBytes - this.#storedBytes - this.#pendingBytes);
    const kept = record.subarray(0, room);
    this.#push(kept);
    const dropped = record.length - kept.length;
    if (dropped === 0) return;
    const isFirst = this.#droppedBytes === 0;
    this.#droppedBytes += dropped;
    if (isFirst) this.note(`the log has reached its limit of ${this.#capBytes} bytes: output from here on is dropped`);
  }

  #push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    this.#endsLine = bytes.at(-1) === newline;
  }
}

function inflowAt(offset: number, readFrom: number, secrets: Secrets): Inflow {
  return {
    redactor: new Redactor(secrets),
    line: new Uint8Array(0),
    known: offset - readFrom,
    offset,
    takenTo: readFrom,
  };
}
