import {mkdir, readFile, rmdir} from 'node:fs/promises';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {attemptLabel} from '../../../runner/src/executor/attempt-name.ts';
import {createCgroup, cgroupOf, removeEmptyCgroup} from '../../../runner/src/executor/cgroup.ts';
import {readMeta} from '../../../runner/src/executor/run-directory.ts';
import {readUntil} from '../../contract/executor-contract.ts';
import {agent, cgroupBase, hostPlace} from './host-harness.ts';

test('[EX30] the cgroup of an attempt is written down before it is made', async () => {
  // Nothing can be made there, as when the runner is killed at this moment.
  const base = '/dev/null/cgroups';
  await using place = await hostPlace({cgroupBase: base});
  const {plan, runDir} = place.attempt(agent('prints'));
  await expect(place.executor.launch(plan, runDir)).rejects.toMatchObject({code: 'ENOTDIR'});
  expect(await readMeta(runDir)).toMatchObject({cgroup: join(base, attemptLabel(plan.attempt))});
});

test.skipIf(cgroupBase === undefined)('[EX31] a cgroup is removed as empty only when it is', async () => {
  await using place = await hostPlace({cgroupBase});
  const {plan, runDir} = place.attempt(agent('hangs'));
  await place.executor.launch(plan, runDir);
  await readUntil(place.executor, runDir, 'ready');
  const busy = cgroupOf(cgroupBase ?? '', plan.attempt);
  expect(await removeEmptyCgroup(busy.path)).toBe(false);
  expect(await readFile(join(busy.agentPath, 'cgroup.procs'), 'utf8')).not.toBe('');
  const empty = cgroupOf(cgroupBase ?? '', {...plan.attempt, epoch: 2});
  onTestFinished(() => rmdir(empty.path));
  await createCgroup(empty);
  expect(await removeEmptyCgroup(empty.path)).toBe(true);
  await expect(mkdir(empty.path)).resolves.toBeUndefined();
});
