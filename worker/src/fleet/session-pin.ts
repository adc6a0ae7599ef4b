import {limits} from '@switchyard/shared/policy/limits.ts';
import type {Batch} from './batch.ts';
import {isPinnedLane, labelOfRunner, laneOf, pinnedLane} from './lane.ts';
import type {Sql} from './sql.ts';
import type {TaskChange, TaskRow} from './task-row.ts';
import {specOf} from './spec-row.ts';

/**
 * The session of an agent lies on the machine that ran it: for a while the task stands in a lane that only this runner
 * takes from, so that neither it nor those behind it are held up by one another.
 */
export function pinnedTo(batch: Batch, row: TaskRow, epoch: number): TaskChange {
  const {sql} = batch.context;
  const [attempt] = sql.all<{runner: string}>('SELECT runner FROM attempt WHERE task = ? AND epoch = ?', row.id, epoch);
  if (attempt === undefined || batch.runner(attempt.runner)?.row.revoked_ms !== null) return {};
  const untilMs = batch.nowMs + limits.sessionAffinityMs;
  return {
    lane: pinnedLane(row.lane, labelOfRunner(attempt.runner)),
    due_ms: Math.min(untilMs, row.deadline_ms ?? Infinity),
  };
}

/** Back to the lane that its spec names; no change for a task that stands there. */
export function unpinned(sql: Sql, row: TaskRow): TaskChange {
  return isPinnedLane(row.lane) ? {lane: laneOf(specOf(sql, row.id))} : {};
}
