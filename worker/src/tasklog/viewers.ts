import type {TaskState} from '@switchyard/shared/machine/task-machine.ts';
import {encodeLogFrame, logPayloadBytesMax, mergedLogChannel} from '@switchyard/shared/protocol/log-frame.ts';
import {
  logViewCloseCodes,
  logViewSilenceMs,
  logViewUpSchema,
  logViewWindowBytes,
  type LogViewDown,
} from '@switchyard/shared/protocol/log-view.ts';
import {concat} from '@switchyard/shared/crypto/bytes.ts';
import {rawBytesFrom, type LogStore, type StoredChunk} from './log-store.ts';

/** What the socket of a viewer remembers while the object sleeps. */
export type ViewerState = {
  readonly role: 'viewer';
  readonly sent: number;
  readonly acked: number;
  /** When `acked` last moved, or the viewer came. */
  readonly ackedAtMs: number;
};

export type ViewerSocket = Pick<WebSocket, 'send' | 'close'>;

const ACK_CHARACTERS_MAX = 200;

export function newViewer(from: number, nowMs: number): ViewerState {
  return {role: 'viewer', sent: from, acked: from, ackedAtMs: nowMs};
}

export function tell(socket: ViewerSocket, message: LogViewDown): void {
  socket.send(JSON.stringify(message));
}

/**
 * Sends what the viewer lacks, up to a full window; at the end of a finished log says so and closes. Answers the state
 * to remember, or undefined when the socket is closed.
 */
export function pump(
  socket: ViewerSocket,
  viewer: ViewerState,
  {store, ending, nowMs}: {store: LogStore; ending: TaskState | undefined; nowMs: number},
): ViewerState | undefined {
  let {sent} = viewer;
  // A viewer that had nothing to acknowledge was not silent.
  const ackedAtMs = sent === viewer.acked ? nowMs : viewer.ackedAtMs;
  while (sent < store.end() && sent - viewer.acked < logViewWindowBytes) {
    const frame = frameFrom(store, sent);
    if (frame === undefined) break;
    socket.send(frame.message);
    sent = frame.end;
  }
  if (sent >= store.end() && ending !== undefined) {
    tell(socket, {t: 'end', state: ending, length: store.end()});
    socket.close(1000, 'the task has ended');
    return undefined;
  }
  if (sent < store.end() && nowMs - ackedAtMs > logViewSilenceMs) {
    socket.close(logViewCloseCodes.slow, `resume from ${viewer.acked}`);
    return undefined;
  }
  return {...viewer, sent, ackedAtMs};
}

/** The state after an acknowledgement; undefined for anything else, which a viewer has no reason to send. */
export function acknowledged(viewer: ViewerState, text: string, nowMs: number): ViewerState | undefined {
  if (text.length > ACK_CHARACTERS_MAX) return undefined;
  const parsed = logViewUpSchema.safeParse(parseJson(text));
  if (!parsed.success || parsed.data.to > viewer.sent) return undefined;
  return parsed.data.to <= viewer.acked ? viewer : {...viewer, acked: parsed.data.to, ackedAtMs: nowMs};
}

/** A whole compressed chunk travels as it is stored; raw chunks that follow each other travel together. */
function frameFrom(store: LogStore, offset: number): {readonly message: Uint8Array; readonly end: number} | undefined {
  const first = store.chunkAt(offset);
  if (first === undefined) return undefined;
  if (first.isGzip && offset === first.start) {
    const message = encodeLogFrame({channel: mergedLogChannel, offset, isGzip: true, payload: first.bytes});
    return {message, end: first.start + first.rawBytes};
  }
  const payload = rawRun(store, first, offset);
  return {
    message: encodeLogFrame({channel: mergedLogChannel, offset, isGzip: false, payload}),
    end: offset + payload.length,
  };
}

function rawRun(store: LogStore, first: StoredChunk, offset: number): Uint8Array {
  const parts = [rawBytesFrom(first, offset)];
  let end = first.start + first.rawBytes;
  for (let next = store.chunkAt(end); next !== undefined && !next.isGzip; next = store.chunkAt(end)) {
    if (end - offset + next.rawBytes > logPayloadBytesMax) break;
    parts.push(next.bytes);
    end += next.rawBytes;
  }
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : concat(...parts);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
