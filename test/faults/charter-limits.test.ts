import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {deleteBudget, listBudgets, overrideBudget, putBudget} from '@switchyard/shared/api/budget-contracts.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {findCgroupBase} from '../../runner/src/executor/cgroup.ts';
import {runCli} from '../fixtures/cli.ts';
import {Bed, patientLease, type RunnerProcess} from '../fixtures/installation.ts';

const charter = `name: night-shift
resourceLimits:
  memory: 280MB
  tokenBudget: {subscription: 80%, api: 20%, daily: 500000}
`;

let bed: Bed;
let runner: RunnerProcess;
beforeAll(async () => {
  bed = await Bed.start({lease: patientLease});
  const directory = join(bed.folder, 'runner', 'runner');
  mkdirSync(directory, {recursive: true, mode: 0o700});
  writeFileSync(join(directory, 'charter.yaml'), charter);
  runner = await bed.runner('runner');
});
afterAll(async () => bed.stop());

/** Holds so much memory until it is ended. */
const holding = (bytes: number): TaskSpecInput => ({
  prompt: 'hold it',
  agent: {
    driver: 'exec',
    command: [process.execPath, '-e', `const held = Buffer.alloc(${bytes}, 1); setInterval(() => held, 1000)`],
  },
  attempts_max: 1,
});

test('[BG42] the charter of a real runner shares the budget of the pool out, and an override of a share has an end', async () => {
  const limitsOf = async (): Promise<Record<string, number | null>> =>
    Object.fromEntries((await bed.client.call(listBudgets, {})).budgets.map(({id, limits}) => [id, limits.tokens]));
  const own = {
    [`charter.daily.${runner.id}`]: 500_000,
    [`charter.daily.${runner.id}.subscription`]: 400_000,
    [`charter.daily.${runner.id}.api`]: 100_000,
  };
  await expect.poll(limitsOf, {timeout: 20_000}).toEqual(own);
  await bed.client.call(putBudget, {params: {budget: 'all'}, body: {period: 'month', tokens_max: 1_000_000}});
  const shares = {[`all.${runner.id}.subscription`]: 800_000, [`all.${runner.id}.api`]: 200_000};
  expect(await limitsOf()).toEqual({...own, all: 1_000_000, ...shares});
  const budget = `all.${runner.id}.api`;
  const body = {for_ms: 60_000, why: 'release day', tokens_max: 300_000};
  const overridden = await bed.client.call(overrideBudget, {params: {budget}, body});
  expect(overridden).toMatchObject({
    id: budget,
    source: 'api',
    runner: runner.id,
    override: {limits: {tokens: 300_000}},
  });
  await expect(bed.client.call(deleteBudget, {params: {budget}})).rejects.toMatchObject({code: 'invalid_request'});
  await bed.client.call(deleteBudget, {params: {budget: 'all'}});
  expect(await limitsOf()).toEqual(own);
});

test('[BG39] an attempt that holds more than the charter of its machine, or its own task, allows is ended and says whose limit it was', async () => {
  const [large, narrow] = await Promise.all([
    bed.submit(holding(400_000_000)),
    bed.submit({...holding(200_000_000), memory_bytes_max: 150 * 1_048_576}),
  ]);
  const ends = [
    [large.id, '280 MiB by the charter of this machine'],
    [narrow.id, '150 MiB by the task'],
  ] as const;
  for (const [id, limit] of ends) {
    const task = await bed.finished(id, 120_000);
    expect(task, await bed.log(id)).toMatchObject({state: 'dead', failures: [{code: 'agent_runaway'}]});
    expect(task.failures[0]?.detail).toMatch(new RegExp(`^killed by memory: its processes .*, at most ${limit}$`));
  }
});

test('[CA36] which limits hold, and by what, is said with the charter and by the doctor', async () => {
  const cli = async (args: readonly string[]) =>
    runCli([...args, '--state', join(bed.folder, 'runner')], {home: bed.folder});
  const which = await cli(['charter', 'which']);
  const memory = /^memory of each attempt: 280 MiB by the charter of this machine \(held (?:at once|by a look)/m;
  expect(which.stderr).toMatch(memory);
  expect(which.stderr).toContain(
    'tokens: subscription 80 % of each budget, api 20 % of each budget, 500000 tokens a day',
  );
  const {limits} = JSON.parse((await cli(['charter', 'which', '--json'])).stdout) as {limits: object};
  expect(limits).toMatchObject([{heldBy: expect.stringMatching(/^(?:cgroup|samples)$/)}, {heldBy: 'budgets'}]);
  expect((await cli(['doctor'])).stdout).toMatch(/limits +memory of each attempt: 280 MiB by the charter/);
});

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);
const hasCgroups = (await findCgroupBase()) !== undefined;

test.skipIf(!hasCgroups)(
  `[EX44] a runner that stops leaves no place for cgroups behind where nothing runs on${hasCgroups ? '' : ' (skipped: no writable cgroup v2 on this machine)'}`,
  async () => {
    // What is there already is found as it is.
    const base = await findCgroupBase(`switchyard-${hash(join(bed.folder, 'runner', 'runner'))}`);
    expect(existsSync(join(base ?? '', 'cgroup.procs'))).toBe(true);
    await runner.kill('SIGINT');
    expect(existsSync(base ?? '/')).toBe(false);
  },
);
