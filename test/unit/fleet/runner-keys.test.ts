import {expect, test} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {HeldAttempt} from '@switchyard/shared/protocol/attempt-message.ts';
import {checkRunner, endOldKeys, keysOf, nextKeyEndMs, rotateKey} from '../../../worker/src/fleet/runner-keys.ts';
import type {RunnerRow} from '../../../worker/src/fleet/runner-row.ts';
import {CoreWorld, type TestMachine} from '../../fixtures/fleet-core.ts';

function rowOf(world: CoreWorld, {id}: TestMachine): RunnerRow {
  const row = world.core.memory.runners.get(id)?.row;
  if (row === undefined) throw new Error('no runner');
  return row;
}

function rotate(world: CoreWorld, machine: TestMachine, oldX: string, newX: string): RunnerRow {
  return world.run(batch => {
    const next = rotateKey(batch, rowOf(world, machine), {oldX, newX});
    return () => next;
  });
}

test('[RK1] a new key is good at once, the one before it for the overlap and not a millisecond longer', () => {
  const world = new CoreWorld();
  const machine = world.machine();
  machine.hello(1);
  world.take(machine.id);
  rotate(world, machine, 'x', 'y');
  expect(world.take(machine.id)).toEqual([{t: 'rotate', x: 'y'}]);
  const endMs = world.nowMs + limits.keyOverlapMs;
  world.restart();
  expect(nextKeyEndMs(world.core.memory)).toBe(endMs);
  expect(keysOf(rowOf(world, machine), endMs - 1)).toEqual(['y', 'x']);
  expect(keysOf(rowOf(world, machine), endMs)).toEqual(['y']);
  const check = (x: string, atMs: number) => () => checkRunner(rowOf(world, machine), x, atMs).id;
  expect(check('y', world.nowMs)()).toBe(machine.id);
  expect(check('x', endMs - 1)()).toBe(machine.id);
  expect(check('x', endMs)).toThrow('not enrolled with this key');
  expect(check('z', world.nowMs)).toThrow('not enrolled with this key');
});

test('[RK2] only the current key names its successor, and the same rotation comes again at any time', () => {
  const world = new CoreWorld();
  const machine = world.machine();
  const first = rotate(world, machine, 'x', 'y');
  expect(() => rotate(world, machine, 'x', 'z')).toThrow('replaced by another one');
  world.advance(limits.keyOverlapMs * 2);
  expect(rotate(world, machine, 'x', 'y')).toEqual(first);
  expect(rotate(world, machine, 'y', 'z')).toMatchObject({x: 'z', previous_x: 'y'});
});

test('[RK3] when the overlap is over the standing session is ended once, and what it holds is not touched', () => {
  const world = new CoreWorld();
  const machine = world.machine();
  machine.hello(1);
  rotate(world, machine, 'x', 'y');
  const step = (): void =>
    world.run(batch => {
      endOldKeys(batch);
      return () => undefined;
    });
  world.advance(limits.keyOverlapMs - 1);
  const id = world.one();
  const attempt = machine.accept();
  step();
  expect(world.closed).toEqual([]);
  world.nowMs += 1;
  step();
  step();
  expect(world.closed).toMatchObject([{runner: machine.id, code: 4401}]);
  expect(rowOf(world, machine)).toMatchObject({x: 'y', previous_x: null, connection: null});
  machine.hello(1, [{...attempt, phase: 'running', spool_len: 0} as HeldAttempt]);
  expect(world.take(machine.id, 'welcome')[0]?.verdicts).toMatchObject([{verdict: 'keep'}]);
  expect(world.task(id)).toMatchObject({state: 'leased', epoch: 1});
});

test('[RK4] a revocation refuses both keys, and a revoked runner gets no new one', () => {
  const world = new CoreWorld();
  const machine = world.machine();
  rotate(world, machine, 'x', 'y');
  machine.set({revoked_ms: 1});
  for (const x of ['x', 'y']) expect(() => checkRunner(rowOf(world, machine), x, world.nowMs)).toThrow('was revoked');
  expect(() => rotate(world, machine, 'y', 'z')).toThrow('was revoked');
});
