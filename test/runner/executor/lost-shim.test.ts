import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {isAlive} from '../../../runner/src/executor/process-identity.ts';
import {readAll, readUntil} from '../../contract/executor-contract.ts';
import {cgroupBase, hostPlace, machine} from './host-harness.ts';

test.for([
  {held: 'cgroup', base: cgroupBase},
  {held: 'group', base: undefined},
])('[EX28] the log of an agent that outlives its shim ends with its last byte ($held)', async ({base}) => {
  await using place = await hostPlace({cgroupBase: base});
  const {plan, runDir} = place.attempt(['/bin/sh', '-c', 'while :; do echo more; sleep 0.005; done']);
  await place.executor.launch(plan, runDir);
  await readUntil(place.executor, runDir, 'more');
  const before = await place.executor.status(runDir);
  if (before.state !== 'running' || before.agent === undefined) throw new Error(`expected an agent: ${before.state}`);
  process.kill(before.shim.pid, 'SIGKILL');
  const log = await readAll(place.executor, runDir);
  expect(isAlive(before.agent, machine)).toBe(false);
  expect(log).toBe(await readFile(join(runDir, 'out'), 'utf8'));
  expect(await place.executor.status(runDir)).toMatchObject({state: 'lost', why: 'shim_died'});
});
