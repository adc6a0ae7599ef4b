import {agentId, type AttemptRecord} from '@switchyard/shared/api/agent-view.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Sql} from './sql.ts';

/**
 * The ids under which the older API knows attempts. An id is stored when it is first shown, so the path of a dispatch
 * knows nothing of it; from then on it belongs to its attempt for as long as the task is kept.
 */
type Ref = Pick<AttemptRecord, 'task' | 'epoch'>;

/** With this many taken ids in a row something else is wrong: each try fails once in as many ids as there are. */
const saltsMax = 64;

export const refKey = ({task, epoch}: Ref): string => `${task}/${epoch}`;

/** The ids that were given out already, by `refKey`. */
export function knownAgentIds(sql: Sql, refs: readonly Ref[]): Map<string, string> {
  const rows = sql.all<{id: string; task: string; epoch: number}>(
    `SELECT a.id, a.task, a.epoch FROM json_each(?) AS ref
     JOIN agent AS a ON a.task = ref.value->>0 AND a.epoch = ref.value->>1`,
    JSON.stringify(refs.map(({task, epoch}) => [task, epoch])),
  );
  return new Map(rows.map(row => [refKey(row), row.id]));
}

/** Gives an attempt its id, for ever; answers the one that it has. To be called inside a transaction. */
export function giveAgentId(
  sql: Sql,
  attempt: Pick<AttemptRecord, 'task' | 'epoch' | 'agentType'>,
  idOf: typeof agentId = agentId,
): string {
  const {task, epoch} = attempt;
  for (let salt = 0; salt < saltsMax; salt += 1) {
    sql.run('INSERT OR IGNORE INTO agent (id, task, epoch) VALUES (?, ?, ?)', idOf(attempt, salt), task, epoch);
    const known = knownAgentIds(sql, [attempt]).get(refKey(attempt));
    if (known !== undefined) return known;
  }
  throw new SwitchyardError('internal', `no id is free for attempt ${epoch} of ${task}`);
}

export function attemptNamed(sql: Sql, id: string): Ref | undefined {
  return sql.all<Ref>('SELECT task, epoch FROM agent WHERE id = ?', id)[0];
}
