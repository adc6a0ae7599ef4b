import fc from 'fast-check';
import {expect, test} from 'vitest';
import {taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {loginLabel} from '@switchyard/shared/domain/labels.ts';
import {tokenBudgetLabels, tokenBudgetOf, type TokenBudget} from '@switchyard/shared/domain/token-budget.ts';
import {noFigures, noLimits, percentSpent, shareOf} from '@switchyard/shared/policy/budget.ts';
import type {HeldAttempt} from '@switchyard/shared/protocol/attempt-message.ts';
import {noneSpent} from '@switchyard/shared/protocol/spending.ts';
import {allBudgets, type Budget, type BudgetScope} from '../../../worker/src/fleet/budget-row.ts';
import {applyCharters} from '../../../worker/src/fleet/charter-budgets.ts';
import {waitingFor} from '../../../worker/src/fleet/waiting-for.ts';
import {CoreWorld, type Attempt, type TestMachine} from '../../fixtures/fleet-core.ts';

const claude = {agent: {driver: 'claude'}} as const;
const codex = {agent: {driver: 'codex'}} as const;
const hourMs = 3_600_000;

/** A pool with machines that have charters; what they may spend together is 1,000 tokens a day. */
class Place {
  readonly world = new CoreWorld();

  constructor(wholeTokens: number | null = 1_000) {
    if (wholeTokens !== null) this.put('whole', {scope: 'pool', target: null}, wholeTokens);
  }

  put(id: string, scope: BudgetScope, tokens: number | undefined, override: Budget['override'] = null): void {
    const window_ms = this.world.nowMs - (this.world.nowMs % (24 * hourMs));
    const limits = {...noLimits, tokens: tokens ?? null};
    const rest = {limits, override, window_ms, spent: noFigures, warned: 0} as const;
    this.world.run(batch => {
      const budget = tokens === undefined ? undefined : ({id, ...scope, period: 'day', ...rest} as Budget);
      batch.undoable(batch.memory.spending.setBudget(id, budget));
      applyCharters(batch);
      return () => undefined;
    });
  }

  machine(budget: TokenBudget, logins: readonly string[] = []): TestMachine {
    const labels = ['agent=claude', 'agent=codex', ...logins.map(loginLabel), ...tokenBudgetLabels(budget)];
    const machine = this.world.machine(labels);
    machine.hello(4);
    return machine;
  }

  /** What holds, each budget by its name without that of the machine. */
  held(machine: TestMachine): Readonly<Record<string, number | null>> {
    const own = this.world.core.memory.spending.ofRunner(machine.id);
    return Object.fromEntries(own.map(({id, limits}) => [id.replace(`.${machine.id}`, ''), limits.tokens]));
  }

  budget(machine: TestMachine, name: string): Budget {
    const found = this.world.core.memory.spending.budget(name.replace('$', machine.id));
    if (found === undefined) throw new Error(`no budget ${name}`);
    return found;
  }

  spend(machine: TestMachine, of: Attempt, tokens: number, wants: number | null = null): void {
    const spent = {...noneSpent, output_tokens: tokens, turns: 1};
    machine.say({t: 'spending', ...of, spent, wants: wants === null ? null : {...noFigures, tokens: wants}});
  }

  reason(task: string): string | null {
    return waitingFor(this.world.core.memory, this.world.task(task), this.world.nowMs);
  }
}

test('[BG42] a charter shares every budget of the pool out between the plan and the keys, on its own machine', () => {
  const place = new Place();
  const machine = place.machine({subscription: 80, api: 20}, ['claude']);
  const free = place.machine({});
  expect(place.held(machine)).toEqual({'whole.subscription': 800, 'whole.api': 200});
  expect(place.held(free)).toEqual({});
  place.put('reviews', {scope: 'agent_type', target: 'reviewer'}, 50);
  expect(place.held(machine)).toEqual({'whole.subscription': 800, 'whole.api': 200});
  place.put('whole', {scope: 'pool', target: null}, 500);
  expect(place.held(machine)).toEqual({'whole.subscription': 400, 'whole.api': 100});
  place.put('whole', {scope: 'pool', target: null}, undefined);
  expect(place.held(machine)).toEqual({});
});

test('[BG42] nothing is granted beyond a share, what is spent of it is warned of, and it stops its own source alone', () => {
  const place = new Place(1_000_000);
  const {world} = place;
  const machine = place.machine({subscription: 80, api: 20}, ['claude']);
  const task = world.one(codex);
  const attempt = machine.accept();
  world.take(machine.id);
  place.spend(machine, attempt, 20_000, 2_000_000);
  const [allowance] = world.take(machine.id, 'allowance');
  expect(allowance?.slice.tokens).toBe(200_000);
  for (const tokens of [110_000, 150_000, 190_000, 200_000]) place.spend(machine, attempt, tokens);
  expect(world.take(machine.id, 'budget_warning').map(({percent}) => percent)).toEqual([50, 75, 90, 100]);
  expect(place.budget(machine, 'whole.$.api').spent.tokens).toBe(200_000);
  machine.exit(attempt, {kind: 'succeeded'}, {spent: {...noneSpent, output_tokens: 200_000, turns: 1}});
  expect(world.task(task).state).toBe('succeeded');
  const waits = world.one(codex);
  expect(machine.offers()).toEqual([]);
  expect(place.reason(waits)).toBe(`budget: nothing is left of whole.${machine.id}.api`);
  const planned = world.one(claude);
  expect(machine.offers().map(({task: offered}) => offered)).toEqual([planned]);
  // Another machine has said nothing of the kind.
  const free = place.machine({});
  expect(free.offers().map(({task: offered}) => offered)).toEqual([waits]);
});

test('[BG42] a share of nothing is nothing: such a source never begins', () => {
  const place = new Place();
  const machine = place.machine({api: 0});
  const task = place.world.one(codex);
  expect(machine.offers()).toEqual([]);
  expect(place.reason(task)).toBe(`budget: nothing is left of whole.${machine.id}.api`);
  expect(percentSpent(place.budget(machine, 'whole.$.api').limits, noFigures)).toBe(100);
  expect(shareOf({...noLimits, tokens: 0}, 80)).toEqual({...noLimits, tokens: 0});
});

test('[BG43] tokens an hour and a day hold on the machine of the charter, and its shares are shares of them too', () => {
  const place = new Place(null);
  const {world} = place;
  const machine = place.machine({hourly: 100, daily: 150, api: 50});
  expect(place.held(machine)).toEqual({
    'charter.hourly': 100,
    'charter.daily': 150,
    'charter.hourly.api': 50,
    'charter.daily.api': 75,
  });
  world.one(codex);
  const attempt = machine.accept();
  place.spend(machine, attempt, 50);
  machine.exit(attempt, {kind: 'succeeded'}, {spent: {...noneSpent, output_tokens: 50, turns: 1}});
  const next = world.one(codex);
  expect(machine.offers()).toEqual([]);
  expect(place.reason(next)).toBe(`budget: nothing is left of charter.hourly.${machine.id}.api`);
  world.advance(hourMs - (world.nowMs % hourMs));
  expect(machine.offers().map(({task}) => task)).toEqual([next]);
  expect(place.budget(machine, 'charter.hourly.$').spent.tokens).toBe(0);
  expect(place.budget(machine, 'charter.daily.$').spent.tokens).toBe(50);
});

test('[BG44] a budget that somebody made for a source takes the place of the shares of charters for it', () => {
  const place = new Place();
  const machine = place.machine({subscription: 80, api: 20});
  place.put('keys', {scope: 'source', target: 'api'}, 300);
  expect(place.held(machine)).toEqual({'whole.subscription': 800});
  place.put('keys', {scope: 'source', target: 'api'}, undefined);
  expect(place.held(machine)).toEqual({'whole.subscription': 800, 'whole.api': 200});
});

test('[BG44] an override of the whole is one of its shares while it holds, and one of a share stays', () => {
  const place = new Place();
  const {world} = place;
  const machine = place.machine({api: 20});
  const until_ms = world.nowMs + hourMs;
  const override = {limits: {...noLimits, tokens: 2_000}, until_ms, by: 'a', why: 'b'};
  place.put('whole', {scope: 'pool', target: null}, 1_000, override);
  expect(place.held(machine)).toEqual({'whole.api': 400});
  const own = {...override, limits: {...noLimits, tokens: 5_000}, until_ms: until_ms + hourMs};
  const share = place.budget(machine, 'whole.$.api');
  world.run(batch => {
    batch.undoable(batch.memory.spending.setBudget(share.id, {...share, override: own}));
    return () => undefined;
  });
  world.advance(hourMs);
  expect(place.held(machine)).toEqual({'whole.api': 200});
  expect(place.budget(machine, 'whole.$.api').override).toEqual(own);
});

test('[BG45] the budgets of a machine follow its charter with its next hello, and what it spent in the period counts', () => {
  const place = new Place();
  const {world} = place;
  const machine = place.machine({api: 20});
  world.one(codex);
  const attempt = machine.accept();
  place.spend(machine, attempt, 70);
  const labels = (budget: TokenBudget) => ({labels: ['agent=codex', ...tokenBudgetLabels(budget)]});
  const inventory: readonly HeldAttempt[] = [
    {task: taskIdSchema.parse(attempt.task), epoch: attempt.epoch, phase: 'running', spool_len: 0},
  ];
  machine.hello(4, inventory, labels({api: 20}));
  expect(place.budget(machine, 'whole.$.api').spent.tokens).toBe(70);
  machine.hello(4, inventory, labels({}));
  expect(place.held(machine)).toEqual({});
  expect(allBudgets(world.sql).map(({id}) => id)).toEqual(['whole']);
  machine.hello(4, inventory, labels({api: 10, daily: 500}));
  expect(place.held(machine)).toEqual({'whole.api': 100, 'charter.daily': 500, 'charter.daily.api': 50});
  for (const name of ['whole.$.api', 'charter.daily.$', 'charter.daily.$.api'])
    expect(place.budget(machine, name).spent.tokens).toBe(70);
  world.restart();
  expect(place.budget(machine, 'charter.daily.$.api')).toMatchObject({spent: {tokens: 70}, limits: {tokens: 50}});
  expect(world.core.memory.spending.slice(attempt.task)?.runner).toBe(machine.id);
  machine.set({revoked_ms: world.nowMs});
  world.run(batch => {
    applyCharters(batch, machine.id);
    return () => undefined;
  });
  expect(place.held(machine)).toEqual({});
});

test('[BG46] what a charter says of tokens comes through its labels as it is, each of which is a label', () => {
  const percent = fc.oneof(fc.integer({min: 0, max: 100}), fc.constantFrom(0.5, 33.25, 99.999));
  const budget = fc.record(
    {subscription: percent, api: percent, hourly: fc.integer({min: 1}), daily: fc.integer({min: 1})},
    {requiredKeys: []},
  );
  fc.assert(
    fc.property(budget, said => {
      const labels = tokenBudgetLabels(said);
      for (const label of labels) expect(label).toMatch(/^[A-Za-z0-9][A-Za-z0-9._=/:+-]{0,99}$/);
      expect(tokenBudgetOf(['os=linux', ...labels])).toEqual(said);
    }),
  );
});

test('[BG46] of two labels the narrower one holds, and what cannot be read says nothing', () => {
  expect(tokenBudgetOf(['charter.api=30', 'charter.api=20', 'charter.daily=9'])).toEqual({api: 20, daily: 9});
  const unreadable = ['charter.api=120', 'charter.api=x', 'charter.api=', 'charter.hourly=0', 'charter.hourly=1.5'];
  expect(tokenBudgetOf([...unreadable, 'charter.daily=-1', 'charter.tier=1', 'api=5'])).toEqual({});
});
