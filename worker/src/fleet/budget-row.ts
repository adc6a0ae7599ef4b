import {nameOrNull, repositoryName} from '@switchyard/shared/domain/repository-name.ts';
import * as z from 'zod';
import {runnerIdSchema, type RunnerId} from '@switchyard/shared/domain/id.ts';
import {
  percentSpent,
  sources,
  warningAt,
  type Figures,
  type Limits,
  type Source,
} from '@switchyard/shared/policy/budget.ts';
import {knownPeriods, nextPeriodMs, type BudgetPeriod} from '@switchyard/shared/policy/budget-period.ts';
import {limitsSchema, spentSchema, type Spent} from '@switchyard/shared/protocol/spending.ts';
import type {Sql} from './sql.ts';

/**
 * Which attempts a budget is for. `target` is the name of a repository, a type of agent, a source, a runner, or a source on
 * a runner; null for the whole pool. Those of runners follow from charters.
 */
export type BudgetScope =
  | {readonly scope: 'pool'; readonly target: null}
  | {readonly scope: 'repository' | 'agent_type' | 'runner' | 'runner_source'; readonly target: string}
  | {readonly scope: 'source'; readonly target: Source};

/** Other limits for a while: a kind that is null keeps its own. */
export type Override = {
  readonly limits: Limits;
  readonly until_ms: number;
  readonly by: string;
  readonly why: string;
};

export type Budget = BudgetScope & {
  readonly id: string;
  readonly period: BudgetPeriod;
  readonly limits: Limits;
  readonly override: Override | null;
  /** When the period began that `spent` is of. */
  readonly window_ms: number;
  readonly spent: Figures;
  /** The highest warning of this period, in percent; 0 before the first. */
  readonly warned: number;
};

/** What a budget is of: the part of a task that says which budgets its attempts count for. */
export type Spender = {
  readonly agent_type: string;
  readonly repository: string | null;
  /** Undefined before a runner was chosen, on which it depends: no budget of a source is for it. */
  readonly source?: Source | undefined;
  readonly runner?: string | undefined;
};

/** The spending of a live attempt, and how far it may go. */
export type Slice = Spender & {
  readonly source: Source;
  readonly task: string;
  readonly epoch: number;
  readonly spent: Spent;
  readonly granted: Limits;
  /** What it spends of beside the budgets: the purses of its own task and of those above it. */
  readonly purses: readonly string[];
};

export function isFor({scope, target}: BudgetScope, spender: Spender): boolean {
  if (scope === 'pool') return true;
  return target === (scope === 'runner_source' ? targetOf(spender) : spender[scope]);
}

/** Of a budget for a source on a runner. */
export const targetOf = ({runner = '', source = 'api'}: Pick<Spender, 'runner' | 'source'>): string =>
  `${runner}/${source}`;

/** The runner whose charter a budget follows from; undefined for one that people have made. */
export function runnerOf({scope, target}: BudgetScope): RunnerId | undefined {
  return scope === 'runner' || scope === 'runner_source' ? runnerIdSchema.parse(target.split('/')[0]) : undefined;
}

/** Who pays for what a budget counts; undefined where that does not matter. */
export function payerOf({scope, target}: BudgetScope): Source | undefined {
  if (scope === 'source') return target;
  return scope === 'runner_source' ? sources.find(source => target.endsWith(`/${source}`)) : undefined;
}

/** The limits that hold right now. */
export function limitsAt({limits, override}: Pick<Budget, 'limits' | 'override'>, nowMs: number): Limits {
  if (override === null || nowMs >= override.until_ms) return limits;
  const {cost_micros, tokens, turns} = override.limits;
  return {
    cost_micros: cost_micros ?? limits.cost_micros,
    tokens: tokens ?? limits.tokens,
    turns: turns ?? limits.turns,
  };
}

/** Whoever sets a limit sees how much of it is spent: only what is spent from now on is warned of. */
export function silenced(budget: Budget, nowMs: number): Budget {
  return {...budget, warned: warningAt(percentSpent(limitsAt(budget, nowMs), budget.spent))};
}

