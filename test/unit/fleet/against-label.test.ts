import {expect, test} from 'vitest';
import {againstProtocol, protocolVersions} from '@switchyard/shared/protocol/version.ts';
import {waitingFor} from '../../../worker/src/fleet/waiting-for.ts';
import {CoreWorld} from '../../fixtures/fleet-core.ts';

test('[PM26] a review against a branch goes only to a runner that understands it, and says what it waits for', () => {
  const world = new CoreWorld();
  const labels = ['agent=claude'];
  const [old, current] = [world.machine(labels), world.machine(labels)];
  old.hello(2, [], {protocols: protocolVersions.filter(version => version < againstProtocol)});
  const agent = {driver: 'claude', type: 'reviewer'} as const;
  const url = 'https://git.example/acme/app';
  const against = world.one({agent, repository: {url, base: 'topic', against: 'main'}});
  const plain = world.one({agent, repository: {url, base: 'topic'}});
  expect(old.offers().map(({task}) => task)).toEqual([plain]);
  expect(waitingFor(world.core.memory, world.task(against), world.nowMs)).toBe(
    'no connected runner that matches is new enough to tell a change against a branch: upgrade one',
  );
  current.hello(1);
  expect(current.offers().map(({task}) => task)).toEqual([against]);
});
