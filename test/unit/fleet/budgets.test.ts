import fc from 'fast-check';
import {expect, test} from 'vitest';
import {figuresOf} from '@switchyard/shared/domain/spending.ts';
import {
  addFigures,
  noFigures,
  noLimits,
  outstanding,
  spendingKinds,
  type Figures,
  type Limits,
} from '@switchyard/shared/policy/budget.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import {noneSpent, type Spent} from '@switchyard/shared/protocol/spending.ts';
import {PROTOCOL_VERSION, protocolVersions} from '@switchyard/shared/protocol/version.ts';
import type {Budget} from '../../../worker/src/fleet/budget-row.ts';
import {costsBy} from '../../../worker/src/fleet/cost-views.ts';
import {Lanes} from '../../../worker/src/fleet/lanes.ts';
import {migrate} from '../../../worker/src/fleet/migrator.ts';
import {SpendingBook} from '../../../worker/src/fleet/spending-book.ts';
import {waitingFor} from '../../../worker/src/fleet/waiting-for.ts';
import {CoreWorld, failedResult, fleetMigrations, type Attempt, type TestMachine} from '../../fixtures/fleet-core.ts';
import {nodeSqlite} from '../../fixtures/node-sqlite.ts';

const hourMs = 3_600_000;
const turnsOf = (turns: number): Spent => ({
  ...noneSpent,
  turns,
  cost_micros: turns * 1_000,
  output_tokens: turns * 10,
});

function makeBudget(world: CoreWorld, over: Partial<Budget> = {}): void {
  const budget: Budget = {
    id: 'all',
    scope: 'pool',
    target: null,
    period: 'day',
    limits: {...noLimits, turns: 20},
    override: null,
    window_ms: world.nowMs - (world.nowMs % 86_400_000),
    spent: noFigures,
    warned: 0,
    ...over,
  } as Budget;
  world.run(batch => {
    batch.undoable(batch.memory.spending.setBudget(budget.id, budget));
    return () => undefined;
  });
}

function opened(slots = 4): {world: CoreWorld; machine: TestMachine} {
  const world = new CoreWorld();
  const machine = world.machine();
  machine.hello(slots);
  world.take(machine.id);
  return {world, machine};
}

const say = (machine: TestMachine, of: Attempt, spent: Spent, wants: Figures | null = null): void =>
  machine.say({t: 'spending', ...of, spent, wants});

const budgetOf = (world: CoreWorld, id = 'all'): Budget => {
  const budget = world.core.memory.spending.budget(id);
  if (budget === undefined) throw new Error(`no budget ${id}`);
  return budget;
};

const reason = (world: CoreWorld, id: string): string | null =>
  waitingFor(world.core.memory, world.task(id), world.nowMs);

test('[BG13] an offer carries a slice of what is left, and nothing where no budget holds', () => {
  const {world, machine} = opened();
  world.one();
  expect(world.take(machine.id, 'offer')[0]).not.toHaveProperty('allowance');
  makeBudget(world);
  world.one();
  expect(world.take(machine.id, 'offer')[0]?.allowance).toEqual({
    slice: {...noLimits, turns: 2},
    spent_before: noFigures,
    session_spent: noFigures,
  });
  expect(world.core.memory.spending.reservedOf('all').turns).toBe(2);
});

test('[BG14] a slice that an attempt asks for is enlarged by what is left, and the answer names its question', () => {
  const {world, machine} = opened();
  makeBudget(world);
  world.one();
  const attempt = machine.accept();
  world.take(machine.id);
  const wants = {cost_micros: 9_000, tokens: 90, turns: 9};
  say(machine, attempt, turnsOf(2), wants);
  expect(world.take(machine.id, 'allowance')).toEqual([
    {t: 'allowance', ...attempt, slice: {...noLimits, turns: 9}, wants},
  ]);
  say(machine, attempt, turnsOf(2), {...wants, turns: 99});
  expect(world.take(machine.id, 'allowance')[0]?.slice.turns).toBe(20);
  const {spent} = budgetOf(world);
  expect(spent.turns + world.core.memory.spending.reservedOf('all').turns).toBe(20);
});

