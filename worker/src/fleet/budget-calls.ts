import type {ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import type {BudgetView} from '@switchyard/shared/api/budget-contracts.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {ApprovalId} from '@switchyard/shared/domain/id.ts';
import {exhausted, left, percentSpent, type Limits} from '@switchyard/shared/policy/budget.ts';
import {dayOf, nextPeriodMs, periodStartMs, type BudgetPeriod} from '@switchyard/shared/policy/budget-period.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {approvalById, approvalView} from './approval-row.ts';
import {decide} from './asks.ts';
import type {Batch} from './batch.ts';
import {grantable, isSpent, openAskOf, withdrawAsk} from './budget-asks.ts';
import {limitsAt, payerOf, runnerOf, silenced, type Budget, type BudgetScope} from './budget-row.ts';
import {applyCharters} from './charter-budgets.ts';
import {costsBy, type CostQuery, type Costs} from './cost-views.ts';
import {spentSince} from './cost-row.ts';
import {figuresView, limitsView} from './money-view.ts';
import type {Caller, Outcome} from './fleet-rpc.ts';
import {actorOf, nameOf} from './permission.ts';
import {reading, writing, type Service} from './service.ts';
import type {SpendingBook} from './spending-book.ts';
import type {Sight} from './views.ts';

/** The budgets of the pool and what was spent, as the Worker calls them. */

export function listBudgets(
  service: Service,
  caller: Caller,
): Promise<Outcome<{readonly budgets: readonly BudgetView[]}>> {
  return reading(service, {caller, scope: 'read'}, sight => ({
    budgets: sight.memory.spending.budgets().map(budget => budgetView(sight, budget)),
  }));
}

export type BudgetChange = {
  readonly id: string;
  readonly scope: BudgetScope;
  readonly period: BudgetPeriod;
  readonly limits: Limits;
};

export function putBudget(service: Service, caller: Caller, change: BudgetChange): Promise<Outcome<BudgetView>> {
  return writing(service, {caller, scope: 'admin'}, batch => {
    const {spending} = batch.memory;
    const before = spending.budget(change.id);
    if (before === undefined && spending.general().length >= limits.budgetsMax)
      throw new SwitchyardError('invalid_request', `a pool has at most ${limits.budgetsMax} budgets`);
    const window_ms = periodStartMs(change.period, batch.nowMs);
    const places = {sql: batch.context.sql, unwritten: spending.unwritten};
    const spent = spentSince(places, change.scope, dayOf(window_ms));
    const {scope, ...rest} = change;
    const budget = {...rest, ...scope, override: before?.override ?? null, window_ms, spent, warned: 0};
    const next = silenced(budget, batch.nowMs);
    if (before !== undefined && !(isSpent(next, batch.nowMs) && next.window_ms === before.window_ms))
      withdrawAsk(batch, before);
    keep(batch, caller, {budget: next, action: 'budget.put', detail: change});
    return () => budgetView(lookOf(batch), spending.budget(next.id) ?? next);
  });
}

export type OverrideChange = {
  readonly id: string;
  readonly limits: Limits;
  readonly forMs: number;
  readonly why: string;
};

export function overrideBudget(service: Service, caller: Caller, change: OverrideChange): Promise<Outcome<BudgetView>> {
  return writing(service, {caller, scope: 'admin'}, batch => {
    const before = known(batch.memory.spending, change.id);
    const next = override(batch, caller, {budget: before, change});
    if (!isSpent(next, batch.nowMs)) withdrawAsk(batch, before);
    return () => budgetView(lookOf(batch), batch.memory.spending.budget(next.id) ?? next);
  });
}

/** What a person grants of a budget that asked for more: the same as an override, and the answer to the question. */
export function grantBudget(service: Service, caller: Caller, {id, ...grant}: Grant): Promise<Outcome<ApprovalView>> {
  return writing(service, {caller, scope: 'admin'}, batch => {
    const asked = approvalById(batch.context.sql, id);
    const budget =
      asked?.kind === 'budget' && asked.state === 'open' ? grantable(batch, asked, grant.limits) : undefined;
    const by = nameOf(batch.memory, caller);
    const row = decide(batch, id, {decision: 'grant', text: grant.why, by, granted: grant});
    batch.audit({actor: actorOf(caller), action: 'approval.grant', target: id, detail: row.tool});
    // The same decision again changes nothing.
    if (budget !== undefined) override(batch, caller, {budget, change: {id: budget.id, ...grant}});
    return () => approvalView(row);
  });
}

export type Grant = Omit<OverrideChange, 'id'> & {readonly id: ApprovalId};

type Overriding = {readonly budget: Budget; readonly change: OverrideChange};

function override(batch: Batch, caller: Caller, {budget, change}: Overriding): Budget {
  const {limits: of, forMs, why} = change;
  const by = nameOf(batch.memory, caller) ?? actorOf(caller);
  const override = {limits: of, until_ms: batch.nowMs + forMs, by, why};
  const next = silenced({...budget, override, warned: 0}, batch.nowMs);
  keep(batch, caller, {budget: next, action: 'budget.override', detail: change});
  return next;
}

export function deleteBudget(service: Service, caller: Caller, id: string): Promise<Outcome<{readonly id: string}>> {
  return writing(service, {caller, scope: 'admin'}, batch => {
    withdrawAsk(batch, known(batch.memory.spending, id));
    batch.undoable(batch.memory.spending.setBudget(id, undefined));
    applyCharters(batch);
    batch.audit({actor: actorOf(caller), action: 'budget.delete', target: id, detail: ''});
    return () => ({id});
  });
}

export function listCosts(service: Service, caller: Caller, query: CostQuery): Promise<Outcome<Costs>> {
  return reading(service, {caller, scope: 'read'}, sight => costsBy(sight, query));
}

function known(spending: SpendingBook, id: string): Budget {
  const budget = spending.budget(id);
  if (budget === undefined) throw new SwitchyardError('not_found', `there is no budget ${id}`);
  return budget;
}

type Kept = {readonly budget: Budget; readonly action: string; readonly detail: object};

function keep(batch: Batch, caller: Caller, {budget, action, detail}: Kept): void {
  batch.undoable(batch.memory.spending.setBudget(budget.id, budget));
  applyCharters(batch);
  batch.audit({actor: actorOf(caller), action, target: budget.id, detail: JSON.stringify(detail)});
}

type Look = Pick<Sight, 'sql' | 'memory' | 'nowMs'>;

const lookOf = ({context, memory, nowMs}: Batch): Look => ({sql: context.sql, memory, nowMs});

function budgetView({sql, memory: {spending}, nowMs}: Look, budget: Budget): BudgetView {
  const {id, scope, target, period, window_ms, override, spent, warned} = budget;
  const of = limitsAt(budget, nowMs);
  const reserved = spending.reservedOf(id);
  const until = nextPeriodMs(period, window_ms);
  return {
    id,
    repository: scope === 'repository' ? target : null,
    agent_type: scope === 'agent_type' ? target : null,
    source: payerOf(budget) ?? null,
    runner: runnerOf(budget) ?? null,
    period,
    from_ms: window_ms,
    until_ms: until === Infinity ? null : until,
    limits: limitsView(budget.limits),
    spent: figuresView(spent),
    reserved: figuresView(reserved),
    percent: percentSpent(of, spent),
    warned_percent: warned,
    approval: openAskOf(sql, budget)?.id ?? null,
    blocks: exhausted(left(of, spent, reserved)) !== undefined,
    override:
      override === null || override.until_ms <= nowMs ? null : {...override, limits: limitsView(override.limits)},
  };
}
