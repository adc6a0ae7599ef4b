import {createHash} from 'node:crypto';
import type {LogUp} from '@switchyard/shared/protocol/log-control.ts';
import type {LogHash} from './log-hash.ts';
import type {LogStore} from './log-store.ts';

export type SealVerdict =
  /** The log is whole and equal: a receipt may be given, now and whenever it is asked for again. */
  | {readonly kind: 'sealed'; readonly length: number; readonly sha256: string}
  | {readonly kind: 'nack'; readonly length: number}
  | {readonly kind: 'gone'; readonly why: string};

/**
 * The end of an attempt's log. Missing bytes are asked for. Other bytes than the runner has are not thrown away, because
 * people have read them and an offset must mean the same for ever: this log never gets a receipt, and the runner, which
 * is told so, reports the attempt without one. To be called inside a transaction.
 */
export function takeEnd(
  {len, sha256}: Extract<LogUp, {t: 'end'}>,
  epoch: number,
  {store, hash}: {store: LogStore; hash: LogHash},
): SealVerdict {
  const attempt = store.newest();
  if (attempt?.epoch !== epoch) return {kind: 'gone', why: 'a later attempt of this task has begun'};
  if (attempt.sha256 !== null) {
    const isSame = attempt.sha256 === sha256 && attempt.length === len;
    return isSame ? {kind: 'sealed', length: len, sha256} : {kind: 'gone', why: 'the log was sealed with other bytes'};
  }
  if (len > attempt.length) return {kind: 'nack', length: attempt.length};
  if (len < attempt.length)
    return {kind: 'gone', why: `the log has ${attempt.length} bytes, more than the ${len} of its end`};
  if (hash.digest(store, attempt) !== sha256)
    return {kind: 'gone', why: 'the stored bytes are not those that the hash names'};
  store.seal(epoch, sha256);
  return {kind: 'sealed', length: len, sha256};
}

const emptySha256 = createHash('sha256').digest('hex');

/** The end of an attempt whose exit said that its log is empty. What was stored of it stays, and is vouched for by nobody. */
export function sealEmpty(store: LogStore, epoch: number, runner: string): void {
  store.fence(epoch);
  store.openEmpty(epoch, runner);
  const attempt = store.attempts().find(each => each.epoch === epoch);
  if (attempt?.length === 0) store.seal(epoch, emptySha256);
}
