import {closeReason} from '@switchyard/shared/protocol/close-reason.ts';
import {formatLogUp, type LogDown, parseLogDown} from '@switchyard/shared/protocol/log-control.ts';
import {encodeLogFrame, mergedLogChannel} from '@switchyard/shared/protocol/log-frame.ts';
import {closeCodes} from '@switchyard/shared/protocol/version.ts';
import {gzipSync} from 'node:zlib';
import {WebSocket} from 'ws';

export const handshakeMs = 10_000;
export const pingMs = 15_000;
/** Nothing heard for so long, neither message nor pong: the connection is dead. */
export const silenceMs = 40_000;

/** Smaller chunks are sent as they are. */
const gzipBytesMin = 2048;
/** Chunks are small: a window of 16 KiB makes them no longer, and its tables are set up in two thirds of the time. */
const gzipOptions = {level: 1, windowBits: 14, memLevel: 7};
const downMessageBytesMax = 16 * 1024;

export interface LogSocketListener {
  opened(): void;
  message(message: LogDown): void;
  /** Once, whatever the reason, also when it never opened. `isFinal`: the other side will not have us again. */
  closed(closed: {readonly why: string; readonly isFinal: boolean}): void;
}

/** What carries a log to its task log. Reports nothing after `closed`. */
export interface LogCarrier {
  /** Sends raw bytes of the log after everything before it; `read` is called when it is their turn. */
  sendChunk(offset: number, read: () => Promise<Uint8Array>): void;
  sendEnd(len: number, sha256: string): void;
  close(why: string): void;
}

/**
 * A data frame, compressed where that helps. At once: to have a chunk compressed beside the event loop costs more than
 * compressing it, which takes some tenths of a millisecond.
 */
export function packedFrame(offset: number, bytes: Uint8Array): Uint8Array {
  const packed = bytes.length > gzipBytesMin ? gzipSync(bytes, gzipOptions) : bytes;
  const isGzip = packed.length < bytes.length;
  return encodeLogFrame({channel: mergedLogChannel, offset, isGzip, payload: isGzip ? packed : bytes});
}

/** One WebSocket to a task log. */
export class LogSocket implements LogCarrier {
  readonly #socket: WebSocket;
  readonly #listener: LogSocketListener;
  readonly #heartbeat: NodeJS.Timeout;
  #heardSinceMs = 0;
  #isClosed = false;
  #sending: Promise<void> = Promise.resolve();

  constructor(url: string, headers: Readonly<Record<string, string>>, listener: LogSocketListener) {
    this.#listener = listener;
    this.#socket = new WebSocket(url, {
      headers,
      perMessageDeflate: false,
      handshakeTimeout: handshakeMs,
      maxPayload: downMessageBytesMax,
      followRedirects: false,
    });
    this.#heartbeat = setInterval(() => this.#beat(), pingMs);
    this.#listen();
  }

  sendChunk(offset: number, read: () => Promise<Uint8Array>): void {
    this.#enqueue(async () => {
      const frame = packedFrame(offset, await read());
      if (!this.#isClosed) this.#socket.send(frame);
    });
  }

  sendEnd(len: number, sha256: string): void {
    this.#enqueue(async () => {
      if (!this.#isClosed) this.#socket.send(formatLogUp({t: 'end', len, sha256}));
    });
  }

  close(why: string): void {
    this.#finish({why, isFinal: false});
    this.#socket.close(1000, closeReason(why));
    // A peer that does not answer the close must not keep the connection.
    const deadline = setTimeout(() => this.#socket.terminate(), 2000);
    this.#socket.once('close', () => clearTimeout(deadline));
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on('open', () => {
      if (!this.#isClosed) this.#listener.opened();
    });
    socket.on('message', (data, isBinary) => this.#receive(Buffer.isBuffer(data) ? data.toString() : '', isBinary));
    socket.on('pong', () => (this.#heardSinceMs = 0));
    socket.on('unexpected-response', (request, response) => {
      const status = response.statusCode ?? 0;
      this.#finish({why: `refused with status ${status}`, isFinal: status === 403 || status === 410});
      request.destroy();
    });
    socket.on('error', error => this.#finish({why: String(error), isFinal: false}));
    socket.on('close', code => {
      // Replaced means that a newer process of this runner sends this log.
      const isFinal = code === closeCodes.revoked || code === closeCodes.replaced;
      this.#finish({why: `closed with code ${code}`, isFinal});
    });
  }

  #receive(text: string, isBinary: boolean): void {
    this.#heardSinceMs = 0;
    if (this.#isClosed) return;
    const parsed = isBinary ? {kind: 'malformed' as const, why: 'a binary message'} : parseLogDown(text);
    if (parsed.kind === 'message') this.#listener.message(parsed.message);
    if (parsed.kind === 'malformed') this.close(`malformed message: ${parsed.why}`);
  }

  #beat(): void {
    this.#heardSinceMs += pingMs;
    if (this.#heardSinceMs > silenceMs) {
      this.#finish({why: `nothing heard for ${silenceMs} ms`, isFinal: false});
      this.#socket.terminate();
    } else if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  /** One after the other, so that reading and compressing cannot change the order. */
  #enqueue(send: () => Promise<void>): void {
    this.#sending = this.#sending.then(async () => {
      if (this.#isClosed) return;
      try {
        await send();
      } catch (error) {
        this.close(`cannot send: ${String(error)}`);
      }
    });
  }

  #finish(closed: {readonly why: string; readonly isFinal: boolean}): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    this.#listener.closed(closed);
  }
}
