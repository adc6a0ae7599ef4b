import type {AttemptSeal} from '@switchyard/shared/crypto/attempt-seal.ts';
import {formatLogDown} from '@switchyard/shared/protocol/log-control.ts';
import type {LogHash} from './log-hash.ts';
import type {LogStore} from './log-store.ts';
import {trySend} from './socket-send.ts';

/** What every part of one task's log works on. */
export type Log = {
  readonly ctx: DurableObjectState;
  readonly store: LogStore;
  readonly hash: LogHash;
  readonly seal: () => AttemptSeal;
};

/** Runs work on the rows of a log, all or nothing. Throws what it throws. */
export function inTransaction<T>({ctx, store}: Log, work: () => T): T {
  try {
    return ctx.storage.transactionSync(work);
  } catch (error) {
    store.forget();
    throw error;
  }
}

/** Tags of the two kinds of sockets, which hibernation keeps. */
export const socketTags = {runner: 'runner', viewer: 'viewer'} as const;

export function openViewers(ctx: DurableObjectState): readonly WebSocket[] {
  return ctx.getWebSockets(socketTags.viewer).filter(({readyState}) => readyState === WebSocket.OPEN);
}

export function countViewers(ctx: DurableObjectState): number {
  return openViewers(ctx).length;
}

/** Tells the runner how many look, so that it sends at once or in bulk. */
export function tellWatching(ctx: DurableObjectState): void {
  const count = countViewers(ctx);
  for (const socket of ctx.getWebSockets(socketTags.runner)) trySend(socket, formatLogDown({t: 'watching', count}));
}
