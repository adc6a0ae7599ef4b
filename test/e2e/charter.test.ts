import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {listRunners} from '@switchyard/shared/api/runner-contracts.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {runCli, startCli} from '../fixtures/cli.ts';
import {Bed, patientLease, type RunnerProcess} from '../fixtures/installation.ts';
import {until} from '../fixtures/until.ts';

let bed: Bed;
let runner: RunnerProcess;
let path: string;

beforeAll(async () => {
  bed = await Bed.start({lease: patientLease});
  mkdirSync(join(bed.folder, 'orchestrator-daemon'));
  path = join(bed.folder, 'orchestrator-daemon', 'orchestrator-charter.yaml');
  writeFileSync(path, 'name: night-shift\nresourceLimits: {maxSessions: 1}\n');
  runner = await bed.runner('runner', {slots: 4});
});
afterAll(async () => bed.stop());

const state = (): string => join(bed.folder, 'runner');
const cli = async (args: readonly string[], env = {}): ReturnType<typeof runCli> =>
  runCli([...args, '--state', state()], {home: bed.folder, env});

test('[CA22] the charter of an older daemon is found in its place, and every command names it', async () => {
  const said = `the charter night-shift is in force: ${path}`;
  await until('its word about the charter', () => runner.lines().some(line => line.includes(said)));
  expect((await cli(['charter', 'which'])).stdout.trim()).toBe(path);
  expect((await cli(['doctor'])).stdout).toContain(path);
  const plane = JSON.parse(readFileSync(join(bed.folder, 'plane', 'client.json'), 'utf8')) as {token: string};
  const status = await cli(['runner', 'status', '--url', bed.url, '--json'], {SWITCHYARD_TOKEN: plane.token});
  expect(JSON.parse(status.stdout), status.stderr).toMatchObject({charter: {path}});
});

test('[CA25] the attempts that live at once are no more than the charter allows', async () => {
  const runners = async () => (await bed.client.call(listRunners, {})).runners;
  // Once it has connected.
  await expect.poll(runners).toMatchObject([{id: runner.id, slots: 1}]);
  const spec: TaskSpecInput = {prompt: 'wait', agent: {driver: 'exec', command: ['/bin/sleep', '60']}};
  const tasks = await Promise.all([bed.submit(spec), bed.submit(spec)]);
  const states = async (): Promise<readonly string[]> =>
    Promise.all(tasks.map(async ({id}) => (await bed.task(id)).state));
  await expect.poll(states, {timeout: 20_000}).toEqual(expect.arrayContaining(['leased', 'queued']));
});

test('[CA23] a broken charter keeps the runner from starting, and --no-charter starts it with a warning', async () => {
  await runner.kill('SIGINT');
  writeFileSync(path, 'name: night-shift\n\nsafteyHeuristics: {}\n');
  await expect(runner.start()).rejects.toThrow('charter_invalid');
  const refused = await cli(['runner', 'start']);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain('line 3: safteyHeuristics is not known');
  expect(refused.stderr).toContain('--no-charter');
  expect((await cli(['charter', 'lint', path])).stderr).toContain('line 3');
  const free = startCli(['runner', 'start', '--no-charter', '--state', state()], {home: bed.folder});
  await free.says('started without a charter');
  free.child.kill('SIGINT');
  await free.exited;
  expect((await cli(['charter', 'which'])).stdout.trim()).toBe(path);
});
