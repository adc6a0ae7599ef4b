import {afterAll, beforeAll, expect, test} from 'vitest';
import {decideApproval, listApprovals, type ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import {putBudget} from '@switchyard/shared/api/budget-contracts.ts';
import {getTask, listTaskEvents} from '@switchyard/shared/api/task-contracts.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {chosenBy, say, shell, turn} from '../fixtures/model-api/scenario.ts';
import {openStage, type Stage} from './stage.ts';

const patience = {timeout: 180_000, interval: 250};
const limited = (more: {headers?: Record<string, string>; times?: number}) => ({
  moves: [say('done')],
  refuse: {status: 429, type: 'rate_limit_error', message: 'usage limit reached', ...more},
});

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    work: [turn(shell('true')), turn(shell('true')), turn(shell('true')), turn(say('done'))],
    resumes: [limited({headers: {'retry-after': '65'}, times: 1})],
    endless: [limited({})],
    computes: [turn(shell('timeout 30 sh -c "while :; do :; done"; true')), turn(say('done'))],
  });
}, 900_000);
afterAll(async () => stage.stop(), 120_000);

const claude = (scenario: string, type: 'coding' | 'reviewer' | 'verifier'): TaskSpecInput => ({
  prompt: `Please do the work. ${chosenBy(scenario)}`,
  agent: {driver: 'claude', type, profile: 'developer', prompt: 'as_is'},
  expect_change: false,
});

const task = async (id: TaskView['id']): Promise<TaskView> => stage.bed.client.call(getTask, {params: {task: id}});

test('[RA70] a spent budget asks in the inbox once, and a grant there lets the real agent go on', async () => {
  await stage.bed.client.call(putBudget, {
    params: {budget: 'reviews'},
    body: {period: 'day', agent_type: 'reviewer', turns_max: 2},
  });
  const id = await stage.submit(claude('work', 'reviewer'));
  const open = async (): Promise<readonly ApprovalView[]> =>
    (await stage.bed.client.call(listApprovals, {query: {state: 'open', limit: 50}})).approvals;
  await expect.poll(async () => (await task(id)).waiting_for, patience).toBe('budget: nothing is left of reviews');
  const asks = await open();
  expect(asks).toMatchObject([{kind: 'budget', task: null, input: {budget: 'reviews', spent: {turns: 2}}}]);
  const {events} = await stage.bed.client.call(listTaskEvents, {params: {task: id}, query: {limit: 200}});
  const warnings = events.filter(({kind}) => kind === 'budget.warning').map(({data}) => data);
  expect(warnings).toEqual([50, 100].map(percent => ({budget: 'reviews', percent})));
  expect(await stage.bed.log(id)).toContain('50 percent of the budget reviews are spent');
  const [ask] = asks;
  if (ask === undefined) throw new Error('nothing was asked');
  await stage.bed.client.call(decideApproval, {
    params: {approval: ask.id},
    body: {decision: 'grant', for_ms: 600_000, turns_max: 50, reason: 'the review matters'},
  });
  const done = await stage.bed.finished(id, 180_000);
  expect(done, await stage.bed.log(id)).toMatchObject({state: 'succeeded', epoch: 2, failures: []});
  expect(await open()).toEqual([]);
});

test('[RA71] after a usage limit of the provider the task goes on by itself', async () => {
  const begunMs = Date.now();
  const id = await stage.submit(claude('resumes', 'verifier'));
  await expect.poll(async () => (await task(id)).state, patience).toBe('pending');
  expect(await task(id)).toMatchObject({epoch: 1, failures: [], waiting_for: expect.stringMatching(/^the time /)});
  const done = await stage.bed.finished(id, 240_000);
  expect(done, await stage.bed.log(id)).toMatchObject({state: 'succeeded', epoch: 2, failures: []});
  expect((done.finished_ms ?? 0) - begunMs).toBeGreaterThan(65_000);
});

test('[RA72] a usage limit without a time parks the task for a while and burns no attempt', async () => {
  const beforeMs = Date.now();
  const id = await stage.submit(claude('endless', 'verifier'));
  await expect.poll(async () => (await task(id)).state, patience).toBe('pending');
  const parked = await task(id);
  expect(parked, await stage.bed.log(id)).toMatchObject({epoch: 1, failures: []});
  const [, time = ''] = /^the time (\S+)$/.exec(parked.waiting_for ?? '') ?? [];
  expect(Date.parse(time) - beforeMs).toBeGreaterThan(limits.usageLimitUnknownMs - 5_000);
});

test('[RA73] what claude and the programs that it starts use is seen while it runs, and kept when it has ended', async () => {
  const id = await stage.submit(claude('computes', 'coding'));
  // The program and the shell that computes.
  await expect.poll(async () => (await task(id)).resources?.processes ?? 0, patience).toBeGreaterThan(1);
  const done = await stage.bed.finished(id, 240_000);
  expect(done, await stage.bed.log(id)).toMatchObject({state: 'succeeded', resources: {processes: 0, rss_bytes: 0}});
  expect(done.resources?.rss_bytes_max).toBeGreaterThan(50_000_000);
  expect(done.resources?.cpu_ms).toBeGreaterThan(1_000);
});
