import {expect, test} from 'vitest';
import type {ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import type {BudgetView} from '@switchyard/shared/api/budget-contracts.ts';
import {noLimits} from '@switchyard/shared/policy/budget.ts';
import {noneSpent} from '@switchyard/shared/protocol/spending.ts';
import {decideApproval, listApprovals} from '../../../worker/src/fleet/approval-calls.ts';
import {
  deleteBudget,
  grantBudget,
  listBudgets,
  overrideBudget,
  putBudget,
  type Grant,
} from '../../../worker/src/fleet/budget-calls.ts';
import type {Caller, Outcome} from '../../../worker/src/fleet/fleet-rpc.ts';
import {GroupCommit} from '../../../worker/src/fleet/group-commit.ts';
import type {Service} from '../../../worker/src/fleet/service.ts';
import {waitingFor} from '../../../worker/src/fleet/waiting-for.ts';
import {migrate} from '../../../worker/src/fleet/migrator.ts';
import {CoreWorld, fleetMigrations, type Attempt, type TestMachine} from '../../fixtures/fleet-core.ts';
import {nodeSqlite} from '../../fixtures/node-sqlite.ts';

const hourMs = 3_600_000;
const root: Caller = {kind: 'root'};
const turns = (count: number) => ({...noLimits, turns: count});

/** A pool with a budget of ten turns a day, one runner, and an attempt that spends. */
class Place {
  readonly world = new CoreWorld();
  readonly machine: TestMachine = this.world.machine();
  spent = 0;
  of: Attempt = {task: '', epoch: 0};

  constructor() {
    this.machine.hello(4);
  }

  get service(): Service {
    const {world} = this;
    const commit = new GroupCommit({
      execute: works => world.execute(works),
      sync: async () => undefined,
      letIn: async () => undefined,
      deliver: () => undefined,
    });
    return {core: world.core, commit, randomBytes: length => world.randomBytes(length)};
  }

  async put(count = 10, period: 'day' | 'total' = 'day'): Promise<BudgetView> {
    const scope = {scope: 'pool', target: null} as const;
    return valueOf(await putBudget(this.service, root, {id: 'all', scope, period, limits: turns(count)}));
  }

  begin(): void {
    this.world.one();
    this.of = this.machine.accept();
    this.spent = 0;
  }

  spend(count: number): void {
    this.spent += count;
    const spent = {...noneSpent, turns: this.spent};
    this.machine.say({t: 'spending', ...this.of, spent, wants: null});
  }

  async asks(state?: ApprovalView['state']): Promise<readonly ApprovalView[]> {
    const page = valueOf(await listApprovals(this.service, root, {limit: 50, ...(state && {state})}));
    return page.approvals;
  }

  async open(): Promise<ApprovalView> {
    const [ask, ...more] = await this.asks('open');
    if (ask === undefined || more.length > 0) throw new Error(`expected one question, got ${more.length + 1}`);
    return ask;
  }

  grant(id: ApprovalView['id'], count: number, over: Partial<Grant> = {}): Promise<Outcome<ApprovalView>> {
    return grantBudget(this.service, root, {id, limits: turns(count), forMs: hourMs, why: 'release day', ...over});
  }

  async budget(): Promise<BudgetView | undefined> {
    return valueOf(await listBudgets(this.service, root)).budgets[0];
  }

  isWaiting(): boolean {
    return waitingFor(this.world.core.memory, this.world.task(this.world.one()), this.world.nowMs) !== null;
  }
}

function valueOf<Value>(outcome: Outcome<Value>): Value {
  if (!outcome.ok) throw new Error(`${outcome.code}: ${outcome.detail}`);
  return outcome.value;
}

async function spentPlace(period: 'day' | 'total' = 'day'): Promise<Place> {
  const place = new Place();
  await place.put(10, period);
  place.begin();
  place.spend(10);
  return place;
}

test('[BG35] a budget that is spent opens one question, whoever spends how often, also after a restart', async () => {
  const place = new Place();
  await place.put();
  place.begin();
  place.spend(9);
  expect(await place.asks()).toEqual([]);
  place.spend(1);
  const ask = await place.open();
  expect(ask).toMatchObject({kind: 'budget', task: null, epoch: 0, tool: 'budget', decided_ms: null});
  expect(ask.input).toMatchObject({budget: 'all', period: 'day', limits: {turns: 10}, spent: {turns: 10}});
  expect(await place.budget()).toMatchObject({approval: ask.id, blocks: true, warned_percent: 100});
  place.spend(1);
  place.world.restart();
  place.spend(1);
  expect((await place.open()).id).toBe(ask.id);
  expect(place.isWaiting()).toBe(true);
});

test('[BG35] a grant is an override for its time, and what waits goes on', async () => {
  const place = await spentPlace();
  const waiting = place.world.one();
  expect(place.machine.offers()).toEqual([]);
  const ask = await place.open();
  expect(valueOf(await place.grant(ask.id, 30))).toMatchObject({
    state: 'approved',
    decided_by: 'root',
    text: 'release day',
  });
  expect(place.machine.offers().map(({task}) => task)).toEqual([waiting]);
  const budget = await place.budget();
  expect(budget).toMatchObject({approval: null, override: {limits: {turns: 30}, why: 'release day', by: 'root'}});
  expect(budget?.override?.until_ms).toBe(place.world.nowMs + hourMs);
  const actions = place.world.told('audit').map(({action}) => action);
  expect(actions).toEqual(expect.arrayContaining(['approval.grant', 'budget.override']));
});

test('[BG35] the same grant again changes nothing, and what was decided is not decided otherwise', async () => {
  const place = await spentPlace();
  const ask = await place.open();
  valueOf(await place.grant(ask.id, 30));
  place.world.nowMs += 60_000;
  const granted = {cost_usd: null, tokens: null, turns: 30, until_ms: place.world.nowMs - 60_000 + hourMs};
  expect(valueOf(await place.grant(ask.id, 30, {why: 'again'}))).toMatchObject({state: 'approved', granted});
  expect((await place.budget())?.override?.until_ms).toBe(granted.until_ms);
  const reject = {id: ask.id, decision: 'reject', text: ''} as const;
  expect(await decideApproval(place.service, root, reject)).toMatchObject({ok: false, code: 'already_decided'});
});

test('[BG50] another grant is refused with what was granted and how to change it, also after a restart', async () => {
  const place = await spentPlace();
  const ask = await place.open();
  valueOf(await place.grant(ask.id, 30));
  const until = new Date(place.world.nowMs + hourMs).toISOString();
  place.world.restart();
  const refused = {
    ok: false,
    code: 'already_decided',
    detail: `${ask.id} is granted by root: 30 turns until ${until}; switchyard budget override all sets other limits`,
  };
  expect(await place.grant(ask.id, 900)).toEqual(expect.objectContaining(refused));
  expect(await place.grant(ask.id, 30, {forMs: 2 * hourMs})).toEqual(expect.objectContaining(refused));
  expect(await place.grant(ask.id, 30, {limits: {...turns(30), tokens: 5}})).toEqual(expect.objectContaining(refused));
  expect((await place.budget())?.override?.limits.turns).toBe(30);
  expect(valueOf(await place.grant(ask.id, 30)).state).toBe('approved');
});

test('[BG50] a grant from before its amount was kept is no grant of another amount', async () => {
  const place = await spentPlace();
  const ask = await place.open();
  valueOf(await place.grant(ask.id, 30));
  place.world.sql.run('UPDATE approval SET granted = NULL');
  expect((await place.asks())[0]?.granted).toBeNull();
  expect(await place.grant(ask.id, 900)).toMatchObject({
    code: 'already_decided',
    detail: `${ask.id} is granted by root; switchyard budget override all sets other limits`,
  });
});

test('[BG35] a grant that is spent, or over, is followed by a new question', async () => {
  const place = await spentPlace();
  const first = await place.open();
  valueOf(await place.grant(first.id, 12));
  place.spend(2);
  const second = await place.open();
  expect(second.id).not.toBe(first.id);
  valueOf(await place.grant(second.id, 20));
  expect(await place.asks('open')).toEqual([]);
  place.world.advance(hourMs);
  expect((await place.open()).id).not.toBe(second.id);
});

test('[BG36] what is refused waits until the period ends, and is asked anew in the next', async () => {
  const place = await spentPlace();
  const ask = await place.open();
  const reject = {id: ask.id, decision: 'reject', text: 'no'} as const;
  expect(valueOf(await decideApproval(place.service, root, reject))).toMatchObject({state: 'rejected', text: 'no'});
  place.spend(1);
  place.world.restart();
  place.spend(1);
  expect(await place.asks('open')).toEqual([]);
  expect(place.isWaiting()).toBe(true);
  const midnight = place.world.nowMs - (place.world.nowMs % (24 * hourMs)) + 24 * hourMs;
  place.machine.renew([place.of]);
  place.world.nowMs = midnight;
  place.machine.hello(9);
  place.begin();
  expect(place.isWaiting()).toBe(false);
  place.spend(10);
  expect((await place.open()).id).not.toBe(ask.id);
});

test('[BG36] nobody is asked any more when the period has ended, there is more to spend, or the budget is gone', async () => {
  const ends: readonly ((place: Place) => Promise<unknown>)[] = [
    async ({world}) => world.advance(24 * hourMs),
    async place => place.put(50),
    async place => deleteBudget(place.service, root, 'all'),
    async ({service}) => overrideBudget(service, root, {id: 'all', limits: turns(50), forMs: hourMs, why: 'x'}),
  ];
  for (const end of ends) {
    const place = await spentPlace();
    const ask = await place.open();
    await end(place);
    expect((await place.asks()).map(({id, state}) => [id, state])).toEqual([[ask.id, 'withdrawn']]);
    expect(await place.grant(ask.id, 90)).toMatchObject({ok: false, code: 'already_decided'});
  }
});

test('[BG36] a question that nobody decides is rejected by nobody, and the pool goes on', async () => {
  const place = await spentPlace('total');
  place.world.advance(31 * 24 * hourMs);
  expect(await place.asks('open')).toEqual([]);
  expect((await place.asks())[0]).toMatchObject({state: 'expired', decided_by: null});
  expect(place.isWaiting()).toBe(true);
});

test('[BG35] what was asked before budgets could ask is kept', () => {
  const {world} = new Place();
  const sql = nodeSqlite();
  migrate(sql, fleetMigrations.slice(0, 9), world.nowMs);
  const known =
    "'apr_1', 'tsk_1', 'toolu_1', 1, 0, 'permission', 'open', 'Bash', '{}', 'why', NULL, 5, 6, NULL, NULL, NULL";
  sql.run(`INSERT INTO approval VALUES (${known})`);
  migrate(sql, fleetMigrations, world.nowMs);
  expect(sql.all('SELECT id, task, ask, kind, expires_ms, text FROM approval')).toEqual([
    {id: 'apr_1', task: 'tsk_1', ask: 'toolu_1', kind: 'permission', expires_ms: 6, text: null},
  ]);
});

test('[BG35] only an admin grants, no less than is spent, and only a budget is granted', async () => {
  const place = await spentPlace();
  const ask = await place.open();
  expect(await place.grant(ask.id, 10)).toMatchObject({ok: false, code: 'invalid_request'});
  expect((await place.open()).id).toBe(ask.id);
  const grant = {id: ask.id, limits: turns(30), forMs: hourMs, why: ''};
  const nonce = {value: 'n', expiresAtMs: place.world.nowMs + 1};
  expect(await grantBudget(place.service, {kind: 'dispatch', nonce}, grant)).toMatchObject({code: 'forbidden'});
  for (const decision of ['approve', 'answer'] as const)
    expect(await decideApproval(place.service, root, {id: ask.id, decision, text: 'x'})).toMatchObject({
      code: 'invalid_request',
      detail: expect.stringContaining('grant or reject it'),
    });
});
