import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {cancelTask, getTask} from '@switchyard/shared/api/task-contracts.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {Bed, patientLease} from '../fixtures/installation.ts';

const memoryBytesMax = 150_000_000;

let bed: Bed;
beforeAll(async () => {
  bed = await Bed.start({lease: patientLease});
  const directory = join(bed.folder, 'runner', 'runner');
  mkdirSync(directory, {recursive: true, mode: 0o700});
  const policy = {version: 1, attempts: {memory_bytes_max: memoryBytesMax}};
  writeFileSync(join(directory, 'policy.json'), JSON.stringify(policy));
  await bed.runner('runner');
});
afterAll(async () => bed.stop());

/** A shell with a child that holds so much memory until it is ended. */
const holding = (bytes: number): TaskSpecInput => {
  const script = `const held = Buffer.alloc(${bytes}, 1); setInterval(() => held, 1000)`;
  return {
    prompt: 'hold it',
    agent: {driver: 'exec', command: ['/bin/sh', '-c', `"${process.execPath}" -e "${script}"; exit $?`]},
    attempts_max: 1,
  };
};

test('[BG33] an attempt that holds more memory than its machine allows is ended, and the reason is kept with the task', async () => {
  const {id} = await bed.submit(holding(400_000_000));
  const task = await bed.finished(id, 120_000);
  expect(task, await bed.log(id)).toMatchObject({state: 'dead', failures: [{code: 'agent_runaway'}]});
  expect(task.failures[0]?.detail).toMatch(
    /^killed by memory: its processes .*, at most 143 MiB by policy\.json of this machine$/,
  );
  expect(await bed.log(id)).toContain('killed by memory');
});

test('[BG34] one that holds less is let be, and what it uses is shown while it runs and afterwards', async () => {
  const {id} = await bed.submit(holding(20_000_000));
  const now = async () => (await bed.client.call(getTask, {params: {task: id}})).resources;
  // The first look may come before it holds anything.
  const holds = async (): Promise<boolean> => {
    const {processes, rss_bytes: rssBytes} = (await now()) ?? {processes: 0, rss_bytes: 0};
    return processes === 2 && rssBytes > 20_000_000;
  };
  await expect.poll(holds, {timeout: 120_000, interval: 250}).toBe(true);
  await bed.client.call(cancelTask, {params: {task: id}, body: {}});
  const task = await bed.finished(id, 120_000);
  expect(task, await bed.log(id)).toMatchObject({state: 'cancelled', resources: {processes: 0, processes_max: 2}});
});