test('[BG14] a budget that is made while an attempt runs holds for it from its next report on, and a removed one no more', () => {
  const {world, machine} = opened();
  world.one();
  const attempt = machine.accept();
  say(machine, attempt, turnsOf(3));
  expect(world.take(machine.id, 'allowance')).toEqual([]);
  makeBudget(world);
  say(machine, attempt, turnsOf(3));
  expect(world.take(machine.id, 'allowance')[0]?.slice).toEqual({...noLimits, turns: 5});
  world.run(batch => {
    batch.undoable(batch.memory.spending.setBudget('all', undefined));
    return () => undefined;
  });
  say(machine, attempt, turnsOf(3), {...noFigures, turns: 50});
  expect(world.take(machine.id, 'allowance')[0]?.slice).toEqual(noLimits);
});

test('[BG10] reports are totals: repeated, late and out of order they count once', () => {
  const {world, machine} = opened();
  makeBudget(world);
  world.one();
  const attempt = machine.accept();
  for (const turns of [1, 1, 2, 1, 2]) say(machine, attempt, turnsOf(turns));
  expect(budgetOf(world).spent).toEqual({cost_micros: 2_000, tokens: 20, turns: 2});
  machine.exit(attempt, {kind: 'succeeded'}, {spent: turnsOf(3)});
  machine.exit(attempt, {kind: 'succeeded'}, {spent: turnsOf(3)});
  say(machine, attempt, turnsOf(2));
  expect(budgetOf(world).spent.turns).toBe(3);
});

test('[BG15] what an attempt did not spend is given back at its end, however it ends', () => {
  const {world, machine} = opened();
  makeBudget(world);
  const reserved = (): number => world.core.memory.spending.reservedOf('all').turns;
  world.one();
  machine.exit(machine.accept());
  expect(reserved()).toBe(0);
  const rejected = world.one({deadline_ms: world.nowMs + 100 * hourMs});
  machine.say({t: 'reject', task: rejected, epoch: 1, code: 'unavailable', detail: '', retryable: false});
  expect(reserved()).toBe(0);
  world.one();
  machine.accept();
  expect(reserved()).toBe(2);
  world.advance(2 * 60_000 + 20_000);
  machine.set({draining: 1});
  world.advance(10_000);
  expect([...world.core.memory.spending.slices()].map(({task}) => world.task(task).state)).not.toContain('pending');
  expect(reserved()).toBe([...world.core.memory.live.all()].length * 2);
});

test('[BG15] what was spent before a lease was lost counts when its runner can say it', () => {
  const {world, machine} = opened();
  makeBudget(world);
  const id = world.one({attempts_max: 1});
  const attempt = machine.accept();
  say(machine, attempt, turnsOf(1));
  world.advance(120_000);
  expect(world.task(id).state).toBe('dead');
  machine.hello();
  say(machine, attempt, turnsOf(4));
  say(machine, attempt, turnsOf(4));
  expect(budgetOf(world).spent.turns).toBe(4);
  const stranger = world.machine();
  stranger.hello();
  say(stranger, attempt, turnsOf(9));
  expect(budgetOf(world).spent.turns).toBe(4);
});

test('[BG16] a budget that has nothing left lets nothing of its scope begin, and the rest goes on', () => {
  const {world, machine} = opened();
  makeBudget(world, {id: 'reviews', scope: 'agent_type', target: 'reviewer', spent: {...noFigures, turns: 20}});
  const review = world.one({agent: {type: 'reviewer'}});
  const coding = world.one();
  expect(machine.offers().map(({task}) => task)).toEqual([coding]);
  expect(reason(world, review)).toBe('budget: nothing is left of reviews');
});

test('[BG16] a budget of a repository is for its tasks alone', () => {
  const {world, machine} = opened();
  const url = 'https://example.com/a.git';
  makeBudget(world, {id: 'a', scope: 'repository', target: 'example.com/a', spent: {...noFigures, turns: 20}});
  const held = world.one({repository: {url}, fairness_key: 'same'});
  const other = world.one({repository: {url: 'git@EXAMPLE.com:A/'}, fairness_key: 'same'});
  const free = world.one({repository: {url: 'https://example.com/b.git'}, fairness_key: 'same'});
  expect(machine.offers().map(({task}) => task)).toEqual([free]);
  expect([held, other].map(id => world.task(id).state)).toEqual(['queued', 'queued']);
});

