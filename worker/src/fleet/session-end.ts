import {silentAfterMs} from '@switchyard/shared/domain/lease.ts';
import type {Batch} from './batch.ts';
import type {FleetCore} from './fleet-core.ts';
import {forgetMail} from './mailbox.ts';

/** Close code of a session that was silent for too long. */
export const silentCode = 4408;

/**
 * A connection is over. Only dispatch hears of it: what the runner holds is its own until the lease runs out, and an
 * offer may still be accepted over the next connection.
 */
export function endSession(
  batch: Batch,
  {runner, connection}: {readonly runner: string; readonly connection: string},
): void {
  const row = batch.runner(runner)?.row;
  if (row === undefined || row.connection !== connection) return;
  if (row.transport === 'poll') forgetMail(batch.context.sql, runner, Number.MAX_SAFE_INTEGER);
  batch.changeRunner({
    ...row,
    connection: null,
    transport: null,
    seen_ms: batch.memory.seenMs.get(runner) ?? row.seen_ms,
  });
}

/** Ends sessions of which nothing was heard for too long; `heardMs` is the latest sign of life of a connection. */
export function endSilent(batch: Batch, heardMs: (runner: string) => number): void {
  for (const {row} of batch.memory.runners.values()) {
    const afterMs = silentAfterMs(batch.context.leaseConfig(row.lease_class));
    if (row.connection === null || batch.nowMs < heardMs(row.id) + afterMs) continue;
    batch.context.refuse('session.silent');
    batch.close({runner: row.id, connection: row.connection, code: silentCode, why: 'nothing was heard for too long'});
    endSession(batch, {runner: row.id, connection: row.connection});
  }
}

type FleetSight = Pick<FleetCore, 'memory'> & {readonly parts: Pick<FleetCore['parts'], 'leaseConfig'>};

/** When the next session will have been silent for too long; `Infinity` when there is none. */
export function nextSilenceMs({memory, parts}: FleetSight, heardMs: (runner: string) => number): number {
  let nextMs = Infinity;
  for (const {row} of memory.runners.values())
    if (row.connection !== null)
      nextMs = Math.min(nextMs, heardMs(row.id) + silentAfterMs(parts.leaseConfig(row.lease_class)));
  return nextMs;
}
