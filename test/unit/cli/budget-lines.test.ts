import {expect, test} from 'vitest';
import type {BudgetView} from '@switchyard/shared/api/budget-contracts.ts';
import type {ApprovalId, RunnerId} from '@switchyard/shared/domain/id.ts';
import {budgetLines} from '../../../runner/src/commands/budget-lines.ts';

const nothing = {cost_usd: '0.00', tokens: 0, turns: 0};
const budget: BudgetView = {
  ...{
    id: 'every-day',
    repository: null,
    agent_type: null,
    source: null,
    runner: null,
    period: 'total',
    from_ms: 0,
    until_ms: null,
  },
  ...{limits: {cost_usd: null, tokens: null, turns: 10}, spent: {...nothing, turns: 8}, reserved: nothing},
  ...{percent: 80, warned_percent: 75, approval: null, blocks: false, override: null},
};
const row = (change: Partial<BudgetView>): string | undefined =>
  budgetLines([{...budget, ...change}], 0, {columns: 200})[1];

test('[BG25] the list of budgets says what was warned of, what is spent and which question is open', () => {
  expect(row({})).toMatch(/^every-day +the pool +total +80 % +8 of 10 turns +open, warned at 75 %$/);
  expect(row({warned_percent: 0})).toMatch(/open$/);
  const approval = 'apr_01arz3ndektsv4rrffq69g5fav' as ApprovalId;
  expect(row({warned_percent: 100, blocks: true, approval})).toMatch(
    /spent: what counts for it waits, asks for more: apr_01arz3ndektsv4rrffq69g5fav$/,
  );
});

test('[BG25] a budget that follows from a charter names its machine, and who pays', () => {
  const runner = 'rnr_01arz3ndektsv4rrffq69g5fav' as RunnerId;
  expect(row({runner, source: 'api'})).toMatch(/^every-day +api of rnr_01arz3ndektsv4rrffq69g5fav +total/);
  expect(row({runner})).toMatch(/^every-day +rnr_01arz3ndektsv4rrffq69g5fav +total/);
});
