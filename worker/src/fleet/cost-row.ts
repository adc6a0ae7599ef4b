import type {Figures, Source} from '@switchyard/shared/policy/budget.ts';
import {figuresOf} from '@switchyard/shared/domain/spending.ts';
import type {Spent} from '@switchyard/shared/protocol/spending.ts';
import {isFor, type BudgetScope, type Spender} from './budget-row.ts';
import {one, type Sql} from './sql.ts';

/** What one attempt spent on one day. Never taken back: an attempt that goes on over midnight has two. */
export type Cost = Spender & {
  readonly source: Source;
  readonly day: string;
  readonly task: string;
  readonly epoch: number;
  readonly spent: Spent;
};

/** Adds to what the attempt spent on that day. */
export function addCost(sql: Sql, {day, task, epoch, agent_type, repository, source, runner, spent}: Cost): void {
  sql.run(
    `INSERT INTO cost (day, task, epoch, agent_type, repository, source, runner, cost_micros, input_tokens, output_tokens,
       cache_read_tokens, cache_write_tokens, turns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (day, task, epoch) DO UPDATE SET cost_micros = cost_micros + excluded.cost_micros,
       input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
       cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
       cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens, turns = turns + excluded.turns`,
    day,
    task,
    epoch,
    agent_type,
    repository,
    source,
    runner ?? null,
    spent.cost_micros,
    spent.input_tokens,
    spent.output_tokens,
    spent.cache_read_tokens,
    spent.cache_write_tokens,
    spent.turns,
  );
}

type Sums = {readonly [Column in keyof Spent]: number | null};

export const sums = [
  'sum(cost_micros) AS cost_micros',
  'sum(input_tokens) AS input_tokens',
  'sum(output_tokens) AS output_tokens',
  'sum(cache_read_tokens) AS cache_read_tokens',
  'sum(cache_write_tokens) AS cache_write_tokens',
  'sum(turns) AS turns',
].join(', ');

const spentFrom = (row: Sums): Spent => ({
  cost_micros: row.cost_micros ?? 0,
  input_tokens: row.input_tokens ?? 0,
  output_tokens: row.output_tokens ?? 0,
  cache_read_tokens: row.cache_read_tokens ?? 0,
  cache_write_tokens: row.cache_write_tokens ?? 0,
  turns: row.turns ?? 0,
});

/** What attempts of a task have spent, from one epoch to another. `unwritten` is what this batch adds. */
export function spentByTask(
  {sql, unwritten}: {readonly sql: Sql; readonly unwritten: readonly Cost[]},
  {task, from, to = Number.MAX_SAFE_INTEGER}: {readonly task: string; readonly from: number; readonly to?: number},
): Spent {
  const written = sql.all<Sums>(`SELECT ${sums} FROM cost WHERE task = ? AND epoch BETWEEN ? AND ?`, task, from, to);
  return unwritten
    .filter(cost => cost.task === task && cost.epoch >= from && cost.epoch <= to)
    .reduce((sum, {spent}) => addSpent(sum, spent), spentFrom(one(written)));
}

/** What a budget would have counted since a day, so that one which is made late begins with the truth. */
export function spentSince(
  {sql, unwritten}: {readonly sql: Sql; readonly unwritten: readonly Cost[]},
  of: BudgetScope,
  day: string,
): Figures {
  const where = {
    pool: '',
    repository: 'AND repository = ?',
    agent_type: 'AND agent_type = ?',
    source: 'AND source = ?',
    runner: 'AND runner = ?',
    runner_source: "AND runner || '/' || source = ?",
  }[of.scope];
  const values = of.target === null ? [] : [of.target];
  const written = one(sql.all<Sums>(`SELECT ${sums} FROM cost WHERE day >= ? ${where}`, day, ...values));
  const added = unwritten.filter(cost => cost.day >= day && isFor(of, cost));
  return figuresOf(added.reduce((sum, {spent}) => addSpent(sum, spent), spentFrom(written)));
}

function each(of: (name: keyof Spent) => number): Spent {
  return {
    cost_micros: of('cost_micros'),
    input_tokens: of('input_tokens'),
    output_tokens: of('output_tokens'),
    cache_read_tokens: of('cache_read_tokens'),
    cache_write_tokens: of('cache_write_tokens'),
    turns: of('turns'),
  };
}

export const addSpent = (a: Spent, b: Spent): Spent => each(name => a[name] + b[name]);

/** What a report adds to what is known; an older one adds nothing. */
export const spentMore = (known: Spent, reported: Spent): Spent =>
  each(name => Math.max(0, reported[name] - known[name]));

export const isNothing = (spent: Spent): boolean => Object.values(spent).every(value => value === 0);
