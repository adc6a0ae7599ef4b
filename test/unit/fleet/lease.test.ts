import {describe, expect, test} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {CoreWorld, failedResult, type TestMachine} from '../../fixtures/fleet-core.ts';

const leaseMs = limits.leaseTtlMs + limits.graceMs;

function leased(slots = 1): {world: CoreWorld; machine: TestMachine; attempt: {task: string; epoch: number}} {
  const world = new CoreWorld();
  const machine = world.machine();
  machine.hello(slots);
  world.one();
  const attempt = machine.accept();
  world.take(machine.id);
  return {world, machine, attempt};
}

describe('the lease', () => {
  test('[LP1] an offer raises the epoch before it leaves, and lasts only its time', () => {
    const world = new CoreWorld();
    const machine = world.machine();
    machine.hello();
    const id = world.one();
    expect(world.task(id)).toMatchObject({state: 'offered', epoch: 1, expires_ms: world.nowMs + limits.offerMs});
    expect(machine.offers()).toEqual([{task: id, epoch: 1}]);
    world.advance(limits.offerMs);
    expect(world.task(id).state).toBe('offered');
    world.advance(1);
    expect(world.task(id)).toMatchObject({state: 'queued', epoch: 1, failure_count: 0});
    world.advance(limits.offerMs);
    expect(world.task(id)).toMatchObject({state: 'offered', epoch: 2});
  });

  test('[LP2] a lease begins with the accept, lasts its ttl and the grace, and go echoes the stamp of the runner', () => {
    const world = new CoreWorld();
    const machine = world.machine();
    machine.hello();
    const id = world.one();
    const [offer] = machine.offers();
    world.advance(3_000);
    machine.say({t: 'accept', ...offer, ts: 424_242});
    expect(world.take(machine.id)).toEqual([{t: 'go', task: id, epoch: 1, echo: 424_242}]);
    expect(world.task(id)).toMatchObject({state: 'leased', expires_ms: world.nowMs + leaseMs, phase: 'accepted'});
  });

  test('[LP3] the same accept again is answered by go again, counted from its own stamp', () => {
    const {world, machine, attempt} = leased();
    world.advance(1_000);
    machine.say({t: 'accept', ...attempt, ts: 99});
    expect(world.take(machine.id)).toEqual([{t: 'go', ...attempt, echo: 99}]);
    expect(world.task(attempt.task).expires_ms).toBe(world.nowMs + leaseMs);
  });

  test('[LP4] a renewal extends exactly what it names', () => {
    const world = new CoreWorld();
    const machine = world.machine();
    machine.hello(2);
    world.submit([{}, {}]);
    const attempts = machine.offers();
    for (const attempt of attempts) machine.say({t: 'accept', ...attempt, ts: 1});
    const [named, forgotten] = attempts;
    if (named === undefined || forgotten === undefined) throw new Error('two offers were expected');
    world.take(machine.id);
    world.advance(30_000);
    machine.renew([named], 2);
    expect(world.take(machine.id)).toEqual([{t: 'renewed', items: [named], echo: 2}]);
    expect(world.task(named.task).expires_ms).toBe(world.nowMs + leaseMs);
    expect(world.task(forgotten.task).expires_ms).toBe(world.nowMs - 30_000 + leaseMs);
    world.advance(leaseMs - 30_000 + 1);
    expect(world.task(named.task).state).toBe('leased');
    expect(world.task(forgotten.task)).toMatchObject({state: 'pending', failure_count: 1});
  });

  test('[LP5] a lease that ran out puts the task back with a higher epoch, and the late exit of the old attempt is refused (T31)', () => {
    const {world, machine, attempt} = leased();
    world.advance(leaseMs);
    expect(world.task(attempt.task).state).toBe('leased');
    world.advance(1);
    expect(world.take(machine.id, 'gone')).toMatchObject([attempt]);
    expect(world.task(attempt.task)).toMatchObject({state: 'pending', runner: null, failure_count: 1});
    expect(world.told('log.fence')).toMatchObject([attempt]);
    world.advance(limits.retryMaxMs);
    const [again] = machine.offers();
    expect(again).toEqual({task: attempt.task, epoch: 2});
    machine.say({t: 'accept', ...again, ts: 5});
    world.take(machine.id);
    machine.exit(attempt);
    expect(world.take(machine.id)).toMatchObject([{t: 'gone', ...attempt}]);
    expect(world.task(attempt.task)).toMatchObject({state: 'leased', epoch: 2, result: null});
  });

  test('[LP18] an exit with an empty log closes it where the task goes on or a log was begun, and makes none where not', () => {
    const again = leased();
    again.machine.exit(again.attempt, failedResult);
    expect(again.world.told('log.seal')).toMatchObject([{...again.attempt, runner: again.machine.id}]);
    const begun = leased();
    begun.machine.say({t: 'renew', ts: 2, slots: {}, items: [{...begun.attempt, phase: 'running', spool_len: 9}]});
    begun.machine.exit(begun.attempt);
    expect(begun.world.told('log.seal')).toMatchObject([begun.attempt]);
    const never = leased();
    never.machine.exit(never.attempt);
    const whole = leased();
    whole.machine.exit(whole.attempt, failedResult, {log_len: 3});
    expect([...never.world.told('log.seal'), ...whole.world.told('log.seal')]).toEqual([]);
  });

  test('[LP6] an exit is taken once and acknowledged as often as it comes', () => {
    const {world, machine, attempt} = leased();
    machine.exit(attempt);
    machine.exit(attempt, failedResult);
    world.restart();
    machine.exit(attempt);
    expect(world.take(machine.id).map(({t}) => t)).toEqual(['exit_ack', 'exit_ack', 'exit_ack']);
    expect(world.task(attempt.task).state).toBe('succeeded');
    machine.renew([attempt]);
    expect(world.take(machine.id).map(({t}) => t)).toEqual(['exit_ack', 'renewed']);
  });

  const stale = [
    {name: 'accept', message: {t: 'accept', ts: 1}},
    {name: 'renew', message: {t: 'renew', ts: 1, slots: {default: 1}, items: []}},
    {name: 'phase', message: {t: 'phase', seq: 1, phase: 'running', detail: ''}},
    {name: 'event', message: {t: 'event', seq: 1, kind: 'note', data: 1}},
    {name: 'input_ack', message: {t: 'input_ack', seq: 1, delivered: true}},
    {name: 'exit', message: {t: 'exit', exit: {ok: false, why: 'bad_signature'}}},
  ] as const;

  test.for(
    stale.flatMap(row => [
      {...row, kind: 'a lower epoch', ref: (task: string) => ({task, epoch: 1})},
      {...row, kind: 'a higher epoch', ref: (task: string) => ({task, epoch: 3})},
    ]),
  )('[LP7] $name with $kind is answered by gone, counted, and changes nothing', ({name, message, ref}) => {
    const {world, machine, attempt} = leased();
    world.advance(leaseMs + 1);
    world.advance(limits.retryMaxMs);
    machine.accept();
    world.take(machine.id);
    const before = world.task(attempt.task);
    const of = ref(attempt.task);
    const items = name === 'renew' ? {items: [{...of, phase: 'running', spool_len: 0}]} : of;
    machine.say({...message, ...items});
    expect(world.take(machine.id, 'gone')).toMatchObject([of]);
    expect(world.task(attempt.task)).toEqual(before);
    expect(world.core.refused[`${name}.gone`]).toBe(1);
  });

  test('[LP7] an attempt of another runner, and a task that never was, are gone', () => {
    const {world, attempt} = leased();
    const other = world.machine();
    other.hello(0);
    world.take(other.id);
    other.exit(attempt);
    other.exit({task: world.unknownTask(), epoch: 1});
    expect(world.take(other.id).map(({t}) => t)).toEqual(['gone', 'gone']);
    expect(world.task(attempt.task).state).toBe('leased');
  });

  test('[LP8] a reject that may pass puts the task back, burns nothing, and that runner is left alone for a while', () => {
    const world = new CoreWorld();
    const machine = world.machine();
    machine.hello();
    const id = world.one();
    const [offer] = machine.offers();
    machine.say({t: 'reject', ...offer, code: 'disk_full', detail: 'no space', retryable: true});
    expect(world.task(id)).toMatchObject({state: 'queued', failure_count: 0});
    expect(machine.offers()).toEqual([]);
    world.advance(limits.offerMs);
    expect(machine.offers()).toEqual([{task: id, epoch: 2}]);
  });

  test('[LP8] a reject that cannot pass fails the task with its reason', () => {
    const world = new CoreWorld();
    const machine = world.machine();
    machine.hello();
    const id = world.one();
    const [offer] = machine.offers();
    machine.say({t: 'reject', ...offer, code: 'policy_refused', detail: 'not here', retryable: false});
    expect(world.task(id).state).toBe('failed');
    expect(JSON.parse(world.task(id).failures)).toMatchObject([{code: 'policy_refused', detail: 'not here', epoch: 1}]);
    machine.say({t: 'reject', ...offer, code: 'policy_refused', detail: 'again', retryable: false});
    expect(world.core.refused['reject.not-offered']).toBe(1);
  });

  test('[LP9] silence and a lost connection change nothing before the lease runs out', () => {
    const {world, machine, attempt} = leased();
    machine.set({connection: null});
    world.advance(leaseMs);
    expect(world.task(attempt.task).state).toBe('leased');
    machine.hello(1, [{...attempt, phase: 'running', spool_len: 0} as never]);
    expect(world.task(attempt.task)).toMatchObject({state: 'leased', epoch: 1, expires_ms: world.nowMs + leaseMs});
  });

  test('[LP10] an exit that cannot be taken is told why, and the attempt goes on', () => {
    const {world, machine, attempt} = leased();
    for (const why of ['log_incomplete', 'bad_signature', 'invalid'] as const)
      machine.say({t: 'exit', ...attempt, exit: {ok: false, why}});
    expect(world.take(machine.id)).toEqual(
      ['log_incomplete', 'bad_signature', 'invalid'].map(why => ({t: 'exit_nack', ...attempt, why})),
    );
    expect(world.task(attempt.task).state).toBe('leased');
  });
});
