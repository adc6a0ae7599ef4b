import {failureOf} from '@switchyard/shared/domain/settle.ts';
import type {ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import {answerStale, heldRow} from './attempt-claim.ts';
import {noteAttempt} from './attempt-end.ts';
import {carryAsks} from './asks.ts';
import type {Batch} from './batch.ts';
import {resultText} from './task-columns.ts';
import type {TaskRow} from './task-row.ts';
import {advance} from './task-step.ts';
import type {CheckedExit, From, Ref} from './up-work.ts';

/**
 * Ends an attempt by the word of its runner. The fence comes first: what is not this runner's current attempt is `gone`
 * whatever its record says. An exit that is in is acknowledged again; one that cannot be taken is told why.
 */
export function takeExit(batch: Batch, from: From, {ref, exit}: {readonly ref: Ref; readonly exit: CheckedExit}): void {
  const row = heldRow(batch, from, ref);
  if (row === undefined || row.state === 'offered') {
    answerStale(batch, from, ref, 'exit');
    return;
  }
  const of = {task: ref.task, epoch: ref.epoch};
  if (!exit.ok) {
    batch.context.refuse(`exit.${exit.why}`);
    batch.send(from.runner, {t: 'exit_nack', ...of, why: exit.why});
    return;
  }
  const after = settle(batch, row, exit.record);
  if (after === undefined) {
    batch.send(from.runner, {t: 'exit_nack', ...of, why: 'invalid'});
    return;
  }
  noteAttempt(batch, {before: row, after}, exit.record);
  batch.send(from.runner, {t: 'exit_ack', ...of});
}

function settle(batch: Batch, row: TaskRow, record: ExitRecord): TaskRow | undefined {
  const {result} = record;
  return advance(batch, row, {
    event: 'exited',
    result: result.kind,
    ...(result.kind === 'succeeded' || result.kind === 'waiting' ? {} : {note: failureOf(result)}),
    ...(result.kind === 'waiting' ? {hasOpenAsks: carryAsks(batch, record, result.asks)} : {}),
    ...(result.kind === 'failed' ? {retryable: result.retryable, retryAfterMs: result.retry_after_ms} : {}),
    change: {result: resultText(record), log_bytes: Math.max(row.log_bytes, record.log_len)},
    data: {result: result.kind, exit_code: record.exit_code},
  });
}
