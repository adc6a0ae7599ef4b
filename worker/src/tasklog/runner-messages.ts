import {parseLogUp, type LogDown} from '@switchyard/shared/protocol/log-control.ts';
import {takeFrame} from './append.ts';
import type {LogHash} from './log-hash.ts';
import type {LogStore} from './log-store.ts';
import {takeEnd} from './seal.ts';

/** What one message of a runner comes to, whatever carried it. */
export type Taken =
  | {readonly kind: 'message'; readonly message: LogDown; readonly grew: boolean}
  | {readonly kind: 'sealed'; readonly length: number; readonly sha256: string}
  /** The peer breaks the protocol: nothing more of this connection can be trusted. */
  | {readonly kind: 'malformed'; readonly why: string}
  /** Of a type that a newer runner may send. */
  | {readonly kind: 'nothing'};

export const laterAttempt = 'a later attempt of this task has begun';
export const fencedAttempt = 'the control plane took this attempt from its runner';

/** What a message of a runner works on. */
type LogRows = {readonly store: LogStore; readonly hash: LogHash};

/** Opens the log of an attempt, or says why it stays closed. To be called inside a transaction. */
export function admit(
  store: LogStore,
  {epoch, runner}: {readonly epoch: number; readonly runner: string},
): string | undefined {
  if (epoch <= store.fenced()) return fencedAttempt;
  const newest = store.newest();
  if (newest !== undefined && epoch < newest.epoch) return laterAttempt;
  if (epoch === newest?.epoch) return runner === newest.runner ? undefined : 'the attempt belongs to another runner';
  if (store.ending() !== undefined) return 'the task has ended';
  store.open(epoch, runner);
  return undefined;
}

/** To be called inside a transaction, for an attempt that was admitted. Never throws for what the message holds. */
export function takeMessage(
  {store, hash}: LogRows,
  {epoch, message, nowMs}: {readonly epoch: number; readonly message: string | Uint8Array; readonly nowMs: number},
): Taken {
  if (epoch <= store.fenced()) return {kind: 'message', message: {t: 'gone', why: fencedAttempt}, grew: false};
  if (typeof message !== 'string') {
    const taken = takeFrame(message, epoch, {store, hash, nowMs});
    return taken.kind === 'malformed' ? taken : {kind: 'message', message: taken.message, grew: taken.grew};
  }
  const parsed = parseLogUp(message);
  if (parsed.kind === 'malformed') return parsed;
  if (parsed.kind === 'unknown') return {kind: 'nothing'};
  const verdict = takeEnd(parsed.message, epoch, {store, hash});
  if (verdict.kind === 'nack') return {kind: 'message', message: {t: 'nack', len: verdict.length}, grew: false};
  if (verdict.kind === 'gone') return {kind: 'message', message: {t: 'gone', why: verdict.why}, grew: false};
  return verdict;
}
