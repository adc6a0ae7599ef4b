import * as z from 'zod';
import type {TaskEventView} from '@switchyard/shared/api/task-view.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {TaskListQuery} from './fleet-rpc.ts';
import type {Sql} from './sql.ts';
import type {TaskRow} from './task-row.ts';
import {specFrom} from './spec-row.ts';

/** A page with a filter looks at no more tasks than this, so that it costs the same in a pool of any size. */
const lookedAtMax = 5_000;

/** Sorts behind every task id. */
const afterEveryTask = 'u';

type Listed = {readonly row: TaskRow; readonly spec: TaskSpec};

/**
 * Newest first. A filtered page may be short, even empty, and still name a next one: it has looked at as many tasks as
 * one page may.
 */
export function pageOfTasks(
  sql: Sql,
  {limit, cursor = afterEveryTask, states, repository, parent}: TaskListQuery,
): {readonly rows: readonly Listed[]; readonly next: string | null} {
  const isFiltered = states !== undefined || repository !== undefined || parent !== undefined;
  const rows = sql.all<TaskRow & {spec: string}>(
    `SELECT t.*, s.spec FROM (SELECT * FROM task WHERE id < ?1 ORDER BY id DESC LIMIT ?2) AS t
     JOIN task_spec AS s ON s.task = t.id
     WHERE (?3 IS NULL OR t.state IN (SELECT value FROM json_each(?3))) AND (?4 IS NULL OR t.repository = ?4)
     AND (?6 IS NULL OR t.parent = ?6)
     ORDER BY t.id DESC LIMIT ?5`,
    cursor,
    isFiltered ? lookedAtMax : limit,
    states === undefined ? null : JSON.stringify(states),
    repository ?? null,
    limit,
    parent ?? null,
  );
  const listed = rows.map(({spec, ...row}) => ({row, spec: specFrom(spec)}));
  if (rows.length === limit) return {rows: listed, next: rows.at(-1)?.id ?? null};
  return {rows: listed, next: isFiltered ? endOfLook(sql, cursor) : null};
}

/** The last task at which a filtered page looked, `null` when it looked at all there are. */
function endOfLook(sql: Sql, cursor: string): string | null {
  const [end] = sql.all<{id: string}>(
    'SELECT id FROM task WHERE id < ? ORDER BY id DESC LIMIT 1 OFFSET ?',
    cursor,
    lookedAtMax - 1,
  );
  return end?.id ?? null;
}

const eventData = z.json();

export function pageOfEvents(
  sql: Sql,
  {task, after, limit}: {readonly task: string; readonly after: number; readonly limit: number},
): {readonly events: readonly TaskEventView[]; readonly next: number | null} {
  const rows = sql.all<{seq: number; at_ms: number; kind: string; epoch: number; data: string}>(
    'SELECT seq, at_ms, kind, epoch, data FROM task_event WHERE task = ? AND seq > ? ORDER BY seq LIMIT ?',
    task,
    after,
    limit,
  );
  const events = rows.map(({data, ...row}) => ({...row, data: eventData.parse(JSON.parse(data))}));
  return {events, next: rows.length === limit ? (rows.at(-1)?.seq ?? null) : null};
}
