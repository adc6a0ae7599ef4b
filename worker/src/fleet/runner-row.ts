import * as z from 'zod';
import type {RunnerId} from '@switchyard/shared/domain/id.ts';
import type {Slots} from '@switchyard/shared/domain/slots.ts';
import {labelOfRunner} from './lane.ts';
import type {Sql} from './sql.ts';
import {versionLabelsOf} from './version-label.ts';

export type RunnerRow = {
  readonly id: RunnerId;
  readonly name: string;
  /** Public key, base64url. */
  readonly x: string;
  /** The key before, and until when it is good; null where none is. */
  readonly previous_x: string | null;
  readonly previous_until_ms: number | null;
  readonly enrolled_labels: string;
  readonly labels: string;
  readonly slots: string;
  readonly lease_class: 'standard' | 'patient';
  readonly version: string | null;
  readonly boot_id: string | null;
  /**
   * The connection that speaks for this runner: the nonce of a socket, or `poll:` and the session that polls. A message
   * over any other connection changes nothing.
   */
  readonly connection: string | null;
  readonly transport: 'websocket' | 'poll' | null;
  readonly draining: number;
  readonly revoked_ms: number | null;
  /** Which version of the protocol its newest session speaks; 0 before the first. */
  readonly protocol: number;
  readonly enrolled_ms: number;
  readonly seen_ms: number | null;
};

/** A runner with its JSON columns read, as dispatch looks at it. */
export type Runner = {
  readonly row: RunnerRow;
  readonly labels: ReadonlySet<string>;
  readonly slots: Slots;
};

const labelsColumn = z.array(z.string());
const slotsColumn = z.record(z.string(), z.number());

/** Labels given at enrolment and those that the machine states of itself. They route work; they protect nothing. */
export function readRunner(row: RunnerRow): Runner {
  return {
    row,
    labels: new Set([
      labelOfRunner(row.id),
      ...versionLabelsOf(row.protocol),
      ...labelsColumn.parse(JSON.parse(row.enrolled_labels)),
      ...labelsColumn.parse(JSON.parse(row.labels)),
    ]),
    slots: slotsColumn.parse(JSON.parse(row.slots)),
  };
}

export const runnerColumns = [
  'id',
  'name',
  'x',
  'enrolled_labels',
  'labels',
  'slots',
  'lease_class',
  'version',
  'boot_id',
  'connection',
  'transport',
  'draining',
  'revoked_ms',
  'enrolled_ms',
  'seen_ms',
  'previous_x',
  'previous_until_ms',
  'protocol',
] as const satisfies readonly (keyof RunnerRow)[];

const upsert = `INSERT INTO runner (${runnerColumns.join(', ')})
SELECT ${runnerColumns.map((_, index) => `value->>${index}`).join(', ')} FROM json_each(?) WHERE true
ON CONFLICT (id) DO UPDATE SET ${runnerColumns
  .slice(1)
  .map(name => `${name} = excluded.${name}`)
  .join(', ')}`;

export function upsertRunners(sql: Sql, rows: readonly RunnerRow[]): void {
  if (rows.length > 0) sql.run(upsert, JSON.stringify(rows.map(row => runnerColumns.map(name => row[name]))));
}

export function allRunners(sql: Sql): readonly RunnerRow[] {
  return sql.all<RunnerRow>('SELECT * FROM runner');
}
