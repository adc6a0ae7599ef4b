import {spawn} from 'node:child_process';
import {mkdtempSync, readdirSync, realpathSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {bootClock, hostBootSources} from '../../../runner/src/executor/boot-clock.ts';
import {identityOf} from '../../../runner/src/executor/process-identity.ts';
import {hostProcesses} from '../../../runner/src/executor/process-table.ts';
import {reapLeftovers} from '../../../runner/src/services/leftovers.ts';
import {groupMembers} from '../../../runner/src/services/process-group.ts';
import {readRecords, writeRecord} from '../../../runner/src/services/service-record.ts';
import {
  supervise,
  type ServiceSpec,
  type ServiceStatus,
  type Supervision,
} from '../../../runner/src/services/supervise.ts';
import {until} from '../../fixtures/until.ts';

const machine = {bootId: bootClock(hostBootSources(Date.now)).bootId, processes: hostProcesses};
const program = join(import.meta.dirname, '../../fixtures/services/service.mjs');

let directory = '';
let lines: string[] = [];
let changes: (readonly ServiceStatus[])[] = [];
const running: Supervision[] = [];

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-services-')));
  [lines, changes] = [[], []];
});
afterEach(async () => {
  for (const supervision of running.splice(0)) {
    supervision.hurry();
    await supervision.stop();
  }
  rmSync(directory, {recursive: true, force: true});
});

function spec(name: string, words: readonly string[] = [], more: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name,
    command: () => ({file: process.execPath, args: [program, ...words], env: {PATH: '/usr/bin:/bin'}, cwd: directory}),
    gate: async () => undefined,
    readyMsMax: 30_000,
    stop: {signal: 'SIGTERM', drainMs: 5_000},
    ...more,
  };
}

function start(...specs: readonly ServiceSpec[]): Supervision {
  const supervision = supervise(specs, {
    directory,
    machine,
    nowMs: () => performance.now(),
    random: () => 0,
    mark: () => 'mark-of-a-test',
    onLine: (service, line) => lines.push(`${service}: ${line}`),
    onChange: statuses => changes.push(statuses),
  });
  running.push(supervision);
  return supervision;
}

const pidOf = (supervision: Supervision, name: string): number =>
  supervision.status().find(each => each.name === name)?.pid ?? 0;
const isAlive = (pid: number): boolean => identityOf(pid, machine) !== undefined;

test('[SV6] services start one after the other, each behind its gate, and end in reverse order', async () => {
  const order: string[] = [];
  const gate = (name: string) => async (): Promise<void> => void order.push(name);
  const supervision = start(spec('first', [], {gate: gate('first')}), spec('second', [], {gate: gate('second')}));
  await supervision.start();
  expect(order).toEqual(['first', 'second']);
  const pids = ['first', 'second'].map(name => pidOf(supervision, name));
  expect(supervision.status().map(({state}) => state)).toEqual(['running', 'running']);
  const stopped: string[] = [];
  await supervision.stop(name => stopped.push(name));
  expect(stopped).toEqual(['second', 'first']);
  expect(pids.map(isAlive)).toEqual([false, false]);
  expect(readdirSync(directory)).toEqual([]);
});

test('[SV7] a service that cannot start stops those before it, and its own words are the error', async () => {
  const refused = start(spec('first'), spec('second', ['error']));
  await expect(refused.start()).rejects.toMatchObject({code: 'port_taken', detail: 'it is taken'});
  expect(refused.status().map(({state}) => state)).toEqual(['stopped', 'stopped']);
  const crashed = start(spec('only', ['crash']));
  await expect(crashed.start()).rejects.toMatchObject({
    code: 'unavailable',
    detail: 'only ended with 3 before it was ready: something is missing',
  });
  const missing = start(spec('none', [], {command: () => ({file: '/nowhere', args: [], env: {}, cwd: directory})}));
  await expect(missing.start()).rejects.toMatchObject({code: 'unavailable'});
});

test('[SV7] a service that is not ready in time is ended', async () => {
  const supervision = start(spec('slow', ['mute'], {readyMsMax: 300}));
  await expect(supervision.start()).rejects.toMatchObject({
    code: 'port_timeout',
    detail: 'slow was not ready within 0.3 s',
  });
  expect(pidOf(supervision, 'slow')).toBe(0);
});

test('[SV8] a service that ends by itself is started again, and its restarts are counted', async () => {
  const supervision = start(spec('steady'));
  await supervision.start();
  const before = pidOf(supervision, 'steady');
  process.kill(before, 'SIGKILL');
  await until(
    'a restart',
    () => supervision.status()[0]?.restarts === 1 && supervision.status()[0]?.state === 'running',
  );
  expect(pidOf(supervision, 'steady')).not.toBe(before);
  expect(changes.flat().some(({state, next_try_ms: next}) => state === 'restarting' && next !== null)).toBe(true);
  expect(lines).toContain('steady: ended by itself; starts again in 0.3 s');
});

