import {afterAll, beforeAll, expect, test} from 'vitest';
import {
  listBudgets,
  listCosts,
  overrideBudget,
  putBudget,
  type BudgetView,
} from '@switchyard/shared/api/budget-contracts.ts';
import {getTask} from '@switchyard/shared/api/task-contracts.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {chosenBy, say, shell, turn} from '../fixtures/model-api/scenario.ts';
import {openStage, PATIENCE_MS, type Stage} from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage(
    {
      work: [turn(shell('true')), turn(shell('true')), turn(shell('true')), turn(say('done'))],
      limited: [
        {
          moves: [],
          refuse: {
            status: 429,
            type: 'rate_limit_error',
            message: 'usage limit reached',
            headers: {'retry-after': '3600'},
          },
        },
      ],
    },
    {'policy.json': JSON.stringify({version: 1, full_access: ['host']})},
  );
}, 900_000);
afterAll(async () => stage.stop(), 120_000);

const claude = (scenario: string, type: 'coding' | 'reviewer' | 'verifier'): TaskSpecInput => ({
  prompt: `Please do the work. ${chosenBy(scenario)}`,
  agent: {driver: 'claude', type, prompt: 'as_is', profile: 'full-access'},
  expect_change: false,
});

const budget = async (id: string): Promise<BudgetView | undefined> =>
  (await stage.bed.client.call(listBudgets, {})).budgets.find(each => each.id === id);

const task = async (id: TaskView['id']): Promise<TaskView> => stage.bed.client.call(getTask, {params: {task: id}});

test('[RA40] an agent works on beyond its first slice of a budget, and what it spent is what the costs say', async () => {
  await stage.bed.client.call(putBudget, {
    params: {budget: 'coding'},
    body: {period: 'day', agent_type: 'coding', turns_max: 20, cost_usd_max: '100'},
  });
  const id = await stage.submit(claude('work', 'coding'));
  const done = await stage.bed.finished(id);
  expect(done, await stage.bed.log(id)).toMatchObject({state: 'succeeded', epoch: 1});
  const seen = await budget('coding');
  // The first slice is a tenth: two turns.
  expect(seen?.spent.turns).toBeGreaterThanOrEqual(4);
  expect(seen).toMatchObject({reserved: {turns: 0, cost_usd: '0.00'}, blocks: false});
  const {costs} = await stage.bed.client.call(listCosts, {query: {by: 'task'}});
  const row = costs.find(({key}) => key === id);
  expect(row).toMatchObject({cost_usd: seen?.spent.cost_usd, turns: seen?.spent.turns});
  expect(Number(row?.cost_usd)).toBeGreaterThan(0);
});

test('[RA41] a spent budget of the team stops the agent and parks its task, and an override lets it go on by itself', async () => {
  await stage.bed.client.call(putBudget, {
    params: {budget: 'reviews'},
    body: {period: 'total', agent_type: 'reviewer', turns_max: 2},
  });
  const id = await stage.submit(claude('work', 'reviewer'));
  await expect
    .poll(async () => (await task(id)).waiting_for, {timeout: PATIENCE_MS})
    .toBe('budget: nothing is left of reviews');
  expect(await task(id)).toMatchObject({state: 'queued', epoch: 1, failures: []});
  expect(await budget('reviews')).toMatchObject({spent: {turns: 2}, percent: 100, blocks: true});
  await stage.bed.client.call(overrideBudget, {
    params: {budget: 'reviews'},
    body: {for_ms: 600_000, why: 'the review matters', turns_max: 50},
  });
  const done = await stage.bed.finished(id);
  expect(done, await stage.bed.log(id)).toMatchObject({state: 'succeeded', epoch: 2, failures: []});
});

test('[RA42] a usage limit of the provider parks the task until the time that the provider named', async () => {
  const before = Date.now();
  const id = await stage.submit(claude('limited', 'verifier'));
  await expect.poll(async () => (await task(id)).state, {timeout: PATIENCE_MS}).toBe('pending');
  const parked = await task(id);
  expect(parked).toMatchObject({epoch: 1, failures: []});
  const [, time = ''] = /^the time (\S+)$/.exec(parked.waiting_for ?? '') ?? [];
  expect(Date.parse(time) - before).toBeGreaterThan(3_500_000);
  expect(Date.parse(time) - before).toBeLessThan(3_800_000);
});
