import type {FleetRpc} from './fleet-rpc.ts';
import type {Service} from './service.ts';
import {one} from './sql.ts';

/** Writes and reads the database, and tells what the object has counted since it started. */
export async function probe({core, commit}: Service): ReturnType<FleetRpc['probe']> {
  const {sql, nowMs} = core.parts;
  const startedMs = nowMs();
  await commit.run(batch => {
    batch.context.sql.run(
      "INSERT INTO setting (name, value) VALUES ('probe', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      String(batch.nowMs),
    );
    return () => one(sql.all<{value: string}>("SELECT value FROM setting WHERE name = 'probe'")).value;
  });
  const {rows} = one(sql.all<{rows: number}>('SELECT count(*) AS rows FROM outbox'));
  return {ms: nowMs() - startedMs, refused: core.refused, outboxRows: rows};
}
