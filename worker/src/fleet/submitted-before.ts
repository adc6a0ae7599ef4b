import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {taskIdSchema, type TaskId} from '@switchyard/shared/domain/id.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import * as z from 'zod';
import type {Submission} from './fleet-rpc.ts';
import {cleanupEveryMs} from './cleanup.ts';
import type {Batch} from './batch.ts';
import type {Memory} from './memory.ts';
import {one, type Sql} from './sql.ts';

/** How often old keys are deleted. */
const keyRetryAfterMs = cleanupEveryMs;

const idsColumn = z.array(taskIdSchema);

/**
 * The tasks with which the same submission was answered before, `undefined` for a new one. Throws
 * `idempotency_conflict` when its key or its alias belongs to a submission with another body.
 */
export function answeredBefore(sql: Sql, submission: Submission, nowMs: number): readonly TaskId[] | undefined {
  return byKey(sql, submission, nowMs) ?? byAlias(sql, submission);
}

function byKey(sql: Sql, {idempotency}: Submission, nowMs: number): readonly TaskId[] | undefined {
  if (idempotency === undefined) return undefined;
  const [row] = sql.all<{hash: string; tasks: string; expires_ms: number}>(
    'SELECT hash, tasks, expires_ms FROM idempotency WHERE key = ?',
    idempotency.key,
  );
  if (row === undefined || row.expires_ms <= nowMs) return undefined;
  if (row.hash !== idempotency.bodySha256)
    throw new SwitchyardError('idempotency_conflict', 'the idempotency key was used with another body');
  return idsColumn.parse(JSON.parse(row.tasks));
}

function byAlias(sql: Sql, {alias, idempotency, specs}: Submission): readonly TaskId[] | undefined {
  if (alias === undefined) return undefined;
  const [row] = sql.all<{task: TaskId; hash: string | null; spec: string}>(
    'SELECT alias.task, alias.hash, task_spec.spec FROM alias JOIN task_spec ON task_spec.task = alias.task WHERE alias = ?',
    alias,
  );
  if (row === undefined) return undefined;
  const isSame =
    row.hash !== null && idempotency !== undefined
      ? row.hash === idempotency.bodySha256
      : row.spec === JSON.stringify(specs[0]);
  if (!isSame) throw new SwitchyardError('idempotency_conflict', `the id ${alias} belongs to a task with another body`);
  return [row.task];
}

export function noteAlias(sql: Sql, {alias, task, hash}: {alias: string; task: string; hash: string | null}): void {
  sql.run('INSERT INTO alias (alias, task, hash) VALUES (?, ?, ?)', alias, task, hash);
}

export function countIdempotencyKeys(sql: Sql): number {
  return one(sql.all<{n: number}>('SELECT count(*) AS n FROM idempotency')).n;
}

/** Throws `rate_limited` for a new key where too many are remembered: none is forgotten before its time. */
export function requireRoomForKey({idempotencyKeys}: Pick<Memory, 'idempotencyKeys'>, {idempotency}: Submission): void {
  if (idempotency === undefined || idempotencyKeys < limits.idempotencyKeysMax) return;
  const detail = `the pool remembers ${idempotencyKeys} idempotency keys: submit without one, or later`;
  throw new SwitchyardError('rate_limited', detail, {retryAfterMs: keyRetryAfterMs});
}

export function noteIdempotency(
  {context, memory, nowMs}: Batch,
  {idempotency}: Submission,
  ids: readonly string[],
): void {
  if (idempotency === undefined) return;
  memory.idempotencyKeys += 1;
  context.sql.run(
    `INSERT INTO idempotency (key, hash, tasks, expires_ms) VALUES (?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET hash = excluded.hash, tasks = excluded.tasks, expires_ms = excluded.expires_ms`,
    idempotency.key,
    idempotency.bodySha256,
    JSON.stringify(ids),
    nowMs + limits.idempotencyKeptMs,
  );
}
