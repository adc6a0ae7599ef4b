import {statesOfAgents, type AttemptRecord} from '@switchyard/shared/api/agent-view.ts';
import {canonicalState} from '@switchyard/shared/api/state-views.ts';
import {endedQuery, endedRecord, liveRecord, type EndedRow} from './attempt-records.ts';
import type {AgentListQuery} from './fleet-rpc.ts';
import type {Sql} from './sql.ts';
import type {TaskRow} from './task-row.ts';
import type {Sight} from './views.ts';

/** A page with a filter looks at no more ended attempts than this, so that it costs the same in a pool of any size. */
const lookedAtMax = 5_000;

/** Where an attempt stands in the list: the newest start first. An offer is newer than all that has begun. */
type Place = {readonly atMs: number; readonly task: string; readonly epoch: number};

const beforeAll: Place = {atMs: Number.MAX_SAFE_INTEGER, task: '~', epoch: 0};

type Page = {readonly attempts: readonly AttemptRecord[]; readonly next: string | null};

/**
 * Attempts, newest first: those that live, from memory, between those that have ended, by an index. A filtered page may
 * be short, even empty, and still name a next one.
 */
export function pageOfAttempts({sql, memory}: Pick<Sight, 'sql' | 'memory'>, query: AgentListQuery): Page {
  const after = query.cursor === undefined ? beforeAll : placeOf(query.cursor);
  const ended = endedAfter(sql, after, query);
  const live = [...memory.live.all()]
    .filter(row => isWanted(row, query))
    .map(row => ({row, place: livePlace(row)}))
    .filter(({place}) => compare(after, place) < 0 && (ended.lookedTo === null || compare(place, ended.lookedTo) <= 0));
  const merged = [
    ...live.map(({row, place}) => ({place, record: () => liveRecord(sql, row)})),
    ...ended.rows.map(row => ({place: endedPlace(row), record: () => endedRecord(row)})),
  ].toSorted((left, right) => compare(left.place, right.place));
  const page = merged.slice(0, query.limit);
  const last = page.length === query.limit ? (page.at(-1)?.place ?? null) : ended.lookedTo;
  return {attempts: page.map(({record}) => record()), next: last === null ? null : cursorOf(last)};
}

/** Every attempt that is offered or leased, newest first. */
export function activeAttempts({sql, memory}: Pick<Sight, 'sql' | 'memory'>): readonly AttemptRecord[] {
  return [...memory.live.all()]
    .toSorted((left, right) => compare(livePlace(left), livePlace(right)))
    .map(row => liveRecord(sql, row));
}

function isWanted(row: TaskRow, {status, type, task}: AgentListQuery): boolean {
  return (
    (task === undefined || row.id === task) &&
    (type === undefined || row.agent_type === type) &&
    (status === undefined || statesOfAgents([status]).includes(canonicalState(row)))
  );
}

/** `lookedTo` is the last attempt at which a page looked that has not seen all there are. */
function endedAfter(
  sql: Sql,
  after: Place,
  {limit, status, type, task}: AgentListQuery,
): {readonly rows: readonly EndedRow[]; readonly lookedTo: Place | null} {
  const isFiltered = status !== undefined || type !== undefined;
  const lookedAt = isFiltered ? lookedAtMax : limit;
  const own = task === undefined ? '?4 IS NULL' : 'task = ?4';
  const newest = `SELECT * FROM attempt WHERE (started_ms, task, epoch) < (?1, ?2, ?3) AND ${own}
    ORDER BY started_ms DESC, task DESC, epoch DESC`;
  const order = 'ORDER BY a.started_ms DESC, a.task DESC, a.epoch DESC';
  const place = [after.atMs, after.task, after.epoch, task ?? null] as const;
  const rows = sql.all<EndedRow>(
    `${endedQuery.replace('FROM attempt AS a', `FROM (${newest} LIMIT ?5) AS a`)}
     WHERE (?6 IS NULL OR a.state IN (SELECT value FROM json_each(?6))) AND (?7 IS NULL OR t.agent_type = ?7)
     ${order} LIMIT ?8`,
    ...place,
    lookedAt,
    status === undefined ? null : JSON.stringify(statesOfAgents([status])),
    type ?? null,
    limit,
  );
  if (!isFiltered || rows.length === limit) return {rows, lookedTo: null};
  const [end] = sql.all<Place>(
    `SELECT started_ms AS atMs, task, epoch FROM (${newest} LIMIT 1 OFFSET ?5)`,
    ...place,
    lookedAtMax - 1,
  );
  return {rows, lookedTo: end ?? null};
}

function livePlace({id, epoch, state, started_ms, expires_ms}: TaskRow): Place {
  return {atMs: (state === 'offered' ? expires_ms : started_ms) ?? 0, task: id, epoch};
}

function endedPlace({started_ms, task, epoch}: EndedRow): Place {
  return {atMs: started_ms, task, epoch};
}

/** Negative where `left` is newer. */
function compare(left: Place, right: Place): number {
  if (left.atMs !== right.atMs) return right.atMs - left.atMs;
  if (left.task !== right.task) return left.task > right.task ? -1 : 1;
  return right.epoch - left.epoch;
}

const cursorOf = ({atMs, task, epoch}: Place): string => `${atMs}.${task}.${epoch}`;

/** The contract has checked its form. */
function placeOf(cursor: string): Place {
  const [atMs = '', task = '', epoch = ''] = cursor.split('.');
  return {atMs: Number(atMs), task, epoch: Number(epoch)};
}
