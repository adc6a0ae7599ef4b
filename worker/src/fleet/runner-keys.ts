import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {closeCodes} from '@switchyard/shared/protocol/version.ts';
import type {Batch} from './batch.ts';
import type {Memory} from './memory.ts';
import type {RunnerRow} from './runner-row.ts';
import {endSession} from './session-end.ts';

/** The keys that speak for a runner at this time, newest first. */
export function keysOf({x, previous_x, previous_until_ms}: RunnerRow, nowMs: number): readonly string[] {
  return previous_x !== null && nowMs < (previous_until_ms ?? 0) ? [x, previous_x] : [x];
}

/** Throws `unauthorized` for a runner that was never enrolled or whose key is not its own any more, `runner_revoked`. */
export function checkRunner(row: RunnerRow | undefined, x: string, nowMs: number): RunnerRow {
  if (row === undefined || !keysOf(row, nowMs).includes(x))
    throw new SwitchyardError('unauthorized', 'the runner is not enrolled with this key');
  if (row.revoked_ms !== null) throw new SwitchyardError('runner_revoked', `runner ${row.id} was revoked`);
  return row;
}

/**
 * Puts a new key in the place of the current one, which stays good for the overlap. Only the current key may name its
 * successor; the same rotation may come again at any time, because its answer may have been lost. Answers the new row.
 */
export function rotateKey(
  batch: Batch,
  row: RunnerRow,
  {oldX, newX}: {readonly oldX: string; readonly newX: string},
): RunnerRow {
  if (row.revoked_ms !== null) throw new SwitchyardError('runner_revoked', `runner ${row.id} was revoked`);
  if (row.x === newX) return row;
  if (row.x !== oldX) throw new SwitchyardError('unauthorized', 'the key of this runner was replaced by another one');
  const next = {...row, x: newX, previous_x: oldX, previous_until_ms: batch.nowMs + limits.keyOverlapMs};
  batch.changeRunner(next);
  batch.send(row.id, {t: 'rotate', x: newX});
  return next;
}

/**
 * Forgets keys whose overlap is over. A session that stands then is ended whatever key opened it: the next one proves
 * the new key, and what the runner holds is not touched.
 */
export function endOldKeys(batch: Batch): void {
  for (const {row} of batch.memory.runners.values()) {
    if (row.previous_until_ms === null || batch.nowMs < row.previous_until_ms) continue;
    batch.changeRunner({...row, previous_x: null, previous_until_ms: null});
    if (row.connection === null) continue;
    const session = {runner: row.id, connection: row.connection};
    batch.close({...session, code: closeCodes.unauthorized, why: 'the old key is over: connect with the new one'});
    endSession(batch, session);
  }
}

/** When the next old key is over; `Infinity` when there is none. */
export function nextKeyEndMs({runners}: Memory): number {
  let nextMs = Infinity;
  for (const {row} of runners.values()) nextMs = Math.min(nextMs, row.previous_until_ms ?? Infinity);
  return nextMs;
}
