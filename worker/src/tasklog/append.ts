import {decideLogAppend} from '@switchyard/shared/domain/log-append.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {LogDown} from '@switchyard/shared/protocol/log-control.ts';
import {decodeLogFrame, mergedLogChannel} from '@switchyard/shared/protocol/log-frame.ts';
import type {LogHash} from './log-hash.ts';
import {rawBytesOf, type AttemptRange, type LogStore} from './log-store.ts';

/** The runner's cap counts what it keeps; its last notice may stand behind it. */
const LOG_SLACK_BYTES = 1_048_576;

export type FrameAnswer =
  | {readonly kind: 'answer'; readonly message: Extract<LogDown, {t: 'ack' | 'nack' | 'gone'}>; readonly grew: boolean}
  /** The peer breaks the protocol: nothing more of this socket can be trusted. */
  | {readonly kind: 'malformed'; readonly why: string};

const malformed = (why: string): FrameAnswer => ({kind: 'malformed', why});
const gone = (why: string): FrameAnswer => ({kind: 'answer', message: {t: 'gone', why}, grew: false});

/** To be called inside a transaction, by the socket of one attempt. Never throws for what the frame holds. */
export function takeFrame(
  message: Uint8Array,
  epoch: number,
  {store, hash, nowMs}: {store: LogStore; hash: LogHash; nowMs: number},
): FrameAnswer {
  const decoded = decodeLogFrame(message);
  if (!decoded.ok) return malformed(decoded.refused);
  const {frame} = decoded;
  if (frame.channel !== mergedLogChannel) return malformed('unknown channel');
  const attempt = store.newest();
  if (attempt?.epoch !== epoch) return gone('a later attempt of this task has begun');

  const raw = inflated(frame);
  if (raw === undefined || raw.length === 0) return malformed('the payload is not the gzip that it claims to be');
  const verdict = decideLogAppend(attempt.length, {offset: frame.offset, bytes: raw.length});
  if (verdict.kind !== 'append') return {kind: 'answer', message: {t: verdict.kind, len: verdict.len}, grew: false};
  const refusal = refusalOf(attempt, verdict.len, store);
  if (refusal !== undefined) return gone(refusal);

  const fresh = raw.subarray(verdict.skip);
  const isWhole = frame.isGzip && verdict.skip === 0;
  const start = attempt.base + attempt.length;
  store.append({start, rawBytes: fresh.length, isGzip: isWhole, bytes: isWhole ? frame.payload : fresh, atMs: nowMs});
  hash.add(epoch, attempt.length, fresh);
  return {kind: 'answer', message: {t: 'ack', len: verdict.len}, grew: true};
}

/** Why this attempt may not grow to `length` bytes. */
function refusalOf({sha256}: AttemptRange, length: number, store: LogStore): string | undefined {
  if (sha256 !== null) return 'the log of this attempt is sealed';
  if (store.ending() !== undefined) return 'the task has ended';
  if (length > limits.logBytesMax + LOG_SLACK_BYTES) return `the log is longer than ${limits.logBytesMax} bytes`;
  return undefined;
}

function inflated(frame: {readonly isGzip: boolean; readonly payload: Uint8Array}): Uint8Array | undefined {
  try {
    return rawBytesOf({isGzip: frame.isGzip, bytes: frame.payload});
  } catch {
    return undefined;
  }
}