test('[BG17] what waits goes on by itself when the next period begins', () => {
  const {world, machine} = opened();
  makeBudget(world, {spent: {...noFigures, turns: 20}, warned: 100});
  const id = world.one();
  expect(machine.offers()).toEqual([]);
  const midnight = world.nowMs - (world.nowMs % 86_400_000) + 86_400_000;
  expect(world.core.nextDueMs()).toBeLessThanOrEqual(midnight);
  world.nowMs = midnight - 1;
  world.execute([]);
  expect(machine.offers()).toEqual([]);
  world.nowMs = midnight;
  world.execute([]);
  expect(machine.offers()).toEqual([{task: id, epoch: 1}]);
  expect(budgetOf(world)).toMatchObject({spent: noFigures, warned: 0, window_ms: midnight});
});

test('[BG18] an override lets work go on until it ends', () => {
  const {world, machine} = opened();
  makeBudget(world, {period: 'total', window_ms: 0, spent: {...noFigures, turns: 20}});
  world.one();
  expect(machine.offers()).toEqual([]);
  const override = {limits: {...noLimits, turns: 40}, until_ms: world.nowMs + hourMs, by: 'ann', why: 'release day'};
  makeBudget(world, {...budgetOf(world), override});
  expect(machine.offers()).toHaveLength(1);
  world.nowMs += hourMs;
  world.execute([]);
  expect(budgetOf(world).override).toBeNull();
  world.one();
  expect(machine.offers()).toEqual([]);
});

test('[BG12] each warning of a period is said once, in the audit and in the history of the task', () => {
  const {world, machine} = opened();
  makeBudget(world);
  const id = world.one();
  const attempt = machine.accept();
  for (const turns of [9, 10, 11, 15, 14, 19, 20, 21]) say(machine, attempt, turnsOf(turns));
  const warned = world
    .told('audit')
    .filter(({action}) => action === 'budget.warning')
    .map(({detail}) => (JSON.parse(detail) as {percent: number}).percent);
  expect(warned).toEqual([50, 75, 90, 100]);
  const history = world.sql.all<{data: string}>(
    "SELECT data FROM task_event WHERE task = ? AND kind = 'budget.warning' ORDER BY seq",
    id,
  );
  expect(history.map(({data}) => JSON.parse(data) as object)).toEqual(
    warned.map(percent => ({budget: 'all', percent})),
  );
});

test('[BG19] an attempt that ends for want of a team’s budget waits, and burns no attempt', () => {
  const {world, machine} = opened();
  makeBudget(world);
  const id = world.one({attempts_max: 1});
  const attempt = machine.accept();
  const spent = {kind: 'failed', code: 'budget_spent', detail: 'spent', retryable: true} as const;
  machine.exit(attempt, spent, {spent: turnsOf(20)});
  expect(world.task(id)).toMatchObject({state: 'pending', failure_count: 0});
  world.advance(6_000);
  expect(reason(world, id)).toBe('budget: nothing is left of all');
});

test('[BG19] a budget of the task itself is final', () => {
  const {world, machine} = opened();
  const id = world.one();
  machine.exit(machine.accept(), {kind: 'failed', code: 'budget_spent', detail: 'spent', retryable: false});
  expect(world.task(id).state).toBe('failed');
});

test('[BG20] a usage limit of the provider parks the task until it ends, and burns no attempt', () => {
  const {world, machine} = opened();
  const id = world.one({attempts_max: 1});
  const limited = {kind: 'failed', code: 'usage_limited', detail: 'later', retryable: true} as const;
  machine.exit(machine.accept(), {...limited, retry_after_ms: 5 * hourMs});
  expect(world.task(id)).toMatchObject({state: 'pending', failure_count: 0, due_ms: world.nowMs + 5 * hourMs});
  expect(reason(world, id)).toContain('the time ');
  world.advance(5 * hourMs - 1);
  expect(machine.offers()).toEqual([]);
  machine.hello();
  world.advance(1);
  expect(machine.offers()).toEqual([{task: id, epoch: 2}]);
});

test('[BG21] a later attempt is told what earlier ones have spent, also when it begins in the same moment', () => {
  const {world, machine} = opened(1);
  world.one();
  const attempt = machine.accept();
  machine.exit(attempt, {kind: 'interrupted', detail: 'stopped'}, {spent: turnsOf(3)});
  const [offer] = world.take(machine.id, 'offer');
  expect(offer).toMatchObject({
    epoch: 2,
    allowance: {slice: noLimits, spent_before: {cost_micros: 3_000, tokens: 30, turns: 3}},
  });
});

