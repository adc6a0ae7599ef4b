import {evictDurableObject, runDurableObjectAlarm, runInDurableObject} from 'cloudflare:test';
import {beforeAll, expect, test} from 'vitest';
import {env} from 'cloudflare:workers';
import {importSigningKey, importVerifyingKey, verifyJws} from '@switchyard/shared/crypto/jws.ts';
import {DISPATCH_TYP, dispatchSchema} from '@switchyard/shared/protocol/envelope.ts';
import {enrolledMachine, exitOf, newPool, prepareDatabase, root, valueOf, welcomed} from './fleet-world.ts';

beforeAll(prepareDatabase);

const spent = {
  cost_micros: 400_000,
  input_tokens: 10,
  output_tokens: 20,
  cache_read_tokens: 0,
  cache_write_tokens: 0,
  turns: 4,
};
const pool = {scope: 'pool', target: null} as const;
const turns = (count: number) => ({cost_micros: null, tokens: null, turns: count});

test('[BG13] the slice is inside the signed dispatch, and what was spent outlives the object', async () => {
  const at = newPool();
  valueOf(await at.stub.putBudget(root, {id: 'all', scope: pool, period: 'total', limits: turns(4)}));
  const machine = await enrolledMachine(at);
  const session = await welcomed(at, machine);
  const task = await at.submit();
  const offer = await session.expect('offer');
  const [jwk] = JSON.parse(env.SWITCHYARD_SIGNING_KEYS) as unknown[];
  const keys = [await importVerifyingKey((await importSigningKey(jwk)).publicJwk)];
  const dispatch = await verifyJws(offer.envelope, {typ: DISPATCH_TYP, keys, schema: dispatchSchema});
  expect(dispatch?.allowance).toEqual({
    slice: turns(1),
    spent_before: {cost_micros: 0, tokens: 0, turns: 0},
    session_spent: {cost_micros: 0, tokens: 0, turns: 0},
  });
  const {epoch} = offer;
  session.send({t: 'accept', task: task.id, epoch, ts: 1_000});
  await session.expect('go');
  const wants = {cost_micros: 0, tokens: 0, turns: 9};
  session.send({t: 'spending', task: task.id, epoch, spent: {...spent, turns: 1}, wants});
  expect(await session.expect('allowance')).toEqual({t: 'allowance', task: task.id, epoch, slice: turns(4), wants});
  await evictDurableObject(at.stub);
  expect(valueOf(await at.stub.listBudgets(root)).budgets).toMatchObject([
    {id: 'all', spent: {turns: 1, cost_usd: '0.40'}, reserved: {turns: 3}, percent: 25, blocks: true},
  ]);
});

test('[BG17] the one alarm begins the next period, and what waited is offered', async () => {
  const at = newPool();
  valueOf(await at.stub.putBudget(root, {id: 'day', scope: pool, period: 'day', limits: turns(4)}));
  const machine = await enrolledMachine(at);
  const session = await welcomed(at, machine);
  const first = await at.submit();
  const {epoch} = await session.expect('offer');
  session.send({t: 'accept', task: first.id, epoch, ts: 1_000});
  await session.expect('go');
  session.send(await exitOf(machine, {task: first.id, epoch}, {spent}));
  expect(await session.expect('budget_warning')).toMatchObject({budget: 'day', percent: 100});
  await session.expect('exit_ack');
  const second = await at.submit();
  expect(second.waiting_for).toBe('budget: nothing is left of day');
  session.close();
  const due = await runInDurableObject(at.stub, async (_, {storage}) => {
    storage.sql.exec('UPDATE budget SET window_ms = window_ms - 86400000');
    return storage.getAlarm();
  });
  expect(due).toBeGreaterThan(0);
  await evictDurableObject(at.stub);
  await runDurableObjectAlarm(at.stub);
  const {budgets} = valueOf(await at.stub.listBudgets(root));
  expect(budgets).toMatchObject([{spent: {turns: 0}, percent: 0, blocks: false}]);
  expect(valueOf(await at.stub.getTask(root, second.id)).waiting_for).not.toContain('budget');
});
