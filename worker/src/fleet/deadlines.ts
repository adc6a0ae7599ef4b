import {noteAttempt} from './attempt-end.ts';
import {giveUpSession, passApprovals} from './asks.ts';
import type {Batch} from './batch.ts';
import {isPinnedLane} from './lane.ts';
import {unpinned} from './session-pin.ts';
import {passBudgets} from './spending.ts';
import {one} from './sql.ts';
import type {TaskRow} from './task-row.ts';
import {advance} from './task-step.ts';

const dueTasksMax = 500;

/**
 * Does what the clock says: offers and leases that are over, tasks whose time has come. Runs at the start of every
 * batch, so no operation ever sees a lease that has expired.
 */
export function passDeadlines(batch: Batch): void {
  passBudgets(batch);
  for (const row of batch.memory.live.takePast(batch.nowMs)) passLive(batch, row);
  passWaiting(batch);
  passApprovals(batch);
}

function passLive(batch: Batch, row: TaskRow): void {
  if (row.state === 'offered') {
    returnOffer(batch, row, 'the offer was not accepted in time');
    return;
  }
  const note = {code: 'lease_lost', detail: `runner ${row.runner ?? ''} did not renew in time`} as const;
  const after = advance(batch, row, {event: 'leaseExpired', note});
  if (after !== undefined) noteAttempt(batch, {before: row, after}, null);
}

/** Puts an offered task back at its place in the queue and leaves the runner alone with that lane for a while. */
export function returnOffer(batch: Batch, row: TaskRow, detail: string): void {
  const {memory, nowMs, context} = batch;
  if (row.runner !== null) {
    const {offer_ms} = context.leaseConfig('standard');
    memory.avoidance.add(row.lane, row.runner, nowMs + offer_ms);
  }
  advance(batch, row, {event: 'offerReturned', change: unpinned(context.sql, row), data: {detail}});
}

function passWaiting(batch: Batch): void {
  const {memory, nowMs, context} = batch;
  while (memory.dueMs <= nowMs) {
    const ids = context.sql.all<{id: string}>(
      'SELECT id FROM task WHERE due_ms <= ? ORDER BY due_ms LIMIT ?',
      nowMs,
      dueTasksMax,
    );
    for (const {id} of ids) passDue(batch, id);
    // The next look must see what this one changed.
    batch.flush();
    memory.dueMs =
      one(context.sql.all<{due: number | null}>('SELECT min(due_ms) AS due FROM task WHERE due_ms IS NOT NULL')).due ??
      Infinity;
    if (ids.length < dueTasksMax) return;
  }
}

function passDue(batch: Batch, id: string): void {
  const row = batch.task(id);
  if (row === undefined || row.due_ms === null) return;
  if (row.deadline_ms !== null && batch.nowMs >= row.deadline_ms) {
    const note = {code: 'deadline_passed', detail: 'the task still waited at its deadline'} as const;
    advance(batch, row, {event: 'deadlinePassed', note});
    return;
  }
  if (row.state === 'pending' && row.unmet === 0) advance(batch, row, {event: 'ready'});
  else if (row.state === 'queued' && isPinnedLane(row.lane)) giveUpSession(batch, row);
  else batch.change(row, {due_ms: row.deadline_ms});
}
