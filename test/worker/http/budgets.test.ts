import {beforeAll, expect, test} from 'vitest';
import type {ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import type {BudgetView} from '@switchyard/shared/api/budget-contracts.ts';
import {call, json, migrated, newPool, problem} from './api-world.ts';
import {enrolled, runAttempt} from './runner-world.ts';

beforeAll(migrated);

const put = async (token: string, id: string, body: object): Promise<Response> =>
  call(`/v1/budgets/${id}`, {method: 'PUT', token, body});

const readToken = async (admin: string): Promise<string> => {
  const made = await call('/v1/credentials', {
    method: 'POST',
    token: admin,
    body: {kind: 'token', name: 'reader', scope: 'read'},
  });
  return (await json<{credential: string}>(made, 201)).credential;
};

test('[BG23] a budget is made, shown, overridden and removed, and every change is audited', async () => {
  const {token} = await newPool();
  const made = await json<BudgetView>(await put(token, 'every-day', {period: 'day', cost_usd_max: '25.00'}), 200);
  expect(made).toMatchObject({
    id: 'every-day',
    repository: null,
    agent_type: null,
    limits: {cost_usd: '25.00', tokens: null, turns: null},
    spent: {cost_usd: '0.00', tokens: 0, turns: 0},
    percent: 0,
    blocks: false,
    override: null,
  });
  const body = {for_ms: 3_600_000, why: 'release day', cost_usd_max: '50'};
  const path = '/v1/budgets/every-day/override';
  const overridden = await json<BudgetView>(await call(path, {method: 'POST', token, body}), 200);
  expect(overridden.limits.cost_usd).toBe('25.00');
  expect(overridden.override).toMatchObject({limits: {cost_usd: '50.00'}, why: 'release day', by: 'admin'});
  expect((overridden.override?.until_ms ?? 0) - Date.now()).toBeGreaterThan(3_500_000);
  const listed = await json<{budgets: BudgetView[]}>(await call('/v1/budgets', {token: await readToken(token)}), 200);
  expect(listed.budgets).toEqual([overridden]);
  await json(await call('/v1/budgets/every-day', {method: 'DELETE', token}), 200);
  expect(await problem(await call(path, {method: 'POST', token, body}))).toMatchObject({code: 'not_found'});
});

test.for([
  {period: 'day'},
  {period: 'day', cost_usd_max: 25},
  {period: 'day', cost_usd_max: '-1'},
  {period: 'year', cost_usd_max: '1'},
  {period: 'day', tokens_max: 0},
  {period: 'day', tokens_max: 5, repository: 'https://x', agent_type: 'coding'},
  {period: 'day', tokens_max: 5, repository: '.'},
  {period: 'day', tokens_max: 5, repository: 'https://x/a b'},
  {period: 'day', tokens_max: 5, agent_type: 'painter'},
  {period: 'day', tokens_max: 5, tokens_min: 1},
])('[BG24] %j is no budget', async body => {
  const {token} = await newPool();
  expect(await problem(await put(token, 'x1', body))).toMatchObject({status: 400});
});

test('[BG35] a budget that is spent asks in the inbox, and a grant there lets its tasks go on', async () => {
  const {token} = await newPool();
  await json(await put(token, 'every-day', {period: 'day', turns_max: 2}), 200);
  await json(await call('/v1/tasks', {method: 'POST', token, body: {prompt: 'x'}}), 201);
  const attempt = await runAttempt(await enrolled(token));
  const none = {cost_micros: 0, input_tokens: 0, output_tokens: 1, cache_read_tokens: 0, cache_write_tokens: 0};
  attempt.spend({...none, turns: 2});
  const inbox = async () => json<{approvals: ApprovalView[]}>(await call('/v1/approvals?state=open', {token}), 200);
  await expect.poll(async () => (await inbox()).approvals, {timeout: 20_000}).toHaveLength(1);
  const [ask] = (await inbox()).approvals;
  expect(ask).toMatchObject({kind: 'budget', task: null, input: {budget: 'every-day', spent: {turns: 2}}});
  const decide = async (body: object, by = token) =>
    call(`/v1/approvals/${ask?.id}/decision`, {method: 'POST', token: by, body});
  const grant = {decision: 'grant', for_ms: 3_600_000, turns_max: 9, reason: 'release day'};
  for (const wrong of [
    {...grant, turns_max: undefined},
    {...grant, for_ms: 1},
    {...grant, turns_max: 2},
  ])
    expect(await problem(await decide(wrong))).toMatchObject({status: 400, code: 'invalid_request'});
  expect(await problem(await decide(grant, await readToken(token)))).toMatchObject({code: 'forbidden'});
  expect(await json(await decide(grant), 200)).toMatchObject({state: 'approved', text: 'release day'});
  expect(await json(await decide(grant), 200)).toMatchObject({granted: {turns: 9, tokens: null, cost_usd: null}});
  expect(await problem(await decide({...grant, turns_max: 90}))).toMatchObject({
    status: 409,
    code: 'already_decided',
    detail: expect.stringMatching(/: 9 turns until 2.*; switchyard budget override every-day sets other limits$/),
  });
  const {budgets} = await json<{budgets: BudgetView[]}>(await call('/v1/budgets', {token}), 200);
  expect(budgets).toMatchObject([{approval: null, blocks: false, override: {limits: {turns: 9}}}]);
});

test('[BG24] whoever may only read or write sets no budget', async () => {
  const {token} = await newPool();
  const reader = await readToken(token);
  expect(await problem(await put(reader, 'x1', {period: 'day', turns_max: 1}))).toMatchObject({code: 'forbidden'});
});

test('[BG22] costs are shown for the days that are asked for', async () => {
  const {token} = await newPool();
  await json(await call('/v1/tasks', {method: 'POST', token, body: {prompt: 'x', agent: {type: 'reviewer'}}}), 201);
  const attempt = await runAttempt(await enrolled(token));
  const spent = {input_tokens: 1_000, output_tokens: 200, cache_read_tokens: 5, cache_write_tokens: 6};
  attempt.spend({...spent, cost_micros: 1_234_567, turns: 3});
  await attempt.succeed();
  const costs = await json(await call('/v1/costs?by=type', {token}), 200);
  const row = {...spent, cost_usd: '1.234567', turns: 3, attempts: 1};
  expect(costs).toMatchObject({by: 'type', costs: [{key: 'reviewer', ...row}], total: row});
  const before = await json(await call('/v1/costs?by=day&from=2020-01-01&to=2020-01-31', {token}), 200);
  expect(before).toMatchObject({costs: [], total: {turns: 0, cost_usd: '0.00'}});
  for (const query of ['from=2026-02-30', 'by=mood', 'from=2026-02-02&to=2026-02-01', 'from=2000-01-01'])
    expect(await problem(await call(`/v1/costs?${query}`, {token}))).toMatchObject({status: 400});
});

test('[BG23] a budget that is made late begins with what its period has spent', async () => {
  const {token} = await newPool();
  await json(await call('/v1/tasks', {method: 'POST', token, body: {prompt: 'x', agent: {type: 'reviewer'}}}), 201);
  const attempt = await runAttempt(await enrolled(token));
  const none = {input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0};
  attempt.spend({...none, cost_micros: 2_000_000, turns: 3});
  await attempt.succeed();
  const of = async (body: object) => json<BudgetView>(await put(token, 'b1', {period: 'month', ...body}), 200);
  expect(await of({cost_usd_max: '4'})).toMatchObject({spent: {cost_usd: '2.00', turns: 3}, percent: 50});
  expect(await of({cost_usd_max: '4', agent_type: 'coding'})).toMatchObject({spent: {cost_usd: '0.00'}, percent: 0});
  expect(await of({cost_usd_max: '2', agent_type: 'reviewer'})).toMatchObject({percent: 100, blocks: true});
});
