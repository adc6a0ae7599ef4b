import {limits} from '../policy/limits.ts';
import type {LeaseConfig} from '../protocol/down.ts';

/**
 * When the server gives up a lease that it granted or renewed at `nowMs` of its own clock. The runner's deadline is its
 * own stamp plus the ttl, and it stamped before we received; the grace covers the time it takes to kill. So the agent
 * is dead before the task can start elsewhere, whatever the delay, and no clock is compared with another machine's.
 */
export function leaseExpiresMs(nowMs: number, {ttl_ms, grace_ms}: Pick<LeaseConfig, 'ttl_ms' | 'grace_ms'>): number {
  return nowMs + ttl_ms + grace_ms;
}

/** A runner renews at its own pace and pings at that of every connection: without either for this long it is gone. */
export function silentAfterMs({renew_ms}: Pick<LeaseConfig, 'renew_ms'>): number {
  return limits.sessionSilentBeats * Math.min(renew_ms, limits.heartbeatMs);
}

/** Whether what ends at `expiresMs` is over. The very millisecond still belongs to the holder. */
export function isPast(expiresMs: number | null, nowMs: number): boolean {
  return expiresMs !== null && nowMs > expiresMs;
}

/** Which protocol version both sides speak; the highest. `undefined`: none. */
export function negotiate(offered: readonly number[], known: readonly number[]): number | undefined {
  return offered.filter(version => known.includes(version)).toSorted((left, right) => right - left)[0];
}