test('[BG22] costs are summed up by task, type, repository and day, on the day on which they were spent', () => {
  const {world, machine} = opened();
  const [first, second] = [
    world.one({repository: {url: 'https://example.com/a.git'}}),
    world.one({agent: {type: 'auditor'}}),
  ];
  const [a, b] = machine.offers();
  for (const of of [a, b]) machine.say({t: 'accept', ...of, ts: 1});
  if (a === undefined || b === undefined) throw new Error('no offers');
  say(machine, a, turnsOf(1));
  say(machine, b, turnsOf(5));
  const today = new Date(world.nowMs).toISOString().slice(0, 10);
  world.nowMs = Date.parse(today) + 86_400_000;
  machine.renew([a, b]);
  say(machine, a, turnsOf(3));
  const tomorrow = new Date(world.nowMs).toISOString().slice(0, 10);
  const by = (group: 'task' | 'type' | 'repository' | 'day', from?: string) =>
    costsBy({sql: world.sql, nowMs: world.nowMs}, {by: group, from});
  const keys = (group: Parameters<typeof by>[0]) => by(group).costs.map(({key, turns}) => [key, turns]);
  const [taskA, taskB] = a.task === first ? [first, second] : [second, first];
  const turns = {[taskA]: 3, [taskB]: 5};
  expect(Object.fromEntries(keys('task'))).toEqual(turns);
  expect(keys('day')).toEqual([
    [today, 6],
    [tomorrow, 2],
  ]);
  expect(Object.fromEntries(keys('type'))).toEqual({coding: turns[first], auditor: turns[second]});
  expect(Object.fromEntries(keys('repository'))).toEqual({
    'example.com/a': turns[first],
    '': turns[second],
  });
  expect(by('day').total).toMatchObject({turns: 8, attempts: 2, cost_usd: '0.008'});
  expect(by('day', tomorrow).total.turns).toBe(2);
});

test('[BG29] an attempt that goes on for those that waited is told what they have spent, and one that begins anew is not', () => {
  const {world, machine} = opened(1);
  world.one();
  const waited: AttemptResult = {kind: 'waiting', asks: ['x']};
  machine.exit(machine.accept(), {kind: 'interrupted', detail: 'stopped'}, {spent: turnsOf(4)});
  machine.exit(machine.accept(), waited, {spent: turnsOf(3)});
  machine.exit(machine.accept(), waited, {spent: turnsOf(2)});
  const [offer] = world.take(machine.id, 'offer');
  expect(offer).toMatchObject({epoch: 4, allowance: {spent_before: {turns: 9}, session_spent: {turns: 5}}});
  machine.say({t: 'accept', task: offer?.task, epoch: 4, ts: 1});
  machine.exit({task: offer?.task ?? '', epoch: 4}, {kind: 'interrupted', detail: 'stopped'}, {spent: turnsOf(1)});
  const [fresh] = world.take(machine.id, 'offer');
  expect(fresh?.allowance).toMatchObject({spent_before: {turns: 10}, session_spent: {turns: 0}});
});

const protocolsUpTo = (version: number): readonly number[] => protocolVersions.filter(each => each <= version);

test('[BG30] a runner that cannot keep to a budget is offered nothing that has one, and the task says why it waits', () => {
  const world = new CoreWorld();
  const old = world.machine();
  old.hello(4, [], {protocols: protocolsUpTo(3)});
  makeBudget(world, {id: 'reviews', scope: 'agent_type', target: 'reviewer'});
  const review = world.one({agent: {type: 'reviewer'}});
  const own = world.one({budget: {total: {turns_max: 5}}});
  const free = world.one();
  expect(old.offers().map(({task}) => task)).toEqual([free]);
  const why = 'no connected runner that matches is new enough to keep to a budget: upgrade one';
  expect([review, own].map(id => reason(world, id))).toEqual([why, why]);
  const upgraded = world.machine();
  upgraded.hello(4);
  expect(upgraded.offers().map(({task}) => task)).toEqual([review, own]);
  old.hello(4, []);
  expect(world.core.sight().memory.runners.get(old.id)?.row.protocol).toBe(PROTOCOL_VERSION);
});

