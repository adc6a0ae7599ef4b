import type {CostGroup, CostView} from '@switchyard/shared/api/budget-contracts.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {dayOf} from '@switchyard/shared/policy/budget-period.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {usdOfMicros} from '@switchyard/shared/policy/money.ts';
import type {Spent} from '@switchyard/shared/protocol/spending.ts';
import {sums} from './cost-row.ts';
import {one} from './sql.ts';
import type {Sight} from './views.ts';

export type CostQuery = {
  readonly by: CostGroup;
  /** Days in UTC, both included. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
};

export type Costs = {
  readonly by: CostGroup;
  readonly from: string;
  readonly to: string;
  readonly costs: readonly CostView[];
  readonly total: Omit<CostView, 'key'>;
};

const dayMs = 86_400_000;
const daysDefault = 30;

const keyColumn = {
  task: 'task',
  type: 'agent_type',
  repository: "coalesce(repository, '')",
  source: 'source',
  day: 'day',
} as const;

type Row = {readonly [Column in keyof Spent]: number | null} & {readonly key: string | null; readonly attempts: number};

/** Sums up what attempts spent between two days. Reads a row for each attempt and day, so only for somebody who looks. */
export function costsBy({sql, nowMs}: Pick<Sight, 'sql' | 'nowMs'>, {by, ...range}: CostQuery): Costs {
  const to = range.to ?? dayOf(nowMs);
  const from = range.from ?? dayOf(Date.parse(to) - (daysDefault - 1) * dayMs);
  const days = (Date.parse(to) - Date.parse(from)) / dayMs + 1;
  if (!(days >= 1 && days <= limits.costDaysMax))
    throw new SwitchyardError('invalid_request', `from ${from} to ${to}: expected 1 to ${limits.costDaysMax} days`);
  const attempts = 'count(DISTINCT task || epoch) AS attempts';
  const order = by === 'day' ? 'key' : 'cost_micros DESC, key';
  const rows = sql.all<Row>(
    `SELECT ${keyColumn[by]} AS key, ${sums}, ${attempts} FROM cost WHERE day >= ? AND day <= ?
     GROUP BY 1 ORDER BY ${order} LIMIT ?`,
    from,
    to,
    limits.costDaysMax,
  );
  const total = one(
    sql.all<Row>(`SELECT NULL AS key, ${sums}, ${attempts} FROM cost WHERE day >= ? AND day <= ?`, from, to),
  );
  return {by, from, to, costs: rows.map(row => ({key: row.key ?? '', ...costView(row)})), total: costView(total)};
}

function costView(row: Row): Omit<CostView, 'key'> {
  return {
    cost_usd: usdOfMicros(row.cost_micros ?? 0),
    input_tokens: row.input_tokens ?? 0,
    output_tokens: row.output_tokens ?? 0,
    cache_read_tokens: row.cache_read_tokens ?? 0,
    cache_write_tokens: row.cache_write_tokens ?? 0,
    turns: row.turns ?? 0,
    attempts: row.attempts,
  };
}
