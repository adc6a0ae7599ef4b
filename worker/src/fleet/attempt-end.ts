import {attemptEnd} from '@switchyard/shared/domain/attempt-end.ts';
import {failureOf, type FailureNote} from '@switchyard/shared/domain/settle.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {ExitRecord, ToldRole} from '@switchyard/shared/protocol/exit-record.ts';
import type {Batch, EndedAttempt} from './batch.ts';
import type {HistoryAttemptRow} from './outbox-row.ts';
import type {TaskRow} from './task-row.ts';

/** Remembers that an attempt which had begun is over; `record` where its runner reported it. */
export function noteAttempt(
  batch: Batch,
  {before, after}: {readonly before: TaskRow; readonly after: TaskRow},
  record: ExitRecord | null,
): void {
  const {id: task, runner} = before;
  if (runner === null) return;
  const reported = record === null ? lost(before) : told(record);
  const state = attemptEnd(before.state, record?.result.kind ?? null);
  const {outcome, exit_code: exitCode} = reported;
  const note = noteOf(before, record) ?? {code: null, detail: null};
  batch.attemptEnded(before, {outcome, state, exitCode, ...note, ...saidBy(record)});
  // What its runner still has to say came too late, and must not reach the log behind the end of its lease.
  if (record === null) batch.emit({kind: 'log.fence', at_ms: batch.nowMs, task, epoch: before.epoch});
  // Somebody may follow this attempt alone, and the task may go on.
  if (before.log_live === 1) batch.emit({kind: 'log.finish', at_ms: batch.nowMs, task, epoch: before.epoch, state});
  batch.emit({
    kind: 'history.attempt',
    at_ms: batch.nowMs,
    pool: batch.context.pool,
    task,
    epoch: before.epoch,
    runner,
    title: before.title,
    repository: before.repository,
    agent_type: before.agent_type,
    task_state: after.state,
    queued_ms: before.queued_ms ?? before.created_ms,
    started_ms: before.started_ms ?? batch.nowMs,
    finished_ms: batch.nowMs,
    ...reported,
  });
}

/** What went wrong with an attempt that did not succeed. */
function noteOf({runner}: TaskRow, record: ExitRecord | null): FailureNote | undefined {
  if (record === null) return {code: 'lease_lost', detail: `runner ${runner ?? ''} did not renew in time`};
  const {result} = record;
  return result.kind === 'failed' || result.kind === 'timed_out' || result.kind === 'interrupted'
    ? failureOf(result)
    : undefined;
}

/** The text is cut: lists show it of many attempts, and the whole of it stands in the log. */
function saidBy(record: ExitRecord | null): Pick<EndedAttempt, 'said' | 'role'> {
  const summary = record?.result.kind === 'succeeded' ? record.result.summary : undefined;
  return {
    said: summary?.slice(0, limits.agentResultCharactersMax) ?? null,
    role: record?.role === undefined ? null : JSON.stringify(record.role),
  };
}

type Reported = Pick<HistoryAttemptRow, 'outcome' | 'code' | 'exit_code' | 'log_bytes' | 'timings' | 'git' | 'role'>;

function lost({log_bytes}: TaskRow): Reported {
  return {outcome: 'lease_lost', code: 'lease_lost', exit_code: null, log_bytes, timings: null, git: null, role: null};
}

function told({result, exit_code, log_len, timings, git, role}: ExitRecord): Reported {
  const code = result.kind === 'failed' ? result.code : null;
  return {outcome: result.kind, code, exit_code, log_bytes: log_len, timings, git, role: remembered(role)};
}

/** Many rows reach the directory in one statement: of a long outcome the event and the reviewed commit are kept. */
function remembered(role: ToldRole | undefined): ToldRole | null {
  if (role === undefined) return null;
  const {prompt, outcome} = role;
  if (outcome === null || JSON.stringify(outcome).length <= limits.historyOutcomeCharactersMax) return role;
  const {event, commit} = outcome;
  return {prompt, outcome: typeof commit === 'string' && commit.length <= 64 ? {event, commit} : {event}};
}
