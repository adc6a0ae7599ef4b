import {expect, test} from 'vitest';
import {memoryProtocol, protocolVersions} from '@switchyard/shared/protocol/version.ts';
import {runnerView} from '../../../worker/src/fleet/views.ts';
import {waitingFor} from '../../../worker/src/fleet/waiting-for.ts';
import {CoreWorld} from '../../fixtures/fleet-core.ts';

const older = protocolVersions.filter(version => version < memoryProtocol);

test('[BG41] a task that limits its memory goes only to a runner that understands it, and says what it waits for', () => {
  const world = new CoreWorld();
  const [old, current] = [world.machine(), world.machine()];
  old.hello(2, [], {protocols: older});
  const limited = world.one({memory_bytes_max: 100_000_000});
  const plain = world.one();
  expect(old.offers().map(({task}) => task)).toEqual([plain]);
  expect(waitingFor(world.core.memory, world.task(limited), world.nowMs)).toBe(
    'no connected runner that matches is new enough to limit its memory: upgrade one',
  );
  current.hello(1);
  expect(current.offers().map(({task}) => task)).toEqual([limited]);
});

test('[BG41] what a runner understands is no label of it that people see', () => {
  const world = new CoreWorld();
  const machine = world.machine(['os=linux']);
  machine.hello(1);
  const runner = world.core.memory.runners.get(machine.id);
  expect(runner?.labels.has('switchyard=memory')).toBe(true);
  expect(
    runner && runnerView({memory: world.core.memory}, runner).labels.filter(label => label.startsWith('switchyard=')),
  ).toEqual([]);
});
