import {request as httpRequest, type IncomingMessage} from 'node:http';
import {request as httpsRequest} from 'node:https';
import {boundedText} from '@switchyard/shared/api/bounded-text.ts';
import {
  formatLogUp,
  logExchangeAnswerSchema,
  logDownSchema,
  type LogExchangeBody,
} from '@switchyard/shared/protocol/log-control.ts';
import {handshakeMs, packedFrame, type LogCarrier, type LogSocketListener} from './log-socket.ts';

/** Frames of one request; the window of the upload is smaller. */
const framesMax = 32;
/** While nothing is to be sent, the other side is asked this often whether it has news. */
const idleMs = 1_000;
const answerBytesMax = 262_144;

export type PostLog = (body: LogExchangeBody) => Promise<{readonly status: number; readonly text: string}>;

/** One conversation with a task log over requests, for networks that break WebSockets. Same promises as `LogSocket`. */
export class LogPoster implements LogCarrier {
  readonly #post: PostLog;
  readonly #listener: LogSocketListener;
  #pending: (() => Promise<{frame: string} | {control: string}>)[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;

  constructor(post: PostLog, listener: LogSocketListener) {
    this.#post = post;
    this.#listener = listener;
    void this.#run();
  }

  sendChunk(offset: number, read: () => Promise<Uint8Array>): void {
    this.#enqueue(async () => ({frame: Buffer.from(packedFrame(offset, await read())).toString('base64')}));
  }

  sendEnd(len: number, sha256: string): void {
    this.#enqueue(async () => ({control: formatLogUp({t: 'end', len, sha256})}));
  }

  close(why: string): void {
    this.#finish({why, isFinal: false});
  }

  #enqueue(item: () => Promise<{frame: string} | {control: string}>): void {
    this.#pending.push(item);
    this.#wake?.();
  }

  async #run(): Promise<void> {
    let isGreeted = false;
    try {
      while (!this.#isClosed) {
        const {len, watching, messages} = await this.#exchange();
        if (this.#isClosed) return;
        if (!isGreeted) this.#listener.opened();
        this.#listener.message(isGreeted ? {t: 'watching', count: watching} : {t: 'state', len, watching});
        isGreeted = true;
        for (const message of messages) {
          const known = logDownSchema.safeParse(message);
          if (known.success && !this.#isClosed) this.#listener.message(known.data);
        }
        if (this.#pending.length === 0) await this.#idle();
      }
    } catch (error) {
      this.#finish({why: String(error), isFinal: false});
    }
  }

  async #exchange() {
    const items = await Promise.all(this.#pending.splice(0, framesMax).map(async item => item()));
    const frames = items.flatMap(item => ('frame' in item ? [item.frame] : []));
    const control = items.flatMap(item => ('control' in item ? [item.control] : []));
    const {status, text} = await this.#post({frames, control});
    if (status === 403 || status === 410) this.#finish({why: `refused with status ${status}`, isFinal: true});
    if (status !== 200) throw new Error(`the log answered ${status}`);
    return logExchangeAnswerSchema.parse(JSON.parse(text));
  }

  async #idle(): Promise<void> {
    const {promise, resolve} = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, idleMs);
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }

  #finish(closed: {readonly why: string; readonly isFinal: boolean}): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wake?.();
    this.#listener.closed(closed);
  }
}

/** Posts to the address of the log socket, with the headers of its upgrade. */
export function postTo(url: string, headers: Readonly<Record<string, string>>): PostLog {
  const target = new URL(url);
  const isPlain = target.protocol === 'ws:' || target.protocol === 'http:';
  target.protocol = isPlain ? 'http:' : 'https:';
  return async body => {
    const text = JSON.stringify(body);
    const {promise, resolve, reject} = Promise.withResolvers<IncomingMessage>();
    const length = String(Buffer.byteLength(text));
    const call = (isPlain ? httpRequest : httpsRequest)(target, {
      method: 'POST',
      headers: {...headers, 'content-type': 'application/json', 'content-length': length},
      timeout: handshakeMs,
    });
    call.on('response', resolve);
    call.on('error', reject);
    call.on('timeout', () => call.destroy(new Error(`no answer in ${handshakeMs} ms`)));
    call.end(text);
    const answer = await promise;
    const answered = await boundedText(answer, answerBytesMax);
    if (answered === undefined) throw new Error(`the answer of the log is longer than ${answerBytesMax} bytes`);
    return {status: answer.statusCode ?? 0, text: answered};
  };
}