test('[SV8] a service that keeps falling is started again after growing pauses, and stops when it is told to', async () => {
  const supervision = start(spec('falling', ['brief']));
  await supervision.start();
  await until('a second restart', () => (supervision.status()[0]?.restarts ?? 0) >= 2);
  await supervision.stop();
  expect(supervision.status()[0]).toMatchObject({state: 'stopped', pid: null});
  expect(lines.filter(line => line.includes('starts again')).slice(0, 2)).toEqual([
    'falling: ended by itself; starts again in 0.3 s',
    'falling: ended by itself; starts again in 0.5 s',
  ]);
});

test('[SV9] who ignores the signal is killed after the drain, with everything in its group', async () => {
  const supervision = start(spec('deaf', ['deaf', 'child'], {stop: {signal: 'SIGTERM', drainMs: 200}}));
  await supervision.start();
  const [record] = await readRecords(directory);
  const members = await until('a grandchild', () => {
    const found = record === undefined ? [] : groupMembers(record, machine);
    return found.length === 2 ? found : undefined;
  });
  await supervision.stop();
  expect(members.map(isAlive)).toEqual([false, false]);
});

test('[SV9] a stop in a hurry does not wait for the drain', async () => {
  const supervision = start(spec('deaf', ['deaf'], {stop: {signal: 'SIGTERM', drainMs: 600_000}}));
  await supervision.start();
  const pid = pidOf(supervision, 'deaf');
  const stopped = supervision.stop();
  supervision.hurry();
  await stopped;
  expect(isAlive(pid)).toBe(false);
});

test('[SV10] the death of the parent ends a service by its life line, and the next start reaps one that is deaf', async () => {
  const parent = spawn(
    process.execPath,
    ['--input-type=module', '-e', parentProgram(), directory, program, machine.bootId],
    {stdio: ['ignore', 'pipe', 'inherit'], cwd: join(import.meta.dirname, '../../..')},
  );
  let said = '';
  parent.stdout.setEncoding('utf8').on('data', text => (said += text));
  const pids = await until('both run', () => (said.includes('\n') ? (JSON.parse(said) as number[]) : undefined));
  parent.kill('SIGKILL');
  await until('the obedient one has gone', () => !isAlive(pids[0] ?? 0));
  expect(isAlive(pids[1] ?? 0)).toBe(true);
  expect(await reapLeftovers(directory, machine, 200)).toEqual(['deaf']);
  expect(pids.map(isAlive)).toEqual([false, false]);
  expect(readdirSync(directory)).toEqual([]);
});

/** Supervises two services and is killed by the test. */
function parentProgram(): string {
  const supervisePath = join(import.meta.dirname, '../../../runner/src/services/supervise.ts');
  const tablePath = join(import.meta.dirname, '../../../runner/src/executor/process-table.ts');
  return `
import {supervise} from ${JSON.stringify(supervisePath)};
import {hostProcesses} from ${JSON.stringify(tablePath)};
const [directory, program, bootId] = process.argv.slice(1);
const spec = (name, words) => ({
  name, command: () => ({file: process.execPath, args: [program, ...words], env: {PATH: '/usr/bin:/bin'}, cwd: directory}),
  gate: async () => {}, readyMsMax: 30000, stop: {signal: 'SIGTERM', drainMs: 1000},
});
const supervision = supervise([spec('obedient', []), spec('deaf', ['deaf'])], {
  directory, machine: {bootId, processes: hostProcesses}, nowMs: () => performance.now(), random: () => 0,
  mark: () => 'mark-of-a-parent', onLine: () => {}, onChange: () => {},
});
await supervision.start();
process.stdout.write(JSON.stringify(supervision.status().map(({pid}) => pid)) + '\\n');
setInterval(() => {}, 1000);
`;
}

test('[SV11] a stranger who has the pid of a service by now is left alone', async () => {
  const stranger = spawn(process.execPath, [program], {detached: true, stdio: ['pipe', 'ignore', 'ignore']});
  try {
    const identity = await until('the stranger runs', () => identityOf(stranger.pid ?? 0, machine));
    await writeRecord(directory, {...identity, name: 'gone', started: 'another-start', mark: 'mark'});
    expect(await reapLeftovers(directory, machine, 100)).toEqual([]);
    await writeRecord(directory, {...identity, name: 'gone', bootId: 'another-boot', mark: 'mark'});
    expect(await reapLeftovers(directory, machine, 100)).toEqual([]);
    expect(isAlive(identity.pid)).toBe(true);
    expect(readdirSync(directory)).toEqual([]);
  } finally {
    stranger.kill('SIGKILL');
  }
});
