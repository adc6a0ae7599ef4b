import {concat} from '@switchyard/shared/crypto/bytes.ts';
import {rawBytesFrom, type LogStore} from './log-store.ts';
import type {LogChunks, LogPage} from './task-log-rpc.ts';

/** What is asked for beyond this is cut: one answer between objects must stay far below what the platform carries. */
export const pageBytesMax = 1_048_576;

type Asked = {readonly from: number; readonly bytesMax: number; readonly epoch?: number | undefined};

/** An offset beyond the end answers an empty page; so does an attempt that has not begun. */
export function readPage(store: LogStore, {from, bytesMax, epoch}: Asked): LogPage {
  const attempts = store.attempts();
  const whole = {base: 0, length: store.end(), attempt: attempts.findLast(({base}) => base <= from) ?? attempts.at(-1)};
  const one = attempts.find(each => each.epoch === epoch);
  const {base, length, attempt} =
    epoch === undefined ? whole : {base: one?.base ?? 0, length: one?.length ?? 0, attempt: one};
  const stop = Math.min(length, from + Math.min(bytesMax, pageBytesMax));
  const bytes = bytesBetween(store, base + from, base + stop);
  // The stream is whole when its last attempt is.
  const last = epoch === undefined ? attempts.at(-1) : one;
  return {
    epoch: epoch ?? attempt?.epoch ?? 0,
    from,
    to: from + bytes.length,
    length,
    sealed: typeof last?.sha256 === 'string',
    bytes,
  };
}

/** Rows of the older APIs: see `TaskLogRpc.readChunks`. */
export function readChunks(
  store: LogStore,
  {from, bytesMax, epoch}: {readonly from: number; readonly bytesMax: number; readonly epoch: number},
): LogChunks {
  const attempt = store.attempts().find(each => each.epoch === epoch);
  if (attempt === undefined) return {chunks: [], length: 0, sealed: false};
  const {base, length, sha256} = attempt;
  const chunks: LogChunks['chunks'][number][] = [];
  let bytesLeft = Math.min(bytesMax, pageBytesMax);
  for (let at = from; at < length && bytesLeft > 0;) {
    const chunk = store.chunkAt(base + at);
    if (chunk === undefined) break;
    const bytes = rawBytesFrom(chunk, base + at);
    at += bytes.length;
    bytesLeft -= bytes.length;
    chunks.push({to: at, atMs: chunk.atMs, bytes});
  }
  return {chunks, length, sealed: sha256 !== null};
}

function bytesBetween(store: LogStore, from: number, to: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = from; at < to;) {
    const chunk = store.chunkAt(at);
    if (chunk === undefined) break;
    parts.push(rawBytesFrom(chunk, at).subarray(0, to - at));
    at = Math.min(to, chunk.start + chunk.rawBytes);
  }
  return concat(...parts);
}
