import type {TaskId} from '@switchyard/shared/domain/id.ts';
import {retryDelayMs} from '@switchyard/shared/domain/retry.ts';
import {keepFailure, type FailureNote} from '@switchyard/shared/domain/settle.ts';
import {step} from '@switchyard/shared/machine/machine.ts';
import {
  isFinished,
  taskMachine,
  type TaskEffect,
  type TaskEvent,
  type TaskFacts,
  type TaskState,
} from '@switchyard/shared/machine/task-machine.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {openApprovalsOf} from './approval-row.ts';
import {settleApproval} from './approval-step.ts';
import type {Batch, Json} from './batch.ts';
import {release} from './spending.ts';
import {readCancel, readFailures} from './task-columns.ts';
import {liveStates, type TaskChange, type TaskRow} from './task-row.ts';

export type Advance = {
  readonly event: TaskEvent;
  readonly result?: TaskFacts['result'];
  readonly retryable?: boolean;
  readonly hasOpenAsks?: boolean;
  readonly retryAfterMs?: number | undefined;
  readonly parks?: boolean;
  /** What went wrong, where the machine may record a failure. */
  readonly note?: FailureNote;
  readonly change?: TaskChange;
  /** Stamp of the runner that `go` answers. */
  readonly echo?: number;
  readonly data?: {readonly [key: string]: Json};
};

/**
 * Takes one arrow of the task machine and does what it says, all in the unit of work. Answers the next row, or
 * `undefined` when the machine has no arrow: then nothing changed and the refusal is counted.
 */
export function advance(batch: Batch, row: TaskRow, with_: Advance): TaskRow | undefined {
  const facts: TaskFacts = {
    failures: row.failure_count,
    attemptsMax: row.attempts_max,
    result: with_.result,
    retryable: with_.retryable,
    parks: with_.parks,
    hasOpenAsks: with_.hasOpenAsks,
  };
  const taken = step(taskMachine, row.state, with_.event, facts);
  if (!taken.taken) {
    batch.context.refuse(`task.${row.state}.${with_.event}`);
    return undefined;
  }
  const change = {
    state: taken.to,
    ...settledColumns(row, taken.to, batch.nowMs),
    ...with_.change,
    ...changesOf(batch, row, taken.effects, with_),
  };
  const isSilent = taken.to === row.state;
  const next = batch.change(
    row,
    change,
    isSilent ? undefined : {kind: `task.${taken.to}`, data: {by: with_.event, ...noteData(with_), ...with_.data}},
  );
  if (batch.memory.askingTasks.has(row.id) && !askingStates.has(taken.to)) withdrawAsks(batch, row.id);
  if (liveStates.has(row.state) && !liveStates.has(taken.to)) release(batch, row.id);
  for (const effect of taken.effects) carryOut(batch, effect, {before: row, next, with: with_});
  return next;
}

/** Nobody waits for what an attempt asked that is over, unless the task is paused for it. */
const askingStates: ReadonlySet<TaskState> = new Set(['leased', 'paused']);

function withdrawAsks(batch: Batch, task: TaskId): void {
  for (const row of openApprovalsOf(batch.context.sql, task))
    settleApproval(batch, row, {event: 'withdraw', by: null, text: null});
  const {askingTasks} = batch.memory;
  askingTasks.delete(task);
  batch.undoable(() => askingTasks.add(task));
}

const noteData = ({note}: Advance): {readonly [key: string]: Json} =>
  note === undefined ? {} : {code: note.code, detail: note.detail};

/** Columns that follow from the state alone. */
function settledColumns(row: TaskRow, to: TaskState, nowMs: number): TaskChange {
  if (liveStates.has(to)) return {due_ms: null};
  const idle = {expires_ms: null, phase: null};
  if (isFinished(to)) return {...idle, due_ms: null, finished_ms: nowMs};
  if (to === 'queued') return {...idle, runner: null, due_ms: row.deadline_ms, queued_ms: row.queued_ms ?? nowMs};
  return {...idle, runner: null};
}

function changesOf(batch: Batch, row: TaskRow, effects: readonly TaskEffect[], with_: Advance): TaskChange {
  let change: TaskChange = {};
  if (effects.includes('recordFailure') && with_.note !== undefined) {
    const kept = keepFailure(
      readFailures(row.failures),
      {epoch: row.epoch, atMs: batch.nowMs, note: with_.note},
      limits.failuresKept,
    );
    change = {...change, failure_count: row.failure_count + 1, failures: JSON.stringify(kept)};
  }
  if (effects.includes('scheduleRetry')) {
    const readyMs = batch.nowMs + retryDelayMs(row.failure_count, batch.context.random, with_.retryAfterMs);
    change = {...change, due_ms: Math.min(readyMs, row.deadline_ms ?? Infinity)};
  }
  return change;
}

type Taken = {readonly before: TaskRow; readonly next: TaskRow; readonly with: Advance};

function carryOut(batch: Batch, effect: TaskEffect, {before, next, with: with_}: Taken): void {
  const of = (): {task: TaskId; epoch: number} => ({task: before.id, epoch: before.epoch});
  switch (effect) {
    case 'sendGone':
      batch.send(before.runner, {t: 'gone', ...of(), why: with_.event});
      return;
    case 'sendCancel':
      batch.send(before.runner, {t: 'cancel', ...of(), ...readCancel(next.cancel)});
      return;
    case 'sendGo':
      batch.send(before.runner, {t: 'go', ...of(), echo: with_.echo ?? 0});
      return;
    case 'finish':
      finish(batch, next);
      return;
    case 'recordFailure':
    case 'scheduleRetry':
    case 'requeue':
      // Columns of the row itself: they were changed with the state.
      return;
  }
}

const failedStates: ReadonlySet<TaskState> = new Set(['failed', 'timed_out', 'dead']);

function finish(batch: Batch, row: TaskRow): void {
  const {memory} = batch;
  batch.finish(row);
  if (row.log_bytes > 0 || row.log_live === 1)
    batch.emit({kind: 'log.finish', at_ms: batch.nowMs, task: row.id, state: row.state});
  if (!failedStates.has(row.state) || !memory.settings.stop_on_failure || memory.settings.latched) return;
  batch.changeSettings({...memory.settings, latched: true});
}
