import {encodeLogFrame, logPayloadBytesMax, mergedLogChannel} from '@switchyard/shared/protocol/log-frame.ts';
import {
  logViewCloseCodes,
  logViewRequestCharactersMax,
  logViewSilenceMs,
  logViewUpSchema,
  logViewWindowBytes,
  type LogViewDown,
} from '@switchyard/shared/protocol/log-view.ts';
import {concat} from '@switchyard/shared/crypto/bytes.ts';
import {rawBytesFrom, type LogStore, type StoredChunk} from './log-store.ts';
import type {ViewedRange} from './viewed-range.ts';

/** What the socket of a viewer remembers while the object sleeps. */
export type ViewerState = {
  readonly role: 'viewer';
  /** The attempt that is followed; null for the whole log. All offsets count from its start. */
  readonly epoch: number | null;
  readonly sent: number;
  readonly acked: number;
  /** When `acked` last moved, or the viewer came. */
  readonly ackedAtMs: number;
};

export type ViewerSocket = Pick<WebSocket, 'send' | 'close'>;

const UP_CHARACTERS_MAX = 400;

export function newViewer({from, epoch, nowMs}: {from: number; epoch: number | null; nowMs: number}): ViewerState {
  return {role: 'viewer', epoch, sent: from, acked: from, ackedAtMs: nowMs};
}

export function tell(socket: ViewerSocket, message: LogViewDown): void {
  socket.send(JSON.stringify(message));
}

/**
 * Sends what the viewer lacks, up to a full window; at the end of what is finished says so and closes. Answers the state
 * to remember, or undefined when the socket is closed.
 */
export function pump(
  socket: ViewerSocket,
  viewer: ViewerState,
  {store, range, nowMs}: {store: LogStore; range: ViewedRange; nowMs: number},
): ViewerState | undefined {
  const {length, ending} = range;
  let {sent} = viewer;
  // A viewer that had nothing to acknowledge was not silent.
  const ackedAtMs = sent === viewer.acked ? nowMs : viewer.ackedAtMs;
  while (sent < length && sent - viewer.acked < logViewWindowBytes) {
    const frame = frameFrom(store, range, sent);
    if (frame === undefined) break;
    socket.send(frame.message);
    sent = frame.end;
  }
  if (sent >= length && ending !== undefined) {
    tell(socket, {t: 'end', state: ending, length});
    socket.close(1000, 'everything was sent');
    return undefined;
  }
  if (sent < length && nowMs - ackedAtMs > logViewSilenceMs) {
    socket.close(logViewCloseCodes.slow, `resume from ${viewer.acked}`);
    return undefined;
  }
  return {...viewer, sent, ackedAtMs};
}

export type ViewerError = Extract<LogViewDown, {t: 'error'}>;

export type Heard =
  | {readonly ok: true; readonly viewer: ViewerState}
  /** Nothing has changed, and the viewer is told why. */
  | {readonly ok: false; readonly error: ViewerError};

/** The state after a message of the viewer. Never throws, whatever it sent. */
export function hear(viewer: ViewerState, message: string | ArrayBuffer, nowMs: number): Heard {
  if (typeof message !== 'string') return refused('malformed', 'a viewer sends text only', null);
  if (message.length > UP_CHARACTERS_MAX)
    return refused('malformed', `a message is at most ${UP_CHARACTERS_MAX} characters long`, null);
  const value = parseJson(message);
  const request = typeof value?.['request'] === 'string' ? value['request'] : null;
  const parsed = logViewUpSchema.safeParse(value);
  if (!parsed.success) {
    const t = value?.['t'];
    return typeof t === 'string' && t !== 'ack'
      ? refused('unknown_type', 'this server knows no message of this type', request)
      : refused('malformed', 'expected {"t":"ack","to":<offset that was sent>}', request);
  }
  const {to} = parsed.data;
  if (to > viewer.sent) return refused('unsent_offset', `only ${viewer.sent} bytes were sent`, request);
  return {ok: true, viewer: to <= viewer.acked ? viewer : {...viewer, acked: to, ackedAtMs: nowMs}};
}

function refused(code: ViewerError['code'], detail: string, request: string | null): Heard {
  return {
    ok: false,
    error: {t: 'error', code, detail, request: request?.slice(0, logViewRequestCharactersMax) ?? null},
  };
}

/** A whole compressed chunk travels as it is stored; raw chunks that follow each other travel together. */
function frameFrom(
  store: LogStore,
  {base, length}: ViewedRange,
  offset: number,
): {readonly message: Uint8Array; readonly end: number} | undefined {
  const first = store.chunkAt(base + offset);
  if (first === undefined) return undefined;
  if (first.isGzip && base + offset === first.start) {
    const message = encodeLogFrame({channel: mergedLogChannel, offset, isGzip: true, payload: first.bytes});
    return {message, end: offset + first.rawBytes};
  }
  const payload = rawRun(store, first, {from: base + offset, to: base + length});
  return {
    message: encodeLogFrame({channel: mergedLogChannel, offset, isGzip: false, payload}),
    end: offset + payload.length,
  };
}

function rawRun(store: LogStore, first: StoredChunk, {from, to}: {from: number; to: number}): Uint8Array {
  const parts = [rawBytesFrom(first, from)];
  let end = first.start + first.rawBytes;
  // A chunk belongs to one attempt, so none lies across the end of the range.
  while (end < to) {
    const next = store.chunkAt(end);
    if (next === undefined || next.isGzip || end - from + next.rawBytes > logPayloadBytesMax) break;
    parts.push(next.bytes);
    end += next.rawBytes;
  }
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : concat(...parts);
}

function parseJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? {...value} : undefined;
  } catch {
    return undefined;
  }
}
