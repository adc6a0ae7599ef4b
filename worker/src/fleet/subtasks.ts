import {limits} from '@switchyard/shared/policy/limits.ts';
import type {Batch} from './batch.ts';
import {cancelTask} from './cancel.ts';
import type {TaskRow} from './task-row.ts';

/**
 * Cancels the sub-tasks of a task that has ended without success: nobody is left who would use their work. Those of one
 * that succeeded go on: it ended in the knowledge that they do.
 */
export function endSubtasks(batch: Batch, {id: parent, state}: TaskRow): void {
  if (state === 'succeeded' || !batch.memory.hasSubtasks) return;
  batch.flush();
  const children = batch.context.sql.all<{id: string}>(
    `SELECT id FROM task INDEXED BY task_child
     WHERE parent = ? AND parent IS NOT NULL AND finished_ms IS NULL ORDER BY id`,
    parent,
  );
  const request = {reason: `${parent}, which made it, ended as ${state}`, grace_ms: limits.cancelGraceMs};
  for (const {id} of children) {
    const row = batch.task(id);
    if (row !== undefined && row.state !== 'cancelling') cancelTask(batch, row, request);
  }
}
