import {tokenBudgetOf} from '@switchyard/shared/domain/token-budget.ts';
import {noFigures, noLimits, shareOf, sources, type Limits} from '@switchyard/shared/policy/budget.ts';
import {dayOf, periodStartMs, type BudgetPeriod} from '@switchyard/shared/policy/budget-period.ts';
import type {Batch} from './batch.ts';
import {isSpent, withdrawAsk} from './budget-asks.ts';
import {limitsAt, silenced, targetOf, type Budget, type BudgetScope} from './budget-row.ts';
import {spentSince} from './cost-row.ts';
import type {Runner} from './runner-row.ts';
import type {SpendingBook} from './spending-book.ts';

/** What a budget is made of, before anything is spent of it. */
type Plan = BudgetScope & {readonly id: string; readonly period: BudgetPeriod; readonly limits: Limits};

/** Names that nobody can give to a budget of the team: those have no dots. */
const idOf = (...parts: readonly string[]): string => parts.join('.');

/**
 * Makes the budgets of machines agree with their charters and with the budgets of the pool: of all machines, or of the one
 * that is named. To be called whenever one of these has changed; nothing happens where they agree.
 */
export function applyCharters(batch: Batch, only?: string): void {
  const {spending, runners} = batch.memory;
  for (const runner of only === undefined ? [...runners.values()] : [runners.get(only)]) {
    if (runner === undefined) continue;
    const plans = runner.row.revoked_ms === null ? plansFor(spending, runner, batch.nowMs) : [];
    for (const budget of [...spending.ofRunner(runner.row.id)]) {
      if (plans.some(({id}) => id === budget.id)) continue;
      withdrawAsk(batch, budget);
      batch.undoable(spending.setBudget(budget.id, undefined));
    }
    for (const plan of plans) follow(batch, plan);
  }
}

/** What a charter says is of its own machine alone: nobody else's attempts count for it. */
function plansFor(spending: SpendingBook, {row: {id}, labels}: Runner, nowMs: number): readonly Plan[] {
  const said = tokenBudgetOf(labels);
  const windows = [
    {name: 'hourly', period: 'hour', tokens: said.hourly},
    {name: 'daily', period: 'day', tokens: said.daily},
  ] as const;
  const own = windows.flatMap(({name, period, tokens}): readonly Plan[] =>
    tokens === undefined
      ? []
      : [{id: idOf('charter', name, id), scope: 'runner', target: id, period, limits: {...noLimits, tokens}}],
  );
  const shared = [...spending.general().filter(({scope}) => scope === 'pool'), ...own];
  // Whoever made a budget for a source has decided how the sources share.
  const decided = new Set(spending.general().map(({scope, target}) => (scope === 'source' ? target : null)));
  const shares = sources.flatMap(source => {
    const percent = said[source];
    if (percent === undefined || percent >= 100 || decided.has(source)) return [];
    return shared.map((whole): Plan => {
      const limits = shareOf(limitsAt({override: null, ...spending.budget(whole.id), ...whole}, nowMs), percent);
      const target = targetOf({runner: id, source});
      return {id: shareId(whole, id, source), scope: 'runner_source', target, period: whole.period, limits};
    });
  });
  return [...own, ...shares];
}

const shareId = ({id, scope}: Plan, runner: string, source: string): string =>
  scope === 'runner' ? idOf(id, source) : idOf(id, runner, source);

function follow(batch: Batch, plan: Plan): void {
  const {spending} = batch.memory;
  const before = spending.budget(plan.id);
  const isSame = before?.period === plan.period;
  if (isSame && JSON.stringify(before.limits) === JSON.stringify(plan.limits)) return;
  const kept = isSame ? before : begun(batch, plan);
  const next = silenced({...kept, limits: plan.limits}, batch.nowMs);
  if (before !== undefined && !(isSame && isSpent(next, batch.nowMs))) withdrawAsk(batch, before);
  batch.undoable(spending.setBudget(next.id, next));
}

/** What was spent is known by the day: an hour begins with nothing. */
function begun({context: {sql}, memory: {spending}, nowMs}: Batch, plan: Plan): Budget {
  const window_ms = periodStartMs(plan.period, nowMs);
  const places = {sql, unwritten: spending.unwritten};
  const spent = plan.period === 'hour' ? noFigures : spentSince(places, plan, dayOf(window_ms));
  return {...plan, window_ms, spent, override: null, warned: 0};
}
