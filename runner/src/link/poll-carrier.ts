import * as z from 'zod';
import {readBounded} from '@switchyard/shared/api/api-answer.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {decodeBatch, encodeBatch} from '@switchyard/shared/protocol/batch.ts';
import {downMessageSchema, type DownMessage} from '@switchyard/shared/protocol/down.ts';
import type {UpMessage} from '@switchyard/shared/protocol/up.ts';
import {closeCodes} from '@switchyard/shared/protocol/version.ts';
import type {Carrier, CarrierHandlers, CarrierOptions, SessionEnd} from './carrier.ts';
import {framesOf} from './frame-batch.ts';
import {refusalBytesMax, refusalOf} from './refusal.ts';

const answerSchema = z.object({frame: z.string().max(limits.controlFrameBytesMax)});
/** A frame is JSON inside JSON: each of its bytes may be escaped by another one. */
const answerBytesMax = 2 * limits.controlFrameBytesMax + 1_024;

/** One request waits for news; what must be said meanwhile goes in another, and the server then answers the first. */
const requestsMax = 3;
/** A server that answers nothing at once, again and again, is not asked more often than this. */
const idlePauseMs = 1_000;
const messagesWaitingMax = 4_096;
const requestMaxMs = limits.pollHoldMs + limits.httpTimeoutMs;

export type PollOptions = Omit<CarrierOptions, 'token'> & {
  /** Each request carries its own token. */
  readonly issueToken: () => Promise<string>;
};

/** One session over `POST /v1/runner/poll`, for networks that let no WebSocket through. */
export class PollCarrier implements Carrier {
  readonly #options: PollOptions;
  readonly #handlers: CarrierHandlers;
  readonly #abort = new AbortController();
  readonly #waiting: UpMessage[] = [];
  #requests = 0;
  #hasEnded = false;
  #pause: NodeJS.Timeout | undefined;

  constructor(options: PollOptions, handlers: CarrierHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#ask();
  }

  send(messages: readonly UpMessage[]): void {
    if (this.#hasEnded) return;
    this.#waiting.push(...messages);
    if (this.#waiting.length > messagesWaitingMax)
      this.#end({kind: 'unreachable', why: `${this.#waiting.length} messages wait for a server that does not answer`});
    else this.#ask();
  }

  leave(why: string): void {
    this.#end({kind: 'left', why});
  }

  #ask(): void {
    if (this.#hasEnded || this.#requests >= requestsMax) return;
    clearTimeout(this.#pause);
    const frames = framesOf(this.#waiting.splice(0), this.#options.log);
    const [first = encodeBatch([]), ...rest] = frames;
    this.#requests += 1;
    this.#exchangeAll([first, ...rest]).then(
      answered => this.#next(answered),
      (error: unknown) => {
        this.#end({kind: 'unreachable', why: reasonOf(error)});
      },
    );
  }

  #next({isIdle, isChallenged}: {isIdle: boolean; isChallenged: boolean}): void {
    this.#requests -= 1;
    // A challenge is answered by what comes next; to ask again before would get it twice, and its answer counts once.
    if (this.#waiting.length === 0 && (this.#requests > 0 || isChallenged)) return;
    if (isIdle && this.#waiting.length === 0) this.#pause = setTimeout(() => this.#ask(), idlePauseMs);
    else this.#ask();
  }

  async #exchangeAll(frames: readonly string[]): Promise<{isIdle: boolean; isChallenged: boolean}> {
    const begun = performance.now();
    let heard = 0;
    let isChallenged = false;
    for (const frame of frames) {
      const messages = await this.#exchange(frame);
      heard += messages.length;
      isChallenged ||= messages.some(({t}) => t === 'challenge');
    }
    return {isIdle: heard === 0 && performance.now() - begun < idlePauseMs / 10, isChallenged};
  }

  async #exchange(frame: string): Promise<readonly DownMessage[]> {
    // Never tried again in this session: the next request of a session says that the answer to the last one arrived.
    const response = await this.#post(frame);
    const text = await readBounded(response, response.ok ? answerBytesMax : refusalBytesMax);
    if (!response.ok) {
      const {headers} = response;
      const date = headers.get('date') ?? undefined;
      const refusal = refusalOf(response.status, text, {date, retryAfter: headers.get('retry-after') ?? undefined});
      this.#end(isReplaced(refusal) ? {kind: 'closed', code: closeCodes.replaced, why: refusal.why} : refusal);
      return [];
    }
    const {messages} = decodeBatch(downMessageSchema, answerSchema.parse(JSON.parse(text)).frame, 'leave_out');
    if (!this.#hasEnded) this.#handlers.onMessages(messages);
    return messages;
  }

  async #post(frame: string): Promise<Response> {
    const {url, session, issueToken} = this.#options;
    return fetch(new URL('/v1/runner/poll', url), {
      method: 'POST',
      headers: {'content-type': 'application/json', authorization: `Bearer ${await issueToken()}`},
      body: JSON.stringify({session, frame}),
      redirect: 'error',
      signal: AbortSignal.any([this.#abort.signal, AbortSignal.timeout(requestMaxMs)]),
    });
  }

  #end(how: SessionEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#pause);
    this.#abort.abort();
    this.#handlers.onEnd(how);
  }
}

function isReplaced(end: SessionEnd): end is Extract<SessionEnd, {kind: 'refused'}> {
  return end.kind === 'refused' && end.code === 'runner_replaced';
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
