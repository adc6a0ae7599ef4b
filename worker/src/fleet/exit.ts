import type {ErrorCode} from '@switchyard/shared/domain/error.ts';
import {failureOf} from '@switchyard/shared/domain/settle.ts';
import {isFinished} from '@switchyard/shared/machine/task-machine.ts';
import type {ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import {isStorageFull} from '../storage-full.ts';
import {answerStale, heldRow} from './attempt-claim.ts';
import {noteAttempt} from './attempt-end.ts';
import {carryAsks} from './asks.ts';
import type {Batch} from './batch.ts';
import {resultText} from './task-columns.ts';
import type {TaskRow} from './task-row.ts';
import {charge, chargeLate, emptyPurse} from './spending.ts';
import {advance, type Advance} from './task-step.ts';
import type {CheckedExit, From, Ref} from './up-work.ts';

type Reported = {readonly ref: Ref; readonly exit: CheckedExit};

/**
 * Ends an attempt by the word of its runner. An exit that is in is acknowledged again; one that cannot be taken is told
 * why. So is one that breaks this code: closing the connection for it would bring the same exit again with the next one,
 * for ever, and with it whatever else its runner has to say. A full disk is no fault of the exit and passes: throws then.
 */
export function takeExit(batch: Batch, from: From, reported: Reported): void {
  const mark = batch.mark();
  try {
    if (writesAtOnce(batch, reported)) batch.context.sql.transaction(() => decideExit(batch, from, reported));
    else decideExit(batch, from, reported);
  } catch (error) {
    if (isStorageFull(error)) throw error;
    batch.rollBack(mark);
    batch.context.refuse('exit.failed');
    const {task, epoch} = reported.ref;
    batch.send(from.runner, {t: 'exit_nack', task, epoch, why: 'invalid'});
  }
}

/** What its agent asked is settled in the rows themselves; all else is only written with the batch, and needs no savepoint. */
function writesAtOnce({memory}: Batch, {ref, exit}: Reported): boolean {
  return memory.askingTasks.has(ref.task) || (exit.ok && exit.record.result.kind === 'waiting');
}

/** The fence comes first: what is not this runner's current attempt is `gone` whatever its record says. */
function decideExit(batch: Batch, from: From, {ref, exit}: Reported): void {
  const row = heldRow(batch, from, ref);
  if (row === undefined || row.state === 'offered') {
    if (exit.ok && exit.record.spent !== undefined) chargeLate(batch, from, {ref, spent: exit.record.spent});
    answerStale(batch, from, ref, 'exit');
    return;
  }
  const of = {task: ref.task, epoch: ref.epoch};
  if (!exit.ok) {
    batch.context.refuse(`exit.${exit.why}`);
    batch.send(from.runner, {t: 'exit_nack', ...of, why: exit.why});
    return;
  }
  if (exit.record.spent !== undefined) charge(batch, row, exit.record.spent);
  const after = settle(batch, batch.task(ref.task) ?? row, exit.record);
  if (after === undefined) {
    batch.send(from.runner, {t: 'exit_nack', ...of, why: 'invalid'});
    return;
  }
  noteAttempt(batch, {before: row, after}, exit.record);
  if (exit.record.log_len === 0) sealEmptyLog(batch, row, after);
  batch.send(from.runner, {t: 'exit_ack', ...of});
}

/**
 * An empty log ends without a receipt, and the ticket of its runner lasts: the log is told that nothing follows. Where
 * no log was begun and the task is over, there is none to tell, and none is made for it.
 */
function sealEmptyLog(batch: Batch, {id: task, epoch, runner, log_bytes, log_live}: TaskRow, after: TaskRow): void {
  if (runner === null || (isFinished(after.state) && log_bytes === 0 && log_live === 0)) return;
  batch.emit({kind: 'log.seal', at_ms: batch.nowMs, task, epoch, runner});
}

/** What the team or the provider has to give before the task can go on: no fault of the attempt, so it burns none. */
const parkingCodes: ReadonlySet<ErrorCode> = new Set(['budget_spent', 'usage_limited']);

type Failed = Extract<ExitRecord['result'], {kind: 'failed'}>;

function retryOf(
  batch: Batch,
  row: TaskRow,
  {code, retryable, retry_after_ms: retryAfterMs}: Failed,
): Pick<Advance, 'retryable' | 'retryAfterMs' | 'parks'> {
  // The runner knows only that it is given no more; what its task may spend is spent for good.
  if (code === 'budget_spent' && emptyPurse(batch, row) === 'spent') return {retryable: false};
  return {retryable, retryAfterMs, parks: retryable && parkingCodes.has(code)};
}

function settle(batch: Batch, held: TaskRow, record: ExitRecord): TaskRow | undefined {
  const {result} = record;
  const waits = result.kind === 'waiting' ? {hasOpenAsks: carryAsks(batch, record, result.asks)} : {};
  // What nobody waits for any more has been written into the history of the task by now.
  const row = batch.task(held.id) ?? held;
  return advance(batch, row, {
    event: 'exited',
    result: result.kind,
    ...(result.kind === 'succeeded' || result.kind === 'waiting' ? {} : {note: failureOf(result)}),
    ...waits,
    ...(result.kind === 'failed' ? retryOf(batch, row, result) : {}),
    change: {result: resultText(record), log_bytes: Math.max(row.log_bytes, record.log_len)},
    data: {result: result.kind, exit_code: record.exit_code, ...toldBy(record)},
  });
}

/** The outcome by its name alone: the whole of it stands in the result. */
function toldBy({role}: ExitRecord): object {
  return role === undefined ? {} : {prompt: role.prompt, outcome: role.outcome?.event ?? null};
}
