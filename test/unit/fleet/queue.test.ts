import {describe, expect, test} from 'vitest';
import {compareCandidates, concurrencyOnSubmit, level, orderKey} from '@switchyard/shared/domain/queue-order.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {waitingFor} from '../../../worker/src/fleet/waiting-for.ts';
import {positionOf} from '../../../worker/src/fleet/views.ts';
import {CoreWorld, type TestMachine} from '../../fixtures/fleet-core.ts';

/** Runs one task after the other and answers them in the order in which they were offered. */
function drain(machine: TestMachine, count: number): readonly string[] {
  const order: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const attempt = machine.accept();
    order.push(attempt.task);
    machine.exit(attempt);
  }
  return order;
}

function idle(): {of: CoreWorld; machine: TestMachine} {
  const of = new CoreWorld();
  return {of, machine: of.machine()};
}

describe('the order of the queue', () => {
  test('[QU1] urgent tasks go first, and among equals the one that came first', () => {
    const {of, machine} = idle();
    const made = ([3, 3, 1, 5, 2] as const).map(priority => {
      of.nowMs += 1;
      return of.one({priority});
    });
    machine.hello();
    expect(drain(machine, 5)).toEqual([2, 4, 0, 1, 3].map(index => made[index]));
  });

  test('[QU2] waiting raises the priority one step for each ageing step, so that nothing starves', () => {
    const {of, machine} = idle();
    const old = of.one({priority: 5});
    of.nowMs += 3 * limits.agingStepMs;
    const fresh = of.one({priority: 3});
    of.nowMs += 1;
    const urgent = of.one({priority: 1});
    machine.hello();
    expect(drain(machine, 3)).toEqual([urgent, old, fresh]);
    const key = orderKey(0, 3);
    expect(
      [0, 1, limits.agingStepMs, 2 * limits.agingStepMs, 9 * limits.agingStepMs].map(now => level(key, now)),
    ).toEqual([2, 2, 1, 0, 0]);
  });

  test('[QU3] fairness keys take turns inside a priority, and a key that comes later saves up nothing', () => {
    const {of, machine} = idle();
    const busy = of.submit(Array.from({length: 6}, () => ({fairness_key: 'busy'}))).ids;
    machine.hello();
    const first = drain(machine, 2);
    const attempt = machine.accept();
    const other: readonly string[] = of.submit(Array.from({length: 3}, () => ({fairness_key: 'other'}))).ids;
    machine.exit(attempt);
    const rest = drain(machine, 6);
    expect(first).toEqual(busy.slice(0, 2));
    expect(rest.map(id => (other.includes(id) ? 'other' : 'busy'))).toEqual([
      'other',
      'busy',
      'other',
      'busy',
      'other',
      'busy',
    ]);
  });

  test('[QU4] a task goes only to a runner with all its required labels, and to the one with the labels it prefers', () => {
    const of = new CoreWorld();
    const plain = of.machine(['os=linux']);
    const warm = of.machine(['os=linux', 'warm=repo']);
    plain.hello(3);
    warm.hello(1);
    of.one({requires: ['os=linux'], prefers: ['warm=repo']});
    expect([plain.offers().length, warm.offers().length]).toEqual([0, 1]);
    of.one({requires: ['os=linux'], prefers: ['warm=repo']});
    expect([plain.offers().length, warm.offers().length]).toEqual([1, 0]);
    of.one({requires: ['os=macos']});
    expect([plain.offers().length, warm.offers().length]).toEqual([0, 0]);
  });

  test('[QU5] a task that cannot be placed holds up nobody behind it', () => {
    const {of, machine} = idle();
    of.one({requires: ['gpu=1'], priority: 1});
    const other = of.one({priority: 5});
    machine.hello();
    expect(machine.offers()).toEqual([{task: other, epoch: 1}]);
  });

  test('[QU6] no more attempts of a concurrency key are live than its limit, and the next one starts when one ends', () => {
    const {of, machine} = idle();
    const concurrency = {key: 'deploy', limit: 2, mode: 'queue'} as const;
    of.submit(Array.from({length: 4}, () => ({concurrency})));
    machine.hello(4);
    const offers = machine.offers();
    expect(offers).toHaveLength(2);
    for (const attempt of offers) machine.say({t: 'accept', ...attempt, ts: 1});
    const [first] = offers;
    if (first === undefined) throw new Error('an offer was expected');
    machine.exit(first);
    expect(machine.offers()).toHaveLength(1);
  });

  test('[QU7] cancel_in_progress ends the older task, and the newer one starts when that one has really ended', () => {
    const {of, machine} = idle();
    const concurrency = {key: 'deploy', mode: 'cancel_in_progress'} as const;
    machine.hello(2);
    const older = of.one({concurrency});
    const attempt = machine.accept();
    const skipped = of.one({concurrency});
    const newer = of.one({concurrency});
    expect(of.task(older).state).toBe('cancelling');
    expect(of.task(skipped).state).toBe('cancelled');
    expect(machine.offers()).toEqual([]);
    machine.exit(attempt, {kind: 'cancelled'});
    expect(machine.offers()).toEqual([{task: newer, epoch: 1}]);
  });

  test('[QU8] cancel_newest ends the new task while another one is unfinished', () => {
    const {of, machine} = idle();
    const concurrency = {key: 'deploy', mode: 'cancel_newest'} as const;
    machine.hello(2);
    const older = of.one({concurrency});
    expect(of.task(of.one({concurrency})).state).toBe('cancelled');
    expect(of.task(older).state).toBe('offered');
    machine.exit(machine.accept());
    expect(of.task(of.one({concurrency})).state).toBe('offered');
    expect(concurrencyOnSubmit({mode: 'cancel_in_progress', limit: 2}, ['a', 'b', 'c'])).toEqual({
      cancelSelf: false,
      cancel: ['a', 'b'],
    });
  });

  test('[QU9] no runner gets more than it stated, nor the pool more than its limit, nor anybody while it is paused or drains', () => {
    const of = new CoreWorld();
    const [one, two] = [of.machine(), of.machine()];
    one.hello(2);
    two.hello(3);
    of.submit(Array.from({length: 10}, () => ({})));
    expect([one.offers().length, two.offers().length]).toEqual([2, 3]);
    const limited = new CoreWorld();
    const machine = limited.machine();
    machine.hello(5);
    const set = (change: object): void =>
      limited.run(batch => {
        batch.changeSettings({...batch.memory.settings, ...change});
        return () => undefined;
      });
    set({max_concurrent: 2});
    limited.submit(Array.from({length: 10}, () => ({})));
    expect(machine.offers()).toHaveLength(2);
    set({max_concurrent: null, paused: true});
    limited.advance(1);
    expect(machine.offers()).toEqual([]);
    machine.set({draining: 1});
    set({paused: false});
    expect(machine.offers()).toEqual([]);
    machine.say({t: 'draining', held: 2});
    machine.set({draining: 0});
    expect(machine.offers()).toEqual([]);
    machine.renew([], 4);
    expect(machine.offers()).toHaveLength(2);
  });

  test('[QU17] an agent that asks a model goes only to runners that have it; the bundled one and commands go to any', () => {
    const of = new CoreWorld();
    const [bare, full] = [of.machine(), of.machine(['agent=codex'])];
    bare.hello(2);
    const task = of.one({agent: {driver: 'codex'}});
    expect(bare.offers()).toEqual([]);
    expect(() => of.submit([{agent: {driver: 'codex'}}], {queue: false})).toThrow('capacity_reached');
    full.hello(1);
    expect(full.offers()).toEqual([{task, epoch: 1}]);
    const command = of.one({agent: {driver: 'exec', command: ['true']}});
    expect(bare.offers()).toEqual([{task: command, epoch: 1}]);
  });

  test('[QU10] a task that waits says why, and names the label that no runner has', () => {
    const of = new CoreWorld();
    const why = (spec: object): string | null => waitingFor(of.core.memory, of.task(of.one(spec)), of.nowMs);
    expect(why({})).toBe('no runner is enrolled in this pool');
    const machine = of.machine(['os=linux']);
    expect(why({requires: ['gpu=1', 'os=linux']})).toBe('no runner has the label gpu=1');
    expect(why({agent: {driver: 'gemini'}})).toContain('has the agent gemini: install it');
    expect(why({})).toBe('no runner that matches is connected');
    of.machine(['arch=arm']);
    expect(why({requires: ['arch=arm', 'os=linux']})).toBe('no runner has all of the labels arch=arm, os=linux');
    machine.hello(0);
    expect(why({})).toBe('every runner that matches is draining');
    machine.renew([], 1);
    expect(why({})).toBe('every runner that matches is busy');
    expect(why({not_before_ms: of.nowMs + 1_000})).toMatch(/^the time 20/);
    of.run(batch => {
      batch.changeSettings({...batch.memory.settings, paused: true});
      return () => undefined;
    });
    expect(why({})).toBe('the pool is paused');
  });

  test('[QU11] the position of a task counts those that are before it', () => {
    const of = new CoreWorld();
    const ids = [3, 3, 1].map(priority => {
      of.nowMs += 1;
      return of.one({priority: priority as 1 | 3});
    });
    expect(ids.map(id => positionOf(of.sql, of.task(id)))).toEqual([2, 3, 1]);
  });

  test(
    '[QU12] adding and taking a task costs the same number of statements with 100,000 tasks waiting',
    {timeout: 240_000},
    () => {
      const {of, machine} = idle();
      machine.hello(1);
      const cycle = (): number => {
        const before = of.sql.statements();
        of.one({fairness_key: 'k3', priority: 5});
        machine.exit(machine.accept());
        return of.sql.statements() - before;
      };
      const fill = (tasks: number): void => {
        of.submit(Array.from({length: tasks}, (_, index) => ({fairness_key: `k${index % 5}`})));
      };
      fill(1_000);
      const few = Math.max(...Array.from({length: 20}, cycle));
      for (let thousand = 0; thousand < 100; thousand += 1) fill(1_000);
      of.restart();
      const costs = Array.from({length: 300}, cycle);
      // A page of a lane is read once for many tasks.
      const refills = costs.filter(cost => cost > few).length;
      expect(refills).toBeLessThan(10);
      expect(Math.max(...costs)).toBeLessThan(few + 12);
    },
  );

  test.for([
    "SELECT * FROM task WHERE state = 'queued' AND lane = 'x' ORDER BY order_key, id LIMIT 10",
    'SELECT id FROM task WHERE due_ms <= 5 ORDER BY due_ms LIMIT 5',
    'SELECT min(due_ms) AS due FROM task WHERE due_ms IS NOT NULL',
    "SELECT id FROM task WHERE conc_key = 'x' AND finished_ms IS NULL ORDER BY id",
    "SELECT needs, task FROM dependency WHERE needs IN (SELECT value FROM json_each('[]'))",
    'SELECT due_ms, id, failures, row FROM outbox WHERE due_ms <= 5 ORDER BY due_ms, id LIMIT 5',
  ])('[QU13] no scan and no sort: %s', query => {
    const of = new CoreWorld();
    const plan = of.sql.all<{detail: string}>(`EXPLAIN QUERY PLAN ${query}`).map(({detail}) => detail);
    expect(
      plan.filter(line => /SCAN (task|dependency|outbox)\b(?! USING COVERING INDEX task_due)|TEMP B-TREE/.test(line)),
    ).toEqual([]);
  });

  test('[QU14] candidates are ordered by urgency, then by turns, then by age, then by id', () => {
    const base = {level: 1, pass: 1, orderKey: 1, id: 'b'};
    for (const worse of [{level: 2}, {pass: 2}, {orderKey: 2}, {id: 'c'}]) {
      expect(compareCandidates(base, {...base, ...worse})).toBeLessThan(0);
      expect(compareCandidates({...base, ...worse}, base)).toBeGreaterThan(0);
    }
    expect(compareCandidates(base, base)).toBe(0);
  });
});
