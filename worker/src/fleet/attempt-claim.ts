import type {Batch} from './batch.ts';
import type {TaskRow} from './task-row.ts';
import type {From, Ref} from './up-work.ts';

/** The live row of exactly this attempt if this runner holds it; everything else is stale. */
export function heldRow(batch: Batch, {runner}: From, {task, epoch}: Ref): TaskRow | undefined {
  const row = batch.memory.live.get(task);
  return row?.epoch === epoch && row.runner === runner ? row : undefined;
}

/**
 * Answers a message about an attempt that is not the sender's: `exit_ack` when its exit is in, `gone` in every other
 * case, so that a runner that heard neither `exit_ack` nor `gone` learns the truth from whatever it says next.
 */
export function answerStale(batch: Batch, {runner}: From, ref: Ref, kind: string): void {
  const outcome = batch.attemptOutcome(ref.task, ref.epoch, runner);
  const of = {task: ref.task, epoch: ref.epoch};
  if (outcome !== undefined && outcome !== 'lease_lost') {
    batch.send(runner, {t: 'exit_ack', ...of});
    return;
  }
  batch.context.refuse(`${kind}.gone`);
  batch.send(runner, {t: 'gone', ...of, why: 'this attempt is not held by this runner'});
}
