import type {Batch} from './batch.ts';
import type {CancelRequest} from './task-columns.ts';
import {advance} from './task-step.ts';
import type {TaskRow} from './task-row.ts';

/**
 * Ends a task that has not begun, and asks the runner of one that has: that one ends when its runner reports the exit
 * or its lease runs out, so that a cancelled task never has an agent alive. A finished task stays as it is.
 */
export function cancelTask(batch: Batch, row: TaskRow, request: CancelRequest): TaskRow {
  if (row.finished_ms !== null) return row;
  const change = row.state === 'cancelling' ? {} : {cancel: JSON.stringify(request)};
  return advance(batch, row, {event: 'cancelRequested', change, data: {reason: request.reason}}) ?? row;
}
