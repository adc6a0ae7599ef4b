import {expect, test} from 'vitest';
import {modelsProtocol, protocolVersions} from '@switchyard/shared/protocol/version.ts';
import {waitingFor} from '../../../worker/src/fleet/waiting-for.ts';
import {CoreWorld} from '../../fixtures/fleet-core.ts';

test('[EM6] a task whose command asks models goes only to a runner that understands it, and says what it waits for', () => {
  const world = new CoreWorld();
  const [old, current] = [world.machine(), world.machine()];
  old.hello(2, [], {protocols: protocolVersions.filter(version => version < modelsProtocol)});
  const asking = world.one({agent: {driver: 'exec', command: ['true'], models: ['openai']}});
  const plain = world.one({agent: {driver: 'exec', command: ['true']}});
  expect(old.offers().map(({task}) => task)).toEqual([plain]);
  expect(waitingFor(world.core.memory, world.task(asking), world.nowMs)).toBe(
    'no connected runner that matches is new enough to open models to its command: upgrade one',
  );
  current.hello(1);
  expect(current.offers().map(({task}) => task)).toEqual([asking]);
});
