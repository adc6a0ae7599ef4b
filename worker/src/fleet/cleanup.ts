import {limits} from '@switchyard/shared/policy/limits.ts';
import {dayOf} from '@switchyard/shared/policy/budget-period.ts';
import {one, type Sql} from './sql.ts';

const stepRows = 500;

/** How often the object looks for what is too old. */
export const cleanupEveryMs = 3_600_000;

/**
 * Deletes what nobody can ask for any more, a bounded number of rows at a time. Answers whether there may be more.
 * Task ids sort by the time of their making, so the oldest tasks are the first rows and no index is needed.
 */
export function cleanUp(sql: Sql, nowMs: number): boolean {
  return sql.transaction(() => {
    const tasks = sql.all<{id: string; finished_ms: number | null}>(
      'SELECT id, finished_ms FROM task ORDER BY id LIMIT ?',
      stepRows,
    );
    const old = tasks.filter(({finished_ms}) => finished_ms !== null && finished_ms < nowMs - limits.finishedKeptMs);
    forgetTasks(
      sql,
      old.map(({id}) => id),
    );
    const nonces = deleteSome(sql, 'nonce', 'value', nowMs);
    const keys = deleteSome(sql, 'idempotency', 'key', nowMs);
    const enrolments = deleteSome(sql, 'enrolment', 'id', nowMs);
    const costs = forgetCosts(sql, nowMs);
    return old.length === stepRows || nonces || keys || enrolments || costs;
  });
}

function forgetTasks(sql: Sql, ids: readonly string[]): void {
  if (ids.length === 0) return;
  const json = JSON.stringify(ids);
  const purses = pursesAbout(sql, json);
  for (const table of [
    'task_spec',
    'attempt',
    'agent',
    'task_event',
    'alias',
    'message',
    'approval',
    'agent_call',
    'purse_share',
  ])
    sql.run(`DELETE FROM ${table} WHERE task IN (SELECT value FROM json_each(?))`, json);
  // What a task needs is older than the task, so this takes both ends of every dependency sooner or later.
  sql.run('DELETE FROM dependency WHERE needs IN (SELECT value FROM json_each(?))', json);
  sql.run('DELETE FROM task WHERE id IN (SELECT value FROM json_each(?))', json);
  // A purse outlives its task while a sub-task still spends of it.
  sql.run(
    `DELETE FROM purse WHERE id IN (SELECT value FROM json_each(?)) AND task NOT IN (SELECT id FROM task)
     AND NOT EXISTS (SELECT 1 FROM purse_share WHERE purse = purse.id)`,
    JSON.stringify(purses),
  );
}

/** Those of these tasks, and those of others that they spent of. */
function pursesAbout(sql: Sql, json: string): readonly string[] {
  return sql
    .all<{id: string}>(
      `SELECT id FROM purse WHERE task IN (SELECT value FROM json_each(?1))
       UNION SELECT purse FROM purse_share WHERE task IN (SELECT value FROM json_each(?1))`,
      json,
    )
    .map(({id}) => id);
}

/** Costs outlive their tasks: people look at them by the month and the year. */
function forgetCosts(sql: Sql, nowMs: number): boolean {
  const before = dayOf(nowMs - limits.costDaysMax * 86_400_000);
  const {rows} = one(
    sql.all<{rows: number}>(
      'SELECT count(*) AS rows FROM (SELECT 1 FROM cost WHERE day < ? LIMIT ?)',
      before,
      stepRows,
    ),
  );
  if (rows > 0)
    sql.run(
      'DELETE FROM cost WHERE (day, task, epoch) IN (SELECT day, task, epoch FROM cost WHERE day < ? LIMIT ?)',
      before,
      stepRows,
    );
  return rows === stepRows;
}

function deleteSome(sql: Sql, table: 'nonce' | 'idempotency' | 'enrolment', key: string, nowMs: number): boolean {
  const rows = sql.all<{key: string}>(
    `SELECT ${key} AS key FROM ${table} WHERE expires_ms < ? LIMIT ?`,
    nowMs,
    stepRows,
  );
  if (rows.length === 0) return false;
  sql.run(
    `DELETE FROM ${table} WHERE ${key} IN (SELECT value FROM json_each(?))`,
    JSON.stringify(rows.map(row => row.key)),
  );
  return rows.length === stepRows;
}
