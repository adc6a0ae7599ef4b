import {encodeLogFrame, mergedLogChannel} from '@switchyard/shared/protocol/log-frame.ts';
import {formatLogUp, type LogDown} from '@switchyard/shared/protocol/log-control.ts';
import type {LogEnd} from '../../../runner/src/logs/log-spool.ts';
import {
  isUploadOver,
  nextTickAtMs,
  startUpload,
  stepUpload,
  type UploadEffect,
  type UploadEvent,
  type UploadState,
} from '../../../runner/src/logs/log-upload.ts';
import type {LogConnection} from '../control-plane/log-object.ts';
import type {AttemptOf, Fact} from '../kernel/fact.ts';
import type {End} from '../network/connection.ts';
import type {Spool} from './spool.ts';

export type UploadParts = {
  readonly of: AttemptOf;
  readonly machine: number;
  readonly spool: Spool;
  readonly nowMs: () => number;
  readonly random: () => number;
  /** By a timer of the runner process. */
  readonly after: (delayMs: number, run: () => void) => void;
  /** Calls `opened` with the connection before its first message, or `failed`. */
  readonly dial: (end: End<LogDown>, opened: (connection: LogConnection) => void, failed: () => void) => void;
  readonly see: (fact: Fact) => void;
  /** Called once, when it is sealed, gone or diverged. */
  readonly over: (state: UploadState) => void;
};

/** Brings a spool to its log by the shipped decisions; this only carries them out. */
export class Upload {
  readonly #parts: UploadParts;
  state: UploadState = startUpload;
  #connection: LogConnection | undefined;
  #dials = 0;
  #ticks = 0;

  constructor(parts: UploadParts) {
    this.#parts = parts;
    parts.spool.onGrow = length => this.#feed({kind: 'spoolGrew', length});
  }

  start(): void {
    this.#feed({kind: 'spoolGrew', length: this.#parts.spool.length});
    this.#feed({kind: 'start'});
  }

  end({length, sha256}: LogEnd): void {
    this.#feed({kind: 'ended', len: length, sha256});
  }

  /** The process is gone, or lets go. */
  abandon(isNoticed: boolean): void {
    this.#dials += 1;
    this.#parts.spool.onGrow = () => undefined;
    this.#connection?.abandonAtMachine(isNoticed);
    this.#connection = undefined;
  }

  cut(how: 'both' | 'late'): boolean {
    return this.#connection?.cut(how) ?? false;
  }

  #feed(event: UploadEvent): void {
    if (isUploadOver(this.state)) return;
    const {state, effects} = stepUpload(this.state, event, this.#parts.nowMs());
    this.state = state;
    for (const effect of effects) this.#carryOut(effect);
    if (isUploadOver(state)) this.#parts.over(state);
    else this.#armTick();
  }

  #carryOut(effect: UploadEffect): void {
    switch (effect.kind) {
      case 'connect': {
        const dials = this.#dials;
        this.#parts.after(effect.afterMs, () => {
          if (dials === this.#dials) this.#connect();
        });
        break;
      }
      case 'sendChunk': {
        const {of, machine, spool, see} = this.#parts;
        const payload = spool.read(effect.offset, effect.length);
        see({t: 'log.sent', machine, ...of, offset: effect.offset, bytes: payload});
        this.#connection?.up(
          encodeLogFrame({channel: mergedLogChannel, offset: effect.offset, isGzip: false, payload}),
        );
        break;
      }
      case 'sendEnd':
        this.#connection?.up(formatLogUp({t: 'end', len: effect.len, sha256: effect.sha256}));
        break;
      case 'close':
        this.#connection?.closeAtMachine(effect.why);
        this.#connection = undefined;
        this.#closed();
        break;
    }
  }

  #closed(): void {
    this.#dials += 1;
    this.#connection = undefined;
    if (!isUploadOver(this.state)) this.#feed({kind: 'socketClosed', random: this.#parts.random()});
  }

  #connect(): void {
    this.#dials += 1;
    const dials = this.#dials;
    const current = (run: () => void): void => {
      if (dials === this.#dials) run();
    };
    this.#feed({kind: 'connecting'});
    this.#parts.dial(
      {
        frame: message => current(() => this.#feed(eventOf(message))),
        closed: () => current(() => this.#closed()),
      },
      connection =>
        current(() => {
          this.#connection = connection;
          this.#feed({kind: 'socketOpened'});
        }),
      () => current(() => this.#closed()),
    );
  }

  #armTick(): void {
    const atMs = nextTickAtMs(this.state);
    this.#ticks += 1;
    if (atMs === undefined) return;
    const ticks = this.#ticks;
    this.#parts.after(Math.max(1, atMs - this.#parts.nowMs()), () => {
      if (ticks === this.#ticks) this.#feed({kind: 'tick'});
    });
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
