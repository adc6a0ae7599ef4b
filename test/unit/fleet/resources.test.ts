import {expect, test} from 'vitest';
import {specOf} from '../../../worker/src/fleet/spec-row.ts';
import {taskView} from '../../../worker/src/fleet/views.ts';
import {CoreWorld} from '../../fixtures/fleet-core.ts';

const use = {rss_bytes: 5, processes: 1, cpu_ms: 200, rss_bytes_max: 20, processes_max: 5};
const machineSays = {t: 'metrics', load1: 0, memory_free_bytes: 1, disk_free_bytes: 1, rss_bytes: 1};

test('[BG34] a task shows what its runner told last of the attempt, then what the record of the exit says', () => {
  const world = new CoreWorld();
  const machine = world.machine();
  machine.hello(2);
  const [id, other] = [world.one(), world.one()];
  const shown = (task: string) => taskView(world.core.sight(), world.task(task), specOf(world.sql, task));
  for (const of of machine.offers()) machine.say({t: 'accept', ...of, ts: 1});
  expect(shown(id).resources).toBeNull();
  machine.say({...machineSays, attempts: [{task: id, epoch: 1, ...use}]});
  expect(shown(id)).toMatchObject({result: null, resources: use});
  expect(shown(other).resources).toBeNull();
  expect(world.core.memory.metrics.get(machine.id)).not.toHaveProperty('attempts');
  machine.exit({task: id, epoch: 1}, {kind: 'succeeded'}, {resources: {...use, rss_bytes: 0, processes: 0}});
  expect(shown(id)).toMatchObject({result: {log_bytes: 0}, resources: {rss_bytes: 0, rss_bytes_max: 20}});
  expect(shown(id).result).not.toHaveProperty('resources');
  machine.exit({task: other, epoch: 1});
  expect(shown(other).resources).toBeNull();
});
