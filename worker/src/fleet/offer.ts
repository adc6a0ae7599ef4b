import type {Batch} from './batch.ts';
import {allowanceFor} from './spending.ts';
import type {TaskRow} from './task-row.ts';

/** Says the offer of a task to its runner, or says it again: the same slice of the budgets is inside. */
export function sendOffer(batch: Batch, row: TaskRow): void {
  if (row.runner === null) return;
  const protocol = batch.runner(row.runner)?.row.protocol ?? 0;
  const allowance = allowanceFor(batch, row, protocol);
  const offer = {t: 'offer', task: row.id, epoch: row.epoch, untilMs: row.expires_ms ?? 0} as const;
  batch.send(row.runner, {...offer, ...(allowance === undefined ? {} : {allowance})});
}
