import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {newApprovalId} from '@switchyard/shared/domain/id.ts';
import {approvalMachine} from '@switchyard/shared/machine/approval-machine.ts';
import {exhausted, left, noFigures, type Limits} from '@switchyard/shared/policy/budget.ts';
import {nextPeriodMs} from '@switchyard/shared/policy/budget-period.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {newestBudgetAsk, saveApproval, type ApprovalRow} from './approval-row.ts';
import {settleApproval} from './approval-step.ts';
import type {Batch} from './batch.ts';
import {limitsAt, type Budget} from './budget-row.ts';
import {figuresView, limitsView} from './money-view.ts';
import type {Sql} from './sql.ts';

/** Whether the limits that hold right now are spent, whatever is set aside for attempts that run. */
export function isSpent(budget: Budget, nowMs: number): boolean {
  return exhausted(left(limitsAt(budget, nowMs), budget.spent, noFigures)) !== undefined;
}

/**
 * Asks people for more, once, when a budget is spent: a grant is an override. What was refused in this period, or decided
 * by nobody, is not asked again; where a grant is over or spent, it is.
 */
export function askForMore(batch: Batch, budget: Budget): void {
  const {context, nowMs, memory} = batch;
  if (!isSpent(budget, nowMs)) return;
  const ask = askOf(budget);
  const before = newestBudgetAsk(context.sql, ask);
  if (before !== undefined && before.state !== 'approved' && before.state !== 'withdrawn') return;
  const until = nextPeriodMs(budget.period, budget.window_ms);
  const row: ApprovalRow = {
    id: newApprovalId(nowMs, length => Uint8Array.from({length}, () => context.random() * 256)),
    ...{task: null, ask, epoch: 0, carried: 0, kind: 'budget', state: approvalMachine.initial, tool: 'budget'},
    input: JSON.stringify(shown(budget, nowMs)),
    reason: `the budget ${budget.id} is spent: what counts for it waits until somebody grants more or its period ends`,
    rule: null,
    created_ms: nowMs,
    expires_ms: Math.min(until, nowMs + limits.overrideMaxMs),
    decided_ms: null,
    decided_by: null,
    text: null,
    granted: null,
  };
  saveApproval(context.sql, row);
  memory.approvalDueMs = Math.min(memory.approvalDueMs, row.expires_ms);
}

/** Nobody has to decide any more: there is more to spend, a new period, or no such budget. */
export function withdrawAsk(batch: Batch, before: Budget): void {
  const open = openAskOf(batch.context.sql, before);
  if (open !== undefined) settleApproval(batch, open, {event: 'withdraw', by: null, text: null});
}

/** The question of a budget that waits for a person. */
export function openAskOf(sql: Sql, budget: Budget): ApprovalRow | undefined {
  const newest = newestBudgetAsk(sql, askOf(budget));
  return newest?.state === 'open' ? newest : undefined;
}

/**
 * The budget that an approval asks about, and whether the limits of a grant are more than is spent by now.
 *
 * @throws SwitchyardError invalid_request, not_found
 */
export function grantable(batch: Batch, {ask, id}: ApprovalRow, granted: Limits): Budget {
  const budget = batch.memory.spending.budgets().find(each => askOf(each) === ask);
  if (budget === undefined) throw new SwitchyardError('not_found', `the budget that ${id} asks about is no more`);
  const override = {limits: granted, until_ms: Infinity, by: '', why: ''};
  if (isSpent({...budget, override}, batch.nowMs))
    throw new SwitchyardError(
      'invalid_request',
      `that much of ${budget.id} is spent already: grant more than was spent`,
    );
  return budget;
}

/** One question for each period of a budget at a time. */
const askOf = ({id, window_ms: windowMs}: Budget): string => `${id}/${windowMs}`;

function shown(budget: Budget, nowMs: number): object {
  const {id, period, spent} = budget;
  const until = nextPeriodMs(period, budget.window_ms);
  return {
    budget: id,
    period,
    limits: limitsView(limitsAt(budget, nowMs)),
    spent: figuresView(spent),
    period_ends: until === Infinity ? null : new Date(until).toISOString(),
  };
}
