import type {PoolView} from '@switchyard/shared/api/pool-contracts.ts';
import {table} from './table.ts';
import type {Terminal} from './terminal.ts';

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

function stateOf({paused, draining, latched}: PoolView['settings']): string {
  if (draining) return 'shutting down';
  if (latched) return 'stopped';
  return paused ? 'paused' : 'open';
}