test('[BG30] a runner that is older is told only what it knows', () => {
  const second = (version: number) => {
    const world = new CoreWorld();
    const old = world.machine();
    old.hello(1, [], {protocols: protocolsUpTo(version)});
    const id = world.one();
    machineEnds(old, id);
    return world.take(old.id, 'offer')[0];
  };
  expect(second(3)).not.toHaveProperty('allowance');
  expect(second(4)?.allowance).toEqual({slice: noLimits, spent_before: expect.objectContaining({turns: 1})});
});

function machineEnds(machine: TestMachine, task: string): void {
  const [offer] = machine.offers().filter(each => each.task === task);
  if (offer === undefined) throw new Error('no offer came');
  machine.say({t: 'accept', ...offer, ts: 1});
  say(machine, offer, turnsOf(1));
  machine.exit(offer, {kind: 'interrupted', detail: 'stopped'});
}

test('[BG31] an offer that is said again over a new connection carries the same slice', () => {
  const {world, machine} = opened();
  makeBudget(world);
  world.one();
  const [first] = world.take(machine.id, 'offer');
  machine.hello(4);
  const [again] = world.take(machine.id, 'offer');
  expect(again).toEqual(first);
  expect(again?.allowance?.slice.turns).toBe(2);
  expect(world.core.memory.spending.reservedOf('all').turns).toBe(2);
});

test('[BG12] a warning reaches every task that spends of the budget, and no other', () => {
  const {world, machine} = opened();
  makeBudget(world, {id: 'reviews', scope: 'agent_type', target: 'reviewer'});
  const ids = [world.one({agent: {type: 'reviewer'}}), world.one({agent: {type: 'reviewer'}}), world.one()];
  const attempts = machine.offers();
  for (const of of attempts) machine.say({t: 'accept', ...of, ts: 1});
  const [first] = attempts;
  if (first === undefined) throw new Error('no offer came');
  world.take(machine.id);
  for (const turns of [10, 10, 11]) say(machine, first, turnsOf(turns));
  const told = world.take(machine.id, 'budget_warning');
  expect(told).toEqual(
    ids.slice(0, 2).map(task => ({t: 'budget_warning', task, epoch: 1, budget: 'reviews', percent: 50})),
  );
  const events = world.sql.all<{task: string}>("SELECT task FROM task_event WHERE kind = 'budget.warning'");
  expect(events.map(({task}) => task).toSorted()).toEqual(ids.slice(0, 2).toSorted());
});

type Move =
  | {readonly do: 'submit'; readonly type: 'coding' | 'reviewer'}
  | {readonly do: 'spend' | 'ask'; readonly who: number; readonly turns: number}
  | {readonly do: 'end'; readonly who: number; readonly how: 'done' | 'broken' | 'spent'}
  | {readonly do: 'wait'; readonly ms: number}
  | {readonly do: 'restart'};

const who = fc.nat(5);
const move: fc.Arbitrary<Move> = fc.oneof(
  {weight: 3, arbitrary: fc.record({do: fc.constant('submit'), type: fc.constantFrom('coding', 'reviewer')})},
  {weight: 5, arbitrary: fc.record({do: fc.constantFrom('spend', 'ask'), who, turns: fc.integer({min: 1, max: 6})})},
  {weight: 3, arbitrary: fc.record({do: fc.constant('end'), who, how: fc.constantFrom('done', 'broken', 'spent')})},
  {weight: 2, arbitrary: fc.record({do: fc.constant('wait'), ms: fc.constantFrom(1_000, 20_000, 90_000, 13 * hourMs)})},
  {weight: 1, arbitrary: fc.constant({do: 'restart'})},
) as fc.Arbitrary<Move>;

const results = {
  done: {kind: 'succeeded'},
  broken: failedResult,
  spent: {kind: 'failed', code: 'budget_spent', detail: 'spent', retryable: true},
} as const;

/** A runner that keeps to its slices, and what it believes to have spent. */
class Spenders {
  readonly world = new CoreWorld();
  readonly machine = this.world.machine();
  readonly held: {of: Attempt; spent: number; slice: Limits}[] = [];

  constructor() {
    this.machine.hello(4);
    makeBudget(this.world, {limits: {...noLimits, turns: 12}});
    makeBudget(this.world, {id: 'reviews', scope: 'agent_type', target: 'reviewer', limits: {...noLimits, turns: 5}});
  }

