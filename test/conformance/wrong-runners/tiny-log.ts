import {createHash} from 'node:crypto';
import {closeSync, openSync, readFileSync, readSync} from 'node:fs';
import {WebSocket} from 'ws';
import type {TinyAgent} from './tiny-agent.ts';
import type {Wrong} from './wrong.ts';

const windowBytes = 262_144;
const chunkBytesMax = 65_536;
const stallMs = 10_000;
const reconnectMs = 400;
const socketFailuresBeforePost = 3;

/** Where the log is, with a token that is fresh. */
export type LogAddress = () => Promise<{url: string; headers: Record<string, string>}>;

type Down = {t: string; len?: number; receipt?: string};

/** Brings one log home: sends what the window allows, goes back where it is told, ends when it is sealed. */
export class TinyLog {
  readonly #agent: TinyAgent;
  readonly #address: LogAddress;
  readonly #wrong: Wrong;
  #socket: WebSocket | undefined;
  #failures = 0;
  #isOpening = false;
  #isGreeted = false;
  #known = 0;
  #sent = 0;
  #nack = -1;
  #movedMs = 0;
  #nextTryMs = 0;
  #isEndSent = false;
  #isEnded = false;
  receipt: string | undefined;
  end: {readonly len: number; readonly sha256: string} | undefined;

  constructor(agent: TinyAgent, address: LogAddress, wrong: Wrong) {
    this.#agent = agent;
    this.#address = address;
    this.#wrong = wrong;
  }

  /** Nothing will be written any more. */
  finish(): void {
    this.#isEnded = true;
  }

  close(): void {
    this.#nextTryMs = Number.POSITIVE_INFINITY;
    this.#socket?.terminate();
  }

  /** To be called again and again. */
  tick(): void {
    if (this.receipt !== undefined || this.#isOpening || performance.now() < this.#nextTryMs) return;
    if (this.#failures >= socketFailuresBeforePost) void this.#exchange();
    else if (this.#socket === undefined) void this.#open();
    else if (this.#isGreeted) this.#pump(frame => this.#socket?.send(frame));
  }

  async #open(): Promise<void> {
    this.#isOpening = true;
    const {url, headers} = await this.#address();
    const socket = new WebSocket(url.replace(/^http/, 'ws'), {headers, perMessageDeflate: false});
    this.#socket = socket;
    this.#isOpening = false;
    let hasOpened = false;
    socket.on('open', () => (hasOpened = true));
    socket.on('message', (data: Buffer) => this.#hear(JSON.parse(data.toString('utf8')) as Down));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#socket = undefined;
      this.#isGreeted = false;
      this.#failures = hasOpened ? 0 : this.#failures + 1;
      this.#nextTryMs = Math.max(this.#nextTryMs, performance.now() + reconnectMs);
    });
  }

  /** The same by request, where no socket opens. */
  async #exchange(): Promise<void> {
    this.#isOpening = true;
    try {
      const {url, headers} = await this.#address();
      const frames: string[] = [];
      const control: string[] = [];
      if (this.#isGreeted)
        this.#pump(frame => {
          if (typeof frame === 'string') control.push(frame);
          else frames.push(Buffer.from(frame).toString('base64'));
        });
      const body = JSON.stringify({frames, control});
      const json = {...headers, 'content-type': 'application/json'};
      const answer = await fetch(url, {method: 'POST', headers: json, body});
      const {len, messages} = (await answer.json()) as {len: number; messages: Down[]};
      if (!this.#isGreeted) this.#hear({t: 'state', len});
      for (const message of messages) this.#hear(message);
    } catch {
      this.#isGreeted = false;
    }
    this.#nextTryMs = Math.max(this.#nextTryMs, performance.now() + reconnectMs / 2);
    this.#isOpening = false;
  }

  #hear({t, len = 0, receipt}: Down): void {
    this.#movedMs = performance.now();
    if (t === 'state') this.#greeted(len);
    else if (t === 'ack') this.#acknowledged(len);
    else if (t === 'nack') this.#refused(len);
    else if (t === 'sealed') this.receipt = receipt ?? '';
  }

  #greeted(len: number): void {
    this.#isGreeted = true;
    if (this.#wrong === 'resume-where-it-stopped') this.#known = this.#sent;
    else this.#goBack(len);
  }

  #acknowledged(len: number): void {
    if (len < this.#known && this.#wrong === 'obey-old-ack') this.#goBack(len);
    else this.#known = Math.max(this.#known, len);
  }

  /** Every frame behind a gap is refused with the same length: going back once is enough. */
  #refused(len: number): void {
    if (this.#wrong === 'ignore-nack') return;
    if (len !== this.#nack || this.#isEndSent) this.#goBack(len);
    this.#nack = len;
  }

  #goBack(len: number): void {
    this.#known = len;
    this.#sent = len;
    this.#isEndSent = false;
  }

  #pump(send: (frame: Uint8Array | string) => void): void {
    this.#goBackWhenStalled();
    const window = this.#wrong === 'ignore-window' ? Number.POSITIVE_INFINITY : windowBytes;
    for (;;) {
      const room = Math.min(chunkBytesMax, window - (this.#sent - this.#known));
      const bytes = this.#read(this.#sent, room);
      if (bytes.length === 0) break;
      if (this.#sent === this.#known) this.#movedMs = performance.now();
      send(frameOf(this.#sent, bytes));
      this.#sent += bytes.length + (this.#wrong === 'skip-a-byte' && this.#sent === 0 ? 1 : 0);
    }
    if (this.#isEnded && !this.#isEndSent && this.#sent >= this.#agent.logLength) this.#sendEnd(send);
  }

  /** What was lost without a word is sent again. */
  #goBackWhenStalled(): void {
    const isWaiting = this.#sent > this.#known || this.#isEndSent;
    if (!isWaiting || performance.now() - this.#movedMs <= stallMs || this.#wrong === 'ignore-nack') return;
    this.#goBack(this.#known);
    this.#movedMs = performance.now();
  }

  #sendEnd(send: (text: string) => void): void {
    const whole = readFileSync(this.#agent.logPath);
    this.end = {len: whole.length, sha256: createHash('sha256').update(whole).digest('hex')};
    send(JSON.stringify({t: 'end', ...this.end}));
    this.#isEndSent = true;
  }

  #read(offset: number, length: number): Buffer {
    if (length <= 0) return Buffer.alloc(0);
    const file = openSync(this.#agent.logPath, 'r');
    try {
      const buffer = Buffer.alloc(length);
      return buffer.subarray(0, readSync(file, buffer, 0, length, offset));
    } finally {
      closeSync(file);
    }
  }
}

/** Type 1, no flags, channel 0, the offset as 64 bits, and the bytes. */
function frameOf(offset: number, bytes: Buffer): Uint8Array {
  const header = Buffer.alloc(14);
  header.writeUInt8(1, 0);
  header.writeBigUInt64BE(BigInt(offset), 6);
  return Buffer.concat([header, bytes]);
}
