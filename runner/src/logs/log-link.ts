import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {LogDown} from '@switchyard/shared/protocol/log-control.ts';

import {LogPoster, postTo} from './log-poster.ts';
import {handshakeMs, LogSocket, type LogCarrier, type LogSocketListener} from './log-socket.ts';
import type {LogSpool} from './log-spool.ts';
import {
  isUploadOver,
  nextTickAtMs,
  startUpload,
  stepUpload,
  type UploadEffect,
  type UploadEvent,
  type UploadState,
} from './log-upload.ts';

/** So many sockets in a row that never open mean a network that breaks WebSockets. */
const socketFailuresBeforePost = 3;

export interface LogLinkOptions {
  readonly spool: Pick<LogSpool, 'length' | 'read' | 'onGrow'>;
  readonly url: string;
  /** Asked before every connection, so that a short-lived token is fresh. */
  readonly headers: () => Promise<Readonly<Record<string, string>>>;
  /** A clock that never goes back, in milliseconds. */
  readonly nowMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

export type LogLinkOutcome =
  /** The task log is whole; the receipt goes with the exit of the attempt. */
  | {readonly kind: 'sealed'; readonly len: number; readonly receipt: string}
  /** The task log takes nothing more from this attempt: it must end. */
  | {readonly kind: 'gone'; readonly why: string}
  /** The task log holds bytes that this spool never had: nothing can make them equal. */
  | {readonly kind: 'diverged'; readonly why: string}
  | {readonly kind: 'stopped'};

/**
 * Brings a spool to its task log and keeps trying, over as many connections as it takes, until the log is sealed, gone
 * or the caller stops it. All decisions are `stepUpload`'s; this carries them out. It never reads beyond what the
 * spool has stored and holds no bytes besides those in flight.
 */
export class LogLink {
  readonly #options: LogLinkOptions;
  readonly #done = Promise.withResolvers<LogLinkOutcome>();
  #state: UploadState = startUpload;
  #socket: LogCarrier | undefined;
  /** Sockets in a row that never opened. */
  #socketFailures = 0;
  #tick: NodeJS.Timeout | undefined;
  #reconnect: NodeJS.Timeout | undefined;
  #isOver = false;

  /** Throws `configuration_invalid` for a URL that is not `ws:` or `wss:`. */
  constructor(options: LogLinkOptions) {
    if (!/^wss?:$/.test(URL.parse(options.url)?.protocol ?? '')) {
      throw new SwitchyardError('configuration_invalid', `${options.url} is not the URL of a log socket`);
    }
    this.#options = options;
  }

  /** For status displays. */
  get state(): UploadState {
    return this.#state;
  }

  /** Runs once. Resolves when the upload is over; never rejects. After an abort the next process may go on. */
  async run(signal: AbortSignal): Promise<LogLinkOutcome> {
    const {spool} = this.#options;
    const stop = (): void => this.#finish({kind: 'stopped'});
    const forget = spool.onGrow(length => this.#feed({kind: 'spoolGrew', length}));
    signal.addEventListener('abort', stop);
    try {
      this.#feed({kind: 'spoolGrew', length: spool.length});
      this.#feed({kind: 'start'});
      if (signal.aborted) stop();
      return await this.#done.promise;
    } finally {
      signal.removeEventListener('abort', stop);
      forget();
    }
  }

  /** The spool is finished: what `LogSpool.finish` answered. */
  end({length, sha256}: {readonly length: number; readonly sha256: string}): void {
    this.#feed({kind: 'ended', len: length, sha256});
  }

  #feed(event: UploadEvent): void {
    if (this.#isOver) return;
    const {state, effects} = stepUpload(this.#state, event, this.#options.nowMs());
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
    if (isUploadOver(state)) this.#finish(outcomeOf(state));
    else this.#armTick();
  }

  #carryOut(effect: UploadEffect): void {
    switch (effect.kind) {
      case 'connect':
        this.#reconnect = setTimeout(() => void this.#connect(), effect.afterMs);
        break;
      case 'sendChunk':
        this.#socket?.sendChunk(effect.offset, () => this.#options.spool.read(effect.offset, effect.length));
        break;
      case 'sendEnd':
        this.#socket?.sendEnd(effect.len, effect.sha256);
        break;
      case 'close':
        this.#socket?.close(effect.why);
        break;
    }
  }

  async #connect(): Promise<void> {
    this.#feed({kind: 'connecting'});
    let headers: Readonly<Record<string, string>>;
    try {
      headers = await within(handshakeMs, this.#options.headers());
    } catch {
      this.#feed({kind: 'socketClosed', random: this.#options.random()});
      return;
    }
    if (this.#isOver) return;
    const {url} = this.#options;
    let hasOpened = false;
    const isSocket = this.#socketFailures < socketFailuresBeforePost;
    const listener: LogSocketListener = {
      opened: () => {
        hasOpened = true;
        this.#feed({kind: 'socketOpened'});
      },
      message: message => this.#feed(eventOf(message)),
      closed: ({why, isFinal}) => {
        this.#socket = undefined;
        // A conversation by requests that ends gives the socket another chance: it is the better carrier.
        this.#socketFailures = isSocket && !hasOpened ? this.#socketFailures + 1 : 0;
        if (isFinal) this.#finish({kind: 'gone', why});
        else this.#feed({kind: 'socketClosed', random: this.#options.random()});
      },
    };
    this.#socket = isSocket ? new LogSocket(url, headers, listener) : new LogPoster(postTo(url, headers), listener);
  }

  #armTick(): void {
    clearTimeout(this.#tick);
    const atMs = nextTickAtMs(this.#state);
    if (atMs === undefined) return;
    // Never at once: a due time in the past must not become a busy loop.
    this.#tick = setTimeout(() => this.#feed({kind: 'tick'}), Math.max(1, atMs - this.#options.nowMs()));
  }

  #finish(outcome: LogLinkOutcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#tick);
    clearTimeout(this.#reconnect);
    this.#socket?.close(outcome.kind);
    this.#done.resolve(outcome);
  }
}

function eventOf(message: LogDown): UploadEvent {
  switch (message.t) {
    case 'state':
      return {kind: 'greeted', len: message.len, watching: message.watching};
    case 'ack':
      return {kind: 'ack', len: message.len};
    case 'nack':
      return {kind: 'nack', len: message.len};
    case 'watching':
      return {kind: 'watching', count: message.count};
    case 'sealed':
      return {kind: 'sealed', len: message.len, receipt: message.receipt};
    case 'gone':
      return {kind: 'gone', why: message.why};
  }
}

function outcomeOf(state: UploadState): LogLinkOutcome {
  if (state.phase === 'sealed') return {kind: 'sealed', len: state.acked, receipt: state.receipt ?? ''};
  const kind = state.phase === 'gone' ? 'gone' : 'diverged';
  return {kind, why: state.why ?? ''};
}

async function within<T>(deadlineMs: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not within ${deadlineMs} ms`)), deadlineMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