  take(at: Move): void {
    const {world, machine} = this;
    const mine = 'who' in at ? this.held[at.who % Math.max(1, this.held.length)] : undefined;
    if (at.do === 'submit') world.one({agent: {type: at.type}, attempts_max: 2});
    else if (at.do === 'wait') world.advance(at.ms);
    else if (at.do === 'restart') world.restart();
    else if (mine !== undefined && at.do === 'end') {
      machine.exit(mine.of, results[at.how], {spent: turnsOf(mine.spent)});
      this.held.splice(this.held.indexOf(mine), 1);
    } else if (mine !== undefined && at.do !== 'end') {
      if (at.do === 'spend') mine.spent = Math.min(mine.spent + at.turns, mine.slice.turns ?? Infinity);
      const wants = at.do === 'ask' ? {...noFigures, turns: mine.spent + at.turns} : null;
      say(machine, mine.of, turnsOf(mine.spent), wants);
      say(machine, mine.of, turnsOf(mine.spent), wants);
    }
    this.#listen();
  }

  #listen(): void {
    const {world, machine} = this;
    for (const draft of world.take(machine.id)) {
      const mine = this.held.find(({of}) => 'task' in draft && of.task === draft.task && of.epoch === draft.epoch);
      if (draft.t === 'offer') {
        const of = {task: draft.task, epoch: draft.epoch};
        this.held.push({of, spent: 0, slice: draft.allowance?.slice ?? noLimits});
        machine.say({t: 'accept', ...of, ts: 1});
      } else if (draft.t === 'allowance' && mine !== undefined) mine.slice = draft.slice;
      else if (draft.t === 'gone' && mine !== undefined) this.held.splice(this.held.indexOf(mine), 1);
    }
  }
}

test('[BG9] no order of submissions, reports, ends, expiries and restarts grants or spends beyond a limit, or keeps a slice of what ended', () => {
  fc.assert(
    fc.property(fc.array(move, {maxLength: 50}), moves => {
      const spenders = new Spenders();
      for (const at of moves) {
        spenders.take(at);
        const {memory, parts} = spenders.world.core;
        for (const budget of memory.spending.budgets()) {
          const all = addFigures(budget.spent, memory.spending.reservedOf(budget.id));
          for (const kind of spendingKinds) expect(all[kind]).toBeLessThanOrEqual(budget.limits[kind] ?? Infinity);
        }
        for (const slice of memory.spending.slices()) expect(memory.live.get(slice.task)?.epoch).toBe(slice.epoch);
        // The database says the same, so a restart changes nothing.
        const stored = new SpendingBook(parts.sql);
        expect(stored.budgets()).toEqual(memory.spending.budgets());
        expect([...stored.slices()].toSorted(byTask)).toEqual([...memory.spending.slices()].toSorted(byTask));
        for (const {id} of stored.budgets()) expect(stored.reservedOf(id)).toEqual(memory.spending.reservedOf(id));
      }
      const {spending} = spenders.world.core.memory;
      const sum = [...spending.slices()].reduce(
        (total, {granted, spent}) => addFigures(total, outstanding(granted, figuresOf(spent))),
        noFigures,
      );
      expect(spending.reservedOf('all')).toEqual(sum);
    }),
    {numRuns: 150},
  );
});

const byTask = (a: {readonly task: string}, b: {readonly task: string}): number => (a.task < b.task ? -1 : 1);

test('[BG16] tasks that waited before there were budgets are found by them', () => {
  const {world} = opened(0);
  const row = world.task(world.one({agent: {type: 'reviewer'}, repository: {url: 'https://example.com/a.git'}}));
  const sql = nodeSqlite();
  migrate(sql, fleetMigrations.slice(0, 5), world.nowMs);
  const lane: unknown[] = JSON.parse(row.lane);
  const older = new Map(Object.entries({...row, lane: JSON.stringify(lane.slice(0, 5))}));
  const columns = sql.all<{name: string}>("SELECT name FROM pragma_table_info('task')").map(({name}) => name);
  const places = columns.map(() => '?').join(', ');
  sql.run(
    `INSERT INTO task (${columns.join(', ')}) VALUES (${places})`,
    ...columns.map(name => older.get(name) ?? null),
  );
  migrate(sql, fleetMigrations, world.nowMs);
  expect([...new Lanes(sql).all()].map(({text}) => text)).toEqual([row.lane]);
});
