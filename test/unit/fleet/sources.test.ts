import {expect, test} from 'vitest';
import {loginLabel} from '@switchyard/shared/domain/labels.ts';
import {noFigures, noLimits, shareOf, type Source} from '@switchyard/shared/policy/budget.ts';
import {noneSpent} from '@switchyard/shared/protocol/spending.ts';
import type {Budget} from '../../../worker/src/fleet/budget-row.ts';
import {costsBy} from '../../../worker/src/fleet/cost-views.ts';
import {spentSince} from '../../../worker/src/fleet/cost-row.ts';
import {waitingFor} from '../../../worker/src/fleet/waiting-for.ts';
import {CoreWorld, type Attempt, type TestMachine} from '../../fixtures/fleet-core.ts';

const claude = {agent: {driver: 'claude'}} as const;
const codex = {agent: {driver: 'codex'}} as const;

/** A pool in which ten turns of plans and four of keys may be spent, and runners with a login and with keys. */
class Place {
  readonly world = new CoreWorld();
  readonly logged = this.world.machine(['agent=claude', 'agent=codex', loginLabel('claude')]);
  readonly keyed = this.world.machine(['agent=claude', 'agent=codex']);

  constructor(on: readonly ('logged' | 'keyed')[]) {
    for (const each of on) this[each].hello(4);
    this.#put('subscription', 10);
    this.#put('api', 4);
  }

  #put(source: Source, turns: number): void {
    const budget: Budget = {
      ...{id: source, scope: 'source', target: source, period: 'total', limits: {...noLimits, turns}},
      ...{override: null, window_ms: 0, spent: noFigures, warned: 0},
    };
    this.world.run(batch => {
      batch.undoable(batch.memory.spending.setBudget(source, budget));
      return () => undefined;
    });
  }

  spent(source: Source): number | undefined {
    return this.world.core.memory.spending.budget(source)?.spent.turns;
  }

  reserved(source: Source): number {
    return this.world.core.memory.spending.reservedOf(source).turns;
  }

  spend(machine: TestMachine, of: Attempt, turns: number): void {
    machine.say({t: 'spending', ...of, spent: {...noneSpent, turns}, wants: null});
  }
}

test('[BG38] what an agent spends under the login of its owner counts for the subscription, all else for keys', () => {
  const place = new Place(['logged']);
  const {world, logged} = place;
  const [mine, other] = [world.one(claude), world.one(codex)];
  const attempts = logged.offers();
  for (const of of attempts) logged.say({t: 'accept', ...of, ts: 1});
  expect([place.reserved('subscription'), place.reserved('api')]).toEqual([1, 1]);
  for (const of of attempts) place.spend(logged, of, of.task === mine ? 3 : 2);
  expect([place.spent('subscription'), place.spent('api')]).toEqual([3, 2]);
  world.restart();
  expect([place.spent('subscription'), place.spent('api')]).toEqual([3, 2]);
  for (const of of attempts)
    logged.exit(of, {kind: 'succeeded'}, {spent: {...noneSpent, turns: of.task === mine ? 4 : 2}});
  expect([place.spent('subscription'), place.spent('api')]).toEqual([4, 2]);
  expect([place.reserved('subscription'), place.reserved('api')]).toEqual([0, 0]);
  const costs = costsBy({sql: world.sql, nowMs: world.nowMs}, {by: 'source'}).costs;
  expect(Object.fromEntries(costs.map(({key, turns}) => [key, turns]))).toEqual({subscription: 4, api: 2});
  const places = {sql: world.sql, unwritten: []};
  expect(spentSince(places, {scope: 'source', target: 'subscription'}, '2000-01-01').turns).toBe(4);
  expect(world.task(other).state).toBe('succeeded');
});

test('[BG38] a spent source stops its own tasks, which a runner of the other source may still take', () => {
  const place = new Place(['keyed']);
  const {world, keyed, logged} = place;
  world.one(claude);
  const attempt = keyed.accept();
  place.spend(keyed, attempt, 4);
  keyed.exit(attempt, {kind: 'succeeded'}, {spent: {...noneSpent, turns: 4}});
  const waits = world.one(claude);
  expect(keyed.offers()).toEqual([]);
  expect(waitingFor(world.core.memory, world.task(waits), world.nowMs)).toBe('budget: nothing is left of api');
  logged.hello(4);
  expect(logged.offers().map(({task}) => task)).toEqual([waits]);
  const keysOnly = world.one(codex);
  expect([...keyed.offers(), ...logged.offers()]).toEqual([]);
  expect(waitingFor(world.core.memory, world.task(keysOnly), world.nowMs)).toBe('budget: nothing is left of api');
});

test('[BG38] a share of a configured budget is rounded down, and never nothing', () => {
  const whole = {cost_micros: 1_000_001, tokens: 1, turns: null};
  expect(shareOf(whole, 80)).toEqual({cost_micros: 800_000, tokens: 1, turns: null});
  expect(shareOf(whole, 100)).toEqual(whole);
});
