import {setTimeout as wait} from 'node:timers/promises';
import type {ApiClient} from '@switchyard/shared/api/client.ts';
import {getPool} from '@switchyard/shared/api/pool-contracts.ts';

const pollMs = 250;

/**
 * Resolves when no attempt of the pool is live: their own timeouts bound that. A control plane that does not answer is
 * asked again, because it may be starting anew. Rejects with the reason of the signal.
 */
export async function untilPoolIsIdle(client: ApiClient, signal: AbortSignal): Promise<void> {
  for (;;) {
    const pool = await client.call(getPool, {signal}).catch(() => undefined);
    signal.throwIfAborted();
    if (pool?.slots.held === 0) return;
    await wait(pollMs, undefined, {signal});
  }
}
