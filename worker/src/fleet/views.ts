import type {PoolView} from '@switchyard/shared/api/pool-contracts.ts';
import type {RunnerView} from '@switchyard/shared/api/runner-contracts.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {attemptBranch} from '@switchyard/shared/domain/id.ts';
import {slotsTotal} from '@switchyard/shared/domain/slots.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import type {Resources} from '@switchyard/shared/protocol/resources.ts';
import type {AttemptResources, Memory} from './memory.ts';
import type {Runner} from './runner-row.ts';
import type {Sql} from './sql.ts';
import {one} from './sql.ts';
import {readFailures, readResult} from './task-columns.ts';
import {liveStates, type TaskRow} from './task-row.ts';
import {waitingFor} from './waiting-for.ts';
import {isVersionLabel} from './version-label.ts';

/** What views are made from. */
export type Sight = {readonly sql: Sql; readonly memory: Memory; readonly pool: string; readonly nowMs: number};

export function taskView({memory, pool, nowMs}: Sight, row: TaskRow, spec: TaskSpec): TaskView {
  return {
    id: row.id,
    pool,
    state: row.state,
    phase: row.phase,
    title: row.title,
    spec,
    epoch: row.epoch,
    runner: row.runner,
    branch: row.epoch > 0 && spec.repository !== undefined ? attemptBranch(row.id, row.epoch) : null,
    created_ms: row.created_ms,
    queued_ms: row.queued_ms,
    started_ms: row.started_ms,
    finished_ms: row.finished_ms,
    position: null,
    waiting_for: waitingFor(memory, row, nowMs),
    ...ended(memory, row),
    failures: [...readFailures(row.failures)],
    retried_from: row.retried_from,
    parent: row.parent,
    metadata: spec.metadata,
  };
}

/** How the newest attempt ended, and what it uses of its machine or used until then. */
function ended({resources: told}: Memory, row: TaskRow): Pick<TaskView, 'result' | 'resources'> {
  const {resources: used, ...result} = readResult(row.result) ?? {resources: null};
  // The newest word of a runner may be older than the end of the attempt.
  const live = liveStates.has(row.state) ? told.get(row.runner ?? '') : undefined;
  const now = live?.find(({task, epoch}) => task === row.id && epoch === row.epoch);
  return {result: 'log_bytes' in result ? result : null, resources: now === undefined ? used : usedBy(now)};
}

const usedBy = ({task: _task, epoch: _epoch, ...resources}: AttemptResources): Resources => resources;

/** The place of a queued task, from 1. Counts, so only for a reader of one task. */
export function positionOf(sql: Sql, row: TaskRow): number | null {
  if (row.state !== 'queued') return null;
  const {before} = one(
    sql.all<{before: number}>(
      `SELECT count(*) AS before FROM task INDEXED BY task_queue
       WHERE state = 'queued' AND (order_key < ?1 OR (order_key = ?1 AND id < ?2))`,
      row.order_key,
      row.id,
    ),
  );
  return before + 1;
}

export function runnerView({memory}: Pick<Sight, 'memory'>, {row, labels, slots}: Runner): RunnerView {
  let held = 0;
  for (const count of memory.live.heldBy(row.id).values()) held += count;
  return {
    id: row.id,
    name: row.name,
    state: stateOf(row),
    labels: [...labels].filter(label => !isVersionLabel(label)),
    slots: slotsTotal(slots),
    held,
    version: row.version,
    transport: row.connection === null ? null : row.transport,
    enrolled_ms: row.enrolled_ms,
    seen_ms: memory.seenMs.get(row.id) ?? row.seen_ms,
    metrics: memory.metrics.get(row.id) ?? null,
  };
}

function stateOf({revoked_ms, draining, connection}: Runner['row']): RunnerView['state'] {
  if (revoked_ms !== null) return 'revoked';
  if (draining === 1) return 'draining';
  return connection === null ? 'disconnected' : 'connected';
}

export function poolView({sql, memory, pool}: Sight): PoolView {
  const runners = [...memory.runners.values()].filter(({row}) => row.revoked_ms === null);
  const connected = runners.filter(({row}) => row.connection !== null);
  const {pending} = one(
    sql.all<{pending: number}>("SELECT count(*) AS pending FROM task INDEXED BY task_pending WHERE state = 'pending'"),
  );
  return {
    pool,
    settings: memory.settings,
    counts: {pending, queued: memory.waiting - pending, ...memory.live.counts()},
    runners: {connected: connected.length, total: runners.length},
    slots: {
      total: connected.reduce((total, {slots}) => total + slotsTotal(slots), 0),
      held: memory.live.size,
    },
  };
}
