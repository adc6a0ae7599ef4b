import type {PoolView} from '@switchyard/shared/api/pool-contracts.ts';
import type {QueueView} from '@switchyard/shared/api/queue-contracts.ts';
import {table} from './table.ts';
import type {Terminal} from './terminal.ts';
import {duration} from './units.ts';

/** A pool for a person: what it does, what it could do, and what waits. */
export function poolLines(
  {pool, settings, counts, runners, slots}: PoolView,
  {columns}: Pick<Terminal, 'columns'>,
): readonly string[] {
  const capacity = [
    pool,
    stateOf(settings),
    `${runners.connected} of ${runners.total} connected`,
    `${slots.held} of ${slots.total} in use`,
    settings.max_concurrent === null ? 'none' : String(settings.max_concurrent),
    settings.stop_on_failure ? 'stops the pool' : 'goes on',
  ];
  const tasks = Object.entries({tasks: Object.values(counts).reduce((sum, count) => sum + count, 0), ...counts});
  const [heads, cells] = [tasks.map(([state]) => state.toUpperCase()), tasks.map(([, count]) => String(count))];
  return [
    ...table(['POOL', 'STATE', 'RUNNERS', 'SLOTS', 'LIMIT', 'A FAILURE'], [capacity], columns),
    '',
    ...table(heads, [cells], columns),
    ...(settings.latched ? ['', 'A task failed for good and stopped the pool: switchyard pool resume'] : []),
  ];
}

/** The queues of a pool for a person: how many wait in each, and since when the first of them. */
export function queueLines(
  queues: readonly QueueView[],
  nowMs: number,
  {columns}: Pick<Terminal, 'columns'>,
): readonly string[] {
  const rows = queues.map(({topic, waiting, next, next_queued_ms: queuedMs}) => [
    topic,
    String(waiting),
    next ?? '-',
    queuedMs === null ? '-' : duration(Math.max(0, nowMs - queuedMs)),
  ]);
  return table(['QUEUE', 'WAITING', 'NEXT', 'SINCE'], rows, columns);
}

function stateOf({paused, draining, latched}: PoolView['settings']): string {
  if (draining) return 'shutting down';
  if (latched) return 'stopped';
  return paused ? 'paused' : 'open';
}
