import {describe, expect, test} from 'vitest';
import {interruptProtocol, protocolVersions} from '@switchyard/shared/protocol/version.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {retryDelayMs} from '@switchyard/shared/domain/retry.ts';
import {cancelTask} from '../../../worker/src/fleet/cancel.ts';
import {takeMessage} from '../../../worker/src/fleet/messages.ts';
import {CoreWorld, failedResult, type TestMachine} from '../../fixtures/fleet-core.ts';

function world(slots = 1): {world: CoreWorld; machine: TestMachine} {
  const made = new CoreWorld();
  const machine = made.machine();
  machine.hello(slots);
  made.take(machine.id);
  return {world: made, machine};
}

function cancel(of: CoreWorld, id: string): void {
  of.run(batch => {
    const row = batch.task(id);
    if (row === undefined) throw new Error('no task');
    cancelTask(batch, row, {reason: 'enough', grace_ms: 10});
    return () => undefined;
  });
}

describe('the life of a task', () => {
  test('[TK1] a failure is tried again after a jittered delay, until the attempts are spent and the last failures are kept', () => {
    const {world: of, machine} = world();
    const id = of.one({attempts_max: 4});
    const states = [1, 2, 3, 4].map(epoch => {
      const attempt = machine.accept();
      expect(attempt).toEqual({task: id, epoch});
      machine.exit(attempt, {...failedResult, detail: `failure ${epoch}`} as never);
      const {state} = of.task(id);
      of.advance(limits.retryMaxMs);
      return state;
    });
    expect(states).toEqual(['pending', 'pending', 'pending', 'dead']);
    const row = of.task(id);
    expect(row).toMatchObject({state: 'dead', failure_count: 4, epoch: 4});
    const failures = JSON.parse(row.failures) as {detail: string; epoch: number; hint: string}[];
    expect(failures.map(({detail}) => detail)).toEqual(['failure 2', 'failure 3', 'failure 4']);
    expect(failures.every(({hint}) => hint.length > 0)).toBe(true);
  });

  test('[TK2] a failure that would come again is not tried again', () => {
    const {world: of, machine} = world();
    const id = of.one();
    machine.exit(machine.accept(), {kind: 'failed', code: 'repository_invalid', detail: 'no', retryable: false});
    expect(of.task(id)).toMatchObject({state: 'failed', failure_count: 1});
  });

  test.for([
    {result: {kind: 'timed_out'}, state: 'timed_out'},
    {result: {kind: 'cancelled'}, state: 'cancelled'},
    {result: {kind: 'succeeded'}, state: 'succeeded'},
  ] as const)('[TK3] an exit $result.kind ends the task as $state', ({result, state}) => {
    const {world: of, machine} = world();
    const id = of.one();
    machine.exit(machine.accept(), result);
    expect(of.task(id)).toMatchObject({state, finished_ms: of.nowMs, expires_ms: null, phase: null});
  });

  test('[TK4] an interrupted attempt goes back to its place in the queue and burns nothing', () => {
    const {world: of, machine} = world();
    const id = of.one();
    const queuedMs = of.task(id).queued_ms;
    const attempt = machine.accept();
    of.nowMs += 1_000;
    machine.exit(attempt, {kind: 'interrupted', detail: 'the runner stops'});
    expect(of.task(id)).toMatchObject({failure_count: 0, queued_ms: queuedMs});
    expect(machine.offers()).toEqual([{task: id, epoch: 2}]);
  });

  test('[TK5] the delay is random below a doubling window, and never below what was asked for', () => {
    expect(retryDelayMs(0, () => 0)).toBe(0);
    for (const [failures, windowMs] of [
      [0, 5_000],
      [1, 10_000],
      [3, 40_000],
      [20, limits.retryMaxMs],
    ] as const) {
      expect(retryDelayMs(failures, () => 0.999_999)).toBe(windowMs - 1);
      expect(retryDelayMs(failures, () => 0.5)).toBe(windowMs / 2);
    }
    expect(retryDelayMs(0, () => 0.5, 60_000)).toBe(60_000);
    expect(retryDelayMs(0, () => 0.5, 1e12)).toBe(86_400_000);
  });

  test('[TK6] a task that nobody holds is cancelled at once; one that is held ends with its exit, whatever that says (T1)', () => {
    const {world: of, machine} = world();
    const held = of.one();
    const waiting = of.one();
    const attempt = machine.accept();
    cancel(of, waiting);
    expect(of.task(waiting).state).toBe('cancelled');
    cancel(of, held);
    cancel(of, held);
    expect(of.take(machine.id, 'cancel')).toEqual(
      [1, 2].map(() => ({t: 'cancel', ...attempt, reason: 'enough', grace_ms: 10})),
    );
    expect(of.task(held).state).toBe('cancelling');
    machine.exit(attempt, {kind: 'succeeded', summary: 'too late'});
    expect(of.task(held).state).toBe('cancelled');
    cancel(of, held);
    expect(of.task(held).state).toBe('cancelled');
  });

  test('[TK7] a cancelled task whose runner is never heard again ends when the lease runs out', () => {
    const {world: of, machine} = world();
    const id = of.one();
    machine.accept();
    cancel(of, id);
    of.advance(limits.leaseTtlMs + limits.graceMs + 1);
    expect(of.task(id).state).toBe('cancelled');
  });

  test('[TK8] an offered task that is cancelled is gone for its runner, and a late accept starts nothing', () => {
    const {world: of, machine} = world();
    const id = of.one();
    const [offer] = machine.offers();
    cancel(of, id);
    machine.say({t: 'accept', ...offer, ts: 1});
    expect(of.take(machine.id).map(({t}) => t)).toEqual(['gone', 'gone']);
    expect(of.task(id)).toMatchObject({state: 'cancelled', epoch: 1});
  });

  test('[TK9] a task waits for its time and fails when its deadline passes first', () => {
    const {world: of, machine} = world();
    const later = of.one({not_before_ms: of.nowMs + 60_000});
    const hopeless = of.one({requires: ['gpu=1'], deadline_ms: of.nowMs + 30_000});
    expect(of.task(later).state).toBe('pending');
    of.advance(30_000);
    expect(of.task(hopeless)).toMatchObject({state: 'failed', finished_ms: of.nowMs});
    expect(JSON.parse(of.task(hopeless).failures)).toMatchObject([{code: 'deadline_passed'}]);
    of.advance(29_999);
    expect(machine.offers()).toEqual([]);
    of.advance(1);
    expect(machine.offers()).toEqual([{task: later, epoch: 1}]);
  });

  test('[TK10] a task waits until all it depends on has succeeded', () => {
    const {world: of, machine} = world(2);
    const first = of.one();
    const second = of.one();
    const third = of.one({depends_on: [first, second] as never});
    const [one, two] = machine.offers();
    if (one === undefined || two === undefined) throw new Error('two offers were expected');
    for (const attempt of [one, two]) machine.say({t: 'accept', ...attempt, ts: 1});
    machine.exit(one);
    expect(of.task(third)).toMatchObject({state: 'pending', unmet: 1});
    machine.exit(two);
    expect(machine.offers()).toEqual([{task: third, epoch: 1}]);
    expect(of.task(of.one({depends_on: [first] as never})).state).not.toBe('pending');
  });

  test('[TK11] a dependency that ends otherwise fails those that wait for it, and those that wait for them', () => {
    const {world: of, machine} = world();
    const first = of.one();
    const second = of.one({depends_on: [first] as never});
    const third = of.one({depends_on: [second] as never});
    machine.exit(machine.accept(), {kind: 'failed', code: 'checks_failed', detail: 'red', retryable: false});
    for (const id of [second, third]) {
      expect(of.task(id).state).toBe('failed');
      expect(JSON.parse(of.task(id).failures)).toMatchObject([{code: 'dependency_failed'}]);
    }
    expect(of.task(of.one({depends_on: [first] as never})).state).toBe('failed');
    expect(() => of.one({depends_on: [of.unknownTask()] as never})).toThrow('there is no task');
  });

  test('[TK12] a message is kept until an agent takes it, and sent to the attempt that runs', () => {
    const {world: of, machine} = world();
    const id = of.one();
    const send = (text: string): number =>
      of.run(batch => {
        const row = batch.task(id);
        if (row === undefined) throw new Error('no task');
        const seq = takeMessage(batch, row, {text});
        return () => seq;
      });
    expect(send('before')).toBe(1);
    const attempt = machine.accept();
    expect(of.take(machine.id, 'input')).toEqual([]);
    machine.say({t: 'phase', ...attempt, seq: 1, phase: 'running', detail: ''});
    expect(of.take(machine.id, 'input')).toEqual([{t: 'input', ...attempt, seq: 1, data: 'before'}]);
    expect(send('now')).toBe(2);
    expect(of.take(machine.id, 'input')).toEqual([{t: 'input', ...attempt, seq: 2, data: 'now'}]);
    machine.say({t: 'input_ack', ...attempt, seq: 1, delivered: true});
    machine.say({t: 'input_ack', ...attempt, seq: 1, delivered: true});
    expect(of.task(id).messages_open).toBe(1);
    machine.hello(1, [{...attempt, phase: 'running', spool_len: 0} as never]);
    expect(of.take(machine.id, 'input')).toMatchObject([{seq: 2}]);
    machine.exit(attempt);
    expect(() => send('too late')).toThrow('already_finished');
  });

  test('[TK16] a message that interrupts says so to a runner that understands it', () => {
    const {world: of, machine} = world();
    const id = of.one();
    const say = (): number =>
      of.run(batch => {
        const row = batch.task(id);
        if (row === undefined) throw new Error('no task');
        const seq = takeMessage(batch, row, {text: 'stop that', interrupt: true});
        return () => seq;
      });
    const attempt = machine.accept();
    machine.say({t: 'phase', ...attempt, seq: 1, phase: 'running', detail: ''});
    say();
    expect(of.take(machine.id, 'input')).toEqual([
      {t: 'input', ...attempt, seq: 1, data: 'stop that', interrupt: true},
    ]);
    machine.hello(1, [{...attempt, phase: 'running', spool_len: 0} as never]);
    expect(of.take(machine.id, 'input')).toMatchObject([{seq: 1, interrupt: true}]);
    const protocols = protocolVersions.filter(version => version < interruptProtocol);
    machine.hello(1, [{...attempt, phase: 'running', spool_len: 0} as never], {protocols});
    expect(of.take(machine.id, 'input')).toEqual([{t: 'input', ...attempt, seq: 1, data: 'stop that'}]);
  });

  test('[TK13] phases and events are kept once, in order, and overtaken ones change nothing', () => {
    const {world: of, machine} = world();
    const id = of.one();
    const attempt = machine.accept();
    const before = of.task(id).events;
    for (const [seq, phase] of [
      [1, 'preparing'],
      [3, 'running'],
      [2, 'preparing'],
      [3, 'running'],
    ] as const)
      machine.say({t: 'phase', ...attempt, seq, phase, detail: 'x'});
    for (const seq of [1, 2, 2]) machine.say({t: 'event', ...attempt, seq, kind: 'tool', data: {n: seq}});
    expect(of.task(id)).toMatchObject({phase: 'running', events: before + 4});
    const events = of.sql.all<{kind: string}>(
      'SELECT kind FROM task_event WHERE task = ? AND seq > ? ORDER BY seq',
      id,
      before,
    );
    expect(events.map(({kind}) => kind)).toEqual(['phase', 'phase', 'agent.tool', 'agent.tool']);
  });

  test('[TK14] a pool that stops on failure offers nothing until somebody clears the latch (T25)', () => {
    const {world: of, machine} = world();
    const set = (change: object): void =>
      of.run(batch => {
        batch.changeSettings({...batch.memory.settings, ...change});
        return () => undefined;
      });
    set({stop_on_failure: true});
    of.submit([{}, {}]);
    machine.exit(machine.accept(), {kind: 'timed_out'});
    of.restart();
    of.advance(1);
    expect(of.core.memory.settings.latched).toBe(true);
    expect(machine.offers()).toEqual([]);
    set({latched: false});
    expect(machine.offers()).toHaveLength(1);
  });

  test('[TK15] every attempt that ended leaves one row for the history, and a log that may have viewers is finished', () => {
    const {world: of, machine} = world();
    const id = of.one();
    machine.exit(machine.accept(), failedResult);
    of.advance(limits.retryMaxMs);
    machine.exit(machine.accept(), {kind: 'succeeded'}, {log_len: 5});
    const rows = of.sql
      .all<{row: string}>('SELECT row FROM outbox ORDER BY id')
      .map(({row}) => JSON.parse(row) as object);
    expect(rows).toMatchObject([
      {kind: 'history.attempt', task: id, epoch: 1, outcome: 'failed', code: 'agent_failed', task_state: 'pending'},
      // An exit without a byte of log has nobody else to seal it.
      {kind: 'log.seal', task: id, epoch: 1},
      {kind: 'log.finish', task: id, state: 'succeeded'},
      {kind: 'history.attempt', task: id, epoch: 2, outcome: 'succeeded', task_state: 'succeeded', log_bytes: 5},
    ]);
  });
});