/** When the clock next changes something: the period ends, or an override. */
export function dueMs({period, window_ms, override}: Budget): number {
  return Math.min(nextPeriodMs(period, window_ms), override?.until_ms ?? Infinity);
}

const sourceColumn = z.enum(sources);
const overrideColumn = z.object({limits: limitsSchema, until_ms: z.number(), by: z.string(), why: z.string()});

const budgetRow = z
  .object({
    id: z.string(),
    scope: z.enum(['pool', 'repository', 'agent_type', 'source', 'runner', 'runner_source']),
    target: z.string().nullable(),
    period: z.enum(knownPeriods),
    cost_micros_max: z.number().nullable(),
    tokens_max: z.number().nullable(),
    turns_max: z.number().nullable(),
    override: z.string().nullable(),
    window_ms: z.number(),
    cost_micros: z.number(),
    tokens: z.number(),
    turns: z.number(),
    warned: z.number(),
  })
  .transform(({scope, target, cost_micros_max, tokens_max, turns_max, override, ...row}): Budget => {
    const {id, period, window_ms, warned, cost_micros, tokens, turns} = row;
    return {
      id,
      period,
      window_ms,
      warned,
      ...scopeFrom(scope, target),
      limits: {cost_micros: cost_micros_max, tokens: tokens_max, turns: turns_max},
      override: override === null ? null : overrideColumn.parse(JSON.parse(override)),
      spent: {cost_micros, tokens, turns},
    };
  });

function scopeFrom(scope: BudgetScope['scope'], target: string | null): BudgetScope {
  if (scope === 'pool' || target === null) return {scope: 'pool', target: null};
  if (scope === 'repository') return {scope, target: repositoryName(target)};
  return scope === 'source' ? {scope, target: sourceColumn.parse(target)} : {scope, target};
}

export function allBudgets(sql: Sql): readonly Budget[] {
  return sql.all('SELECT * FROM budget ORDER BY id').map(row => budgetRow.parse(row));
}

export function saveBudget(
  sql: Sql,
  {id, scope, target, period, limits, override, window_ms, spent, warned}: Budget,
): void {
  sql.run(
    `INSERT OR REPLACE INTO budget (id, scope, target, period, cost_micros_max, tokens_max, turns_max, override,
       window_ms, cost_micros, tokens, turns, warned) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    scope,
    target,
    period,
    limits.cost_micros,
    limits.tokens,
    limits.turns,
    override === null ? null : JSON.stringify(override),
    window_ms,
    spent.cost_micros,
    spent.tokens,
    spent.turns,
    warned,
  );
}

const sliceRow = z
  .object({
    task: z.string(),
    epoch: z.number(),
    agent_type: z.string(),
    repository: z.string().nullable(),
    source: sourceColumn,
    runner: z.string().nullable(),
    granted: z.string(),
    purses: z.string(),
    ...spentSchema.shape,
  })
  .transform(({task, epoch, agent_type, repository, source, runner, granted, purses, ...spent}): Slice => ({
    task,
    epoch,
    agent_type,
    repository: nameOrNull(repository),
    source,
    runner: runner ?? undefined,
    spent,
    granted: limitsSchema.parse(JSON.parse(granted)),
    purses: z.array(z.string()).parse(JSON.parse(purses)),
  }));

export function allSlices(sql: Sql): readonly Slice[] {
  return sql.all('SELECT * FROM slice').map(row => sliceRow.parse(row));
}

export function saveSlice(
  sql: Sql,
  {task, epoch, agent_type, repository, source, runner, spent, granted, purses}: Slice,
): void {
  sql.run(
    `INSERT OR REPLACE INTO slice (task, epoch, agent_type, repository, source, runner, granted, purses, cost_micros, input_tokens,
       output_tokens, cache_read_tokens, cache_write_tokens, turns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    task,
    epoch,
    agent_type,
    repository,
    source,
    runner ?? null,
    JSON.stringify(granted),
    JSON.stringify(purses),
    spent.cost_micros,
    spent.input_tokens,
    spent.output_tokens,
    spent.cache_read_tokens,
    spent.cache_write_tokens,
    spent.turns,
  );
}
