import {limits} from '../policy/limits.ts';

/** A peer may ask for patience, but not for ever. */
const retryAfterMsMax = 86_400_000;

/**
 * How long a task waits before its next attempt: full jitter over a window that doubles with every failure, so that
 * tasks which failed together do not come back together. `failuresBefore` is 0 at the first failure. `random` answers
 * from 0 (inclusive) to 1 (exclusive). A `Retry-After` that somebody stated is never undercut.
 */
export function retryDelayMs(failuresBefore: number, random: () => number, retryAfterMs = 0): number {
  const windowMs = Math.min(limits.retryMaxMs, limits.retryBaseMs * 2 ** failuresBefore);
  return Math.max(Math.floor(random() * windowMs), Math.min(retryAfterMs, retryAfterMsMax));
}
