import type {TaskId} from '@switchyard/shared/domain/id.ts';
import type {Batch} from './batch.ts';
import {endSubtasks} from './subtasks.ts';
import type {TaskRow} from './task-row.ts';
import {advance} from './task-step.ts';

/**
 * Tells the tasks that waited for what has just ended: a success counts down, anything else fails them, which ends
 * those that wait for them in turn, and ends the sub-tasks of what failed. Ends because a task can only depend on tasks
 * that were there before it, and is older than those that it made.
 */
export function wakeDependants(batch: Batch): void {
  while (batch.finished.length > 0) {
    const ended = new Map(batch.finished.splice(0).map(row => [row.id, row]));
    for (const row of ended.values()) endSubtasks(batch, row);
    if (!batch.memory.hasDependencies) continue;
    const waiting = batch.context.sql.all<{needs: TaskId; task: string}>(
      'SELECT needs, task FROM dependency WHERE needs IN (SELECT value FROM json_each(?))',
      JSON.stringify([...ended.keys()]),
    );
    for (const {needs, task} of waiting) {
      const row = batch.task(task);
      const cause = ended.get(needs);
      if (row?.state === 'pending' && cause !== undefined) wake(batch, row, cause);
    }
  }
}

function wake(batch: Batch, row: TaskRow, {id, state}: TaskRow): void {
  if (state !== 'succeeded') {
    const note = {code: 'dependency_failed', detail: `${id} ended as ${state}`} as const;
    advance(batch, row, {event: 'dependencyFailed', note});
    return;
  }
  const next = batch.change(row, {unmet: row.unmet - 1});
  if (next.unmet > 0) return;
  if ((next.not_before_ms ?? 0) <= batch.nowMs) advance(batch, next, {event: 'ready'});
  else batch.change(next, {due_ms: Math.min(next.not_before_ms ?? Infinity, next.deadline_ms ?? Infinity)});
}
