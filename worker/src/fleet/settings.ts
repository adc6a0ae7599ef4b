import * as z from 'zod';
import type {PoolSettings} from '@switchyard/shared/api/pool-contracts.ts';
import type {Sql} from './sql.ts';

const settingsColumn = z.object({
  paused: z.boolean(),
  // Rows of pools that were never shut down may not have it.
  draining: z.boolean().default(false),
  stop_on_failure: z.boolean(),
  latched: z.boolean(),
  max_concurrent: z.number().nullable(),
});

const defaults: PoolSettings = {
  paused: false,
  draining: false,
  stop_on_failure: false,
  latched: false,
  max_concurrent: null,
};

export function loadSettings(sql: Sql): PoolSettings {
  const [row] = sql.all<{value: string}>("SELECT value FROM setting WHERE name = 'pool'");
  return row === undefined ? defaults : settingsColumn.parse(JSON.parse(row.value));
}

export function saveSettings(sql: Sql, settings: PoolSettings): void {
  sql.run(
    "INSERT INTO setting (name, value) VALUES ('pool', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    JSON.stringify(settings),
  );
}
