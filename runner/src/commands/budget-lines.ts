import type * as z from 'zod';
import type {BudgetView, listCosts} from '@switchyard/shared/api/budget-contracts.ts';
import {table} from './table.ts';
import type {Terminal} from './terminal.ts';
import {duration} from './units.ts';

type Costs = z.output<(typeof listCosts.responses)[200]>;

/** Budgets for a person: how much is spent of which limit, and until when. */
export function budgetLines(
  budgets: readonly BudgetView[],
  nowMs: number,
  {columns}: Pick<Terminal, 'columns'>,
): readonly string[] {
  const rows = budgets.map(budget => [
    budget.id,
    scopeOf(budget),
    budget.period,
    `${budget.percent} %`,
    spentOf(budget),
    stateOf(budget, nowMs),
  ]);
  return table(['BUDGET', 'FOR', 'PERIOD', 'SPENT', 'OF', 'STATE'], rows, columns);
}

function scopeOf({repository, agent_type, source, runner}: BudgetView): string {
  if (runner !== null) return source === null ? runner : `${source} of ${runner}`;
  return repository ?? agent_type ?? source ?? 'the pool';
}

function spentOf({limits, override, spent}: BudgetView): string {
  const now = override?.limits ?? limits;
  const cost = now.cost_usd ?? limits.cost_usd;
  const [tokens, turns] = [now.tokens ?? limits.tokens, now.turns ?? limits.turns];
  return [
    ...(cost === null ? [] : [`$${spent.cost_usd} of $${cost}`]),
    ...(tokens === null ? [] : [`${spent.tokens} of ${tokens} tokens`]),
    ...(turns === null ? [] : [`${spent.turns} of ${turns} turns`]),
  ].join(', ');
}

function stateOf(
  {blocks, override, approval, until_ms: untilMs, warned_percent: warnedPercent}: BudgetView,
  nowMs: number,
): string {
  const next = untilMs === null ? '' : `, begins again in ${duration(untilMs - nowMs)}`;
  const overridden =
    override === null
      ? ''
      : `, overridden by ${override.by} for ${duration(override.until_ms - nowMs)}: ${override.why}`;
  const asks = approval === null ? '' : `, asks for more: ${approval}`;
  const warned = blocks || warnedPercent === 0 ? '' : `, warned at ${warnedPercent} %`;
  return `${blocks ? 'spent: what counts for it waits' : 'open'}${warned}${asks}${next}${overridden}`;
}

/** Costs for a person, with their sum as the last line. */
export function costLines({by, costs, total}: Costs, {columns}: Pick<Terminal, 'columns'>): readonly string[] {
  const cells = (cost: Costs['total']): string[] => [
    `$${cost.cost_usd}`,
    String(cost.input_tokens + cost.cache_read_tokens + cost.cache_write_tokens),
    String(cost.output_tokens),
    String(cost.turns),
    String(cost.attempts),
  ];
  const rows = [...costs.map(({key, ...cost}) => [key === '' ? '-' : key, ...cells(cost)]), ['total', ...cells(total)]];
  return table([by.toUpperCase(), 'COST', 'TOKENS IN', 'OUT', 'TURNS', 'ATTEMPTS'], rows, columns);
}
