import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Pool} from '@switchyard/shared/domain/id.ts';
import type {DirectoryRow} from '../fleet/outbox-row.ts';

/** Names a pool once and for all: tokens carry the name, so it can never pass to another team. */
export async function registerPool(
  database: D1Database,
  {team, pool, nowMs}: {team: string; pool: Pool; nowMs: number},
): Promise<void> {
  await database.batch([
    database
      .prepare('INSERT INTO team (name, created_ms) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING')
      .bind(team, nowMs),
    database
      .prepare('INSERT INTO pool (name, team, created_ms) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO NOTHING')
      .bind(pool, team, nowMs),
  ]);
  const owner = await database.prepare('SELECT team FROM pool WHERE name = ?1').bind(pool).first<{team: string}>();
  if (owner?.team !== team)
    throw new SwitchyardError('invalid_request', `body.pool: the pool ${pool} belongs to another team`);
}

/**
 * Takes rows of the Fleets' outboxes, each kind with one statement over JSON and all in one transaction. A row that came
 * before changes nothing; an older row never replaces a newer one. Throws what D1 throws: the same rows come again.
 */
export async function deliverToDirectory(database: D1Database, rows: readonly DirectoryRow[]): Promise<void> {
  const batch = Object.entries(statements).flatMap(([kind, queries]) => {
    const ofKind = rows.filter(row => row.kind === kind);
    if (ofKind.length === 0) return [];
    const json = JSON.stringify(ofKind);
    return queries.map(query => database.prepare(query).bind(json));
  });
  if (batch.length > 0) await database.batch(batch);
}

/** `WHERE true` keeps SQLite from reading ON CONFLICT as the condition of a join (sqlite.org/lang_UPSERT.html). */
const from = 'FROM json_each(?1) AS row WHERE true';
const field = (path: string): string => `row.value ->> '$.${path}'`;
const fields = (...paths: readonly string[]): string => paths.map(field).join(', ');
/** The JSON text of a list or an object; SQL null for JSON null. */
const json = (path: string): string => `nullif(row.value -> '$.${path}', 'null')`;

const statements: {readonly [Kind in DirectoryRow['kind']]: readonly string[]} = {
  'directory.runner': [
    `INSERT INTO runner (id, pool, name, labels, x, state, enrolled_ms, at_ms)
     SELECT ${fields('runner', 'pool', 'name')}, ${json('labels')}, ${fields('x', 'state', 'enrolled_ms', 'at_ms')} ${from}
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, labels = excluded.labels, x = excluded.x,
       state = excluded.state, at_ms = excluded.at_ms
     WHERE excluded.at_ms >= runner.at_ms`,
  ],
  'directory.credential': [
    `INSERT INTO credential (id, pool, name, kind, scope, hash, created_ms, revoked_ms, at_ms)
     SELECT ${fields('id', 'pool', 'name', 'credential_kind', 'scope', 'hash', 'created_ms', 'revoked_ms', 'at_ms')} ${from}
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, scope = excluded.scope, revoked_ms = excluded.revoked_ms,
       at_ms = excluded.at_ms
     WHERE excluded.at_ms >= credential.at_ms`,
  ],
  'history.attempt': [
    `INSERT INTO attempt_history (task, epoch, pool, runner, title, repository, agent_type, task_state, outcome, code,
       queued_ms, started_ms, finished_ms, exit_code, log_bytes, timings, git, prompt, outcome_event, role_outcome)
     SELECT ${fields('task', 'epoch', 'pool', 'runner', 'title', 'repository', 'agent_type', 'task_state', 'outcome')},
       ${fields('code', 'queued_ms', 'started_ms', 'finished_ms', 'exit_code', 'log_bytes')}, ${json('timings')}, ${json('git')},
       ${fields('role.prompt', 'role.outcome.event')}, ${json('role.outcome')} ${from}
     ON CONFLICT (task, epoch) DO NOTHING`,
    `INSERT INTO repository (pool, url, seen_ms)
     SELECT ${fields('pool', 'repository', 'finished_ms')} ${from} AND ${field('repository')} IS NOT NULL
     ON CONFLICT (pool, url) DO UPDATE SET seen_ms = max(seen_ms, excluded.seen_ms)`,
  ],
  audit: [
    `INSERT INTO audit (pool, seq, at_ms, actor, action, target, detail)
     SELECT ${fields('pool', 'seq', 'at_ms', 'actor', 'action', 'target', 'detail')} ${from}
     ON CONFLICT (pool, seq) DO NOTHING`,
  ],
};
