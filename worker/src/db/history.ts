import * as z from 'zod';
import {pastAttemptSchema, type listHistory, type PastAttempt} from '@switchyard/shared/api/history-contracts.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';

export type HistoryQuery = z.output<NonNullable<(typeof listHistory)['query']>>;

const row = z
  .looseObject({outcome: z.string(), role_outcome: z.string().nullable()})
  .transform(({outcome: end, role_outcome: outcome, ...attempt}) => ({
    ...attempt,
    end,
    outcome: outcome === null ? null : parseJson(outcome),
  }))
  .pipe(pastAttemptSchema);

/** Attempts of a pool that have ended, newest first; one row more than asked for says that a page follows. */
const query = `SELECT task, epoch, runner, title, repository, agent_type, task_state, outcome, code, queued_ms, started_ms,
   finished_ms, exit_code, log_bytes, prompt, role_outcome
 FROM attempt_history
 WHERE pool = ?1 AND (?2 IS NULL OR outcome_event = ?2) AND (?3 IS NULL OR agent_type = ?3)
   AND (?4 IS NULL OR repository = ?4) AND (?5 IS NULL OR task = ?5)
   AND (?6 IS NULL OR task_state IN (SELECT value FROM json_each(?6)))
   AND (?7 IS NULL OR (finished_ms, task, epoch) < (?7, ?8, ?9))
 ORDER BY finished_ms DESC, task DESC, epoch DESC LIMIT ?10`;

export async function readHistory(
  database: D1Database,
  pool: string,
  {limit, cursor, state, outcome, agent_type, repository, task}: HistoryQuery,
): Promise<{readonly attempts: PastAttempt[]; readonly next: string | null}> {
  const [atMs, before, epoch] = cursor?.split('.') ?? [];
  const place = cursor === undefined ? [null, null, null] : [Number(atMs), before ?? null, Number(epoch)];
  const filters = [
    outcome ?? null,
    agent_type ?? null,
    repository ?? null,
    task ?? null,
    state === undefined ? null : JSON.stringify(state),
  ];
  const {results} = await database
    .prepare(query)
    .bind(pool, ...filters, ...place, limit + 1)
    .all();
  const attempts = results.slice(0, limit).map(each => row.parse(each));
  const last = results.length > limit ? attempts.at(-1) : undefined;
  return {attempts, next: last === undefined ? null : `${last.finished_ms}.${last.task}.${last.epoch}`};
}
