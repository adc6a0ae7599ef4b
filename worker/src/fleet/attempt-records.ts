import * as z from 'zod';
import type {AttemptRecord} from '@switchyard/shared/api/agent-view.ts';
import {canonicalState} from '@switchyard/shared/api/state-views.ts';
import {attemptEnds, type AttemptEnd} from '@switchyard/shared/domain/attempt-end.ts';
import {attemptBranch} from '@switchyard/shared/domain/id.ts';
import {isFinished} from '@switchyard/shared/machine/task-machine.ts';
import type {Sql} from './sql.ts';
import {readFailures, readRole} from './task-columns.ts';
import {liveStates, taskById, type TaskRow} from './task-row.ts';
import type {Sight} from './views.ts';

/** A row of the attempts that have ended, with what its task says of all of them. */
export type EndedRow = {
  readonly task: string;
  readonly epoch: number;
  readonly runner: string;
  readonly ended_ms: number;
  readonly started_ms: number;
  readonly state: string;
  readonly exit_code: number | null;
  readonly code: string | null;
  readonly detail: string | null;
  readonly said: string | null;
  readonly role: string | null;
  readonly title: string;
  readonly repository: string | null;
  readonly agent_type: string;
  readonly metadata: string | null;
};

const attemptEndSchema = z.enum(attemptEnds);
const metadataSchema = z.record(z.string(), z.string()).catch({});

export function endedRecord(row: EndedRow): AttemptRecord {
  return {
    task: row.task,
    epoch: row.epoch,
    agentType: row.agent_type,
    state: attemptEndSchema.parse(row.state),
    phase: null,
    runner: row.runner,
    title: row.title,
    repository: row.repository,
    branch: branchOf(row, row.epoch),
    startedMs: row.started_ms,
    endedMs: row.ended_ms,
    exitCode: row.exit_code,
    code: row.code,
    detail: row.detail,
    said: row.said,
    role: readRole(row.role),
    metadata: metadataFrom(row.metadata),
  };
}

/** The attempt that a task is offered or leased as. */
export function liveRecord(sql: Sql, row: TaskRow): AttemptRecord {
  return {
    ...unendedRecord(sql, row, row.epoch),
    state: canonicalState(row),
    phase: row.phase,
    runner: row.runner,
    // The column still has the start of the attempt before.
    startedMs: row.state === 'offered' ? null : row.started_ms,
  };
}

/** One attempt of a task, however far it came; undefined where the task or the attempt never was. */
export function attemptRecord(
  {sql, memory}: Pick<Sight, 'sql' | 'memory'>,
  {task, epoch}: Pick<AttemptRecord, 'task' | 'epoch'>,
): AttemptRecord | undefined {
  const live = memory.live.get(task);
  if (live?.epoch === epoch) return liveRecord(sql, live);
  const [ended] = sql.all<EndedRow>(`${endedQuery} WHERE a.task = ? AND a.epoch = ?`, task, epoch);
  if (ended !== undefined) return endedRecord(ended);
  const row = taskById(sql, task);
  return row === undefined || epoch > row.epoch ? undefined : lapsedRecord(sql, row, epoch);
}

export const endedQuery = `SELECT ${[
  'a.task',
  'a.epoch',
  'a.runner',
  'a.ended_ms',
  'a.started_ms',
  'a.state',
  'a.exit_code',
  'a.code',
  'a.detail',
  'a.said',
  'a.role',
  't.title',
  't.repository',
  't.agent_type',
  "s.spec ->> '$.metadata' AS metadata",
].join(', ')} FROM attempt AS a JOIN task AS t ON t.id = a.task JOIN task_spec AS s ON s.task = a.task`;

/** How an attempt of this task ended; null while it is offered or leased. */
export function endOfAttempt(sql: Sql, row: TaskRow, epoch: number): AttemptEnd | null {
  if (epoch === row.epoch && liveStates.has(row.state)) return null;
  const [ended] = sql.all<{state: string}>('SELECT state FROM attempt WHERE task = ? AND epoch = ?', row.id, epoch);
  return ended === undefined ? lapsedEnd(row, epoch) : attemptEndSchema.parse(ended.state);
}

/** An offer that came to nothing shares the end of its task where it caused it; else the task goes on without it. */
function lapsedEnd({state, epoch: newest}: TaskRow, epoch: number): AttemptEnd {
  if (epoch !== newest || !isFinished(state)) return 'interrupted';
  return state === 'cancelled' ? 'cancelled' : 'failed';
}

function lapsedRecord(sql: Sql, row: TaskRow, epoch: number): AttemptRecord {
  const state = lapsedEnd(row, epoch);
  const failure = readFailures(row.failures).findLast(each => each.epoch === epoch);
  const detail = state === 'cancelled' ? null : (failure?.detail ?? 'no runner took the offer; the task goes on');
  return {...unendedRecord(sql, row, epoch), state, code: failure?.code ?? null, detail};
}

function unendedRecord(sql: Sql, row: TaskRow, epoch: number): Omit<AttemptRecord, 'state'> {
  const [spec] = sql.all<{metadata: string | null}>(
    "SELECT spec ->> '$.metadata' AS metadata FROM task_spec WHERE task = ?",
    row.id,
  );
  return {
    task: row.id,
    epoch,
    agentType: row.agent_type,
    phase: null,
    runner: null,
    title: row.title,
    repository: row.repository,
    branch: branchOf({...row, task: row.id}, epoch),
    startedMs: null,
    endedMs: null,
    exitCode: null,
    code: null,
    detail: null,
    said: null,
    role: null,
    metadata: metadataFrom(spec?.metadata ?? null),
  };
}

function branchOf({task, repository}: Pick<EndedRow, 'task' | 'repository'>, epoch: number): string | null {
  return repository === null ? null : attemptBranch(task, epoch);
}

function metadataFrom(text: string | null): Readonly<Record<string, string>> {
  return text === null ? {} : metadataSchema.parse(JSON.parse(text));
}
