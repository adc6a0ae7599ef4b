import {cpSync, existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {once} from 'node:events';
import {execa} from 'execa';
import {expect, onTestFinished, test} from 'vitest';
import {revokeRunner} from '@switchyard/shared/api/runner-contracts.ts';
import {getTaskLog} from '@switchyard/shared/api/task-contracts.ts';
import {runnerIdSchema} from '@switchyard/shared/domain/id.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {cuttableProxy} from '../fixtures/cuttable-proxy.ts';
import {Bed, patientLease, shortLease} from '../fixtures/installation.ts';
import {noUpgradeProxy} from '../fixtures/no-upgrade-proxy.ts';
import {until} from '../fixtures/until.ts';

let bed: Bed;
const startBed = async (lease: object = shortLease): Promise<void> => {
  bed = await Bed.start({lease});
  onTestFinished(async () => bed.stop());
};

const shell = (script: string, more: Partial<TaskSpecInput> = {}): TaskSpecInput => ({
  prompt: 'go',
  agent: {driver: 'exec', command: ['/bin/sh', '-c', script]},
  ...more,
});

/** Lines that agents wrote to a file outside of everything: how often each task really ran. */
const starts = (): string[] => {
  const path = join(bed.folder, 'starts');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
};
const startedOnce = (): string => `echo "$SWITCHYARD_TASK.e$SWITCHYARD_EPOCH" >>${join(bed.folder, 'starts')}`;
/** Keeps an agent at work until the test lets it go on. */
const awaitLeave = (): string => `until [ -e ${join(bed.folder, 'leave')} ]; do sleep 0.1; done`;
const giveLeave = (): void => writeFileSync(join(bed.folder, 'leave'), '');
/** What a process and all that it starts holds while it lives, however it ends: two at once collide, and say so. */
const alone = (name: string): string =>
  `exec 9>${join(bed.folder, name)}; flock -n 9 || echo COLLISION >>${join(bed.folder, 'starts')}`;
const living = async (pattern: string): Promise<string> =>
  (await execa('pgrep', ['-f', pattern], {reject: false})).stdout;
const inPhase = (phase: TaskView['phase']) => (task: TaskView) => task.phase === phase;

test('[EE10] a runner killed while it prepares, runs, checks or reports finishes each attempt once', async () => {
  await startBed(patientLease);
  const {url, path} = await bed.repository();
  const runner = await bed.runner('runner');
  const spec = shell(`${startedOnce()}; echo begin; sleep 1; echo more >>README.md; echo end`, {
    repository: {url},
    checks: [['sleep', '1']],
  });
  for (const phase of ['preparing', 'running', 'finishing', 'exited'] as const) {
    const {id} = await bed.submit(spec);
    // A short phase may be over before it is seen; then the kill falls into the next one, which is as good a place.
    await bed.until(
      id,
      phase,
      task => (task.phase !== null && orderOf(task.phase) >= orderOf(phase)) || task.finished_ms !== null,
    );
    await runner.kill('SIGKILL');
    await runner.start();
    const task = await bed.finished(id);
    expect(task, `killed in ${phase}`).toMatchObject({state: 'succeeded', epoch: 1, failures: []});
    expect(starts().filter(line => line.startsWith(id))).toEqual([`${id}.e1`]);
    const log = await bed.log(id);
    expect(log.match(/^(begin|end)$/gm)).toEqual(['begin', 'end']);
    const {stdout} = await execa('git', ['-C', path, 'rev-list', '--count', `main..${task.branch}`]);
    expect(stdout).toBe('1');
  }
});

test('[EE10] an agent that ended while its runner was dead is reported by the next one', async () => {
  await startBed(patientLease);
  const runner = await bed.runner('runner');
  const ended = join(bed.folder, 'ended');
  const {id} = await bed.submit(
    shell(`${startedOnce()}; ${awaitLeave()}; echo finished without a runner; : >${ended}`),
  );
  await until('the agent has begun', () => starts().length > 0, 60_000);
  await runner.kill('SIGKILL');
  giveLeave();
  await until('the agent has ended', () => existsSync(ended), 60_000);
  await runner.start();
  expect(await bed.finished(id)).toMatchObject({state: 'succeeded', epoch: 1});
  expect(await bed.log(id)).toContain('finished without a runner');
  expect(starts()).toHaveLength(1);
});

test('[EE10] SIGTERM leaves agents for the next runner; SIGINT ends them and gives their tasks back', async () => {
  await startBed(patientLease);
  const runner = await bed.runner('runner');
  const {id} = await bed.submit(shell(`${startedOnce()}; ${awaitLeave()}`));
  await bed.until(id, 'running', inPhase('running'));
  await runner.kill('SIGTERM');
  await runner.start();
  giveLeave();
  expect(await bed.finished(id)).toMatchObject({state: 'succeeded', epoch: 1});

  const {id: second} = await bed.submit(
    shell(`${startedOnce()}; test "$SWITCHYARD_EPOCH" = 2 || sleep 641.${process.pid}`),
  );
  await bed.until(second, 'running', inPhase('running'));
  await runner.kill('SIGINT');
  await expect.poll(async () => living(`^sleep 641[.]${process.pid}$`)).toBe('');
  await runner.start();
  expect(await bed.finished(second)).toMatchObject({state: 'succeeded', epoch: 2, failures: []});
});

test('[EE11] what a control plane acknowledged before it was killed under load ends exactly once', async () => {
  await startBed(patientLease);
  await bed.runner('runner', {slots: 8});
  const acknowledged: string[] = [];
  let wanted = 0;
  let isOver = false;
  // One that fails must not go on with the bed of the next.
  onTestFinished(() => void (isOver = true));
  const [own, spec] = [bed, shell(startedOnce())];
  const load = async (): Promise<void> => {
    for (; !isOver; await delay(100)) {
      if (acknowledged.length >= wanted) continue;
      const task = await own.submit(spec).catch(() => undefined);
      if (task !== undefined) acknowledged.push(task.id);
    }
  };
  const lanes = [load(), load(), load()];
  for (let round = 0; round < 3; round += 1) {
    const before = acknowledged.length;
    wanted = before + 20;
    await until('tasks to be acknowledged', () => acknowledged.length >= before + 5, 60_000);
    await bed.killPlane();
    await bed.startPlane();
  }
  isOver = true;
  await Promise.all(lanes);
  for (const id of acknowledged) expect((await bed.finished(id as TaskView['id'])).state).toBe('succeeded');
  const ran = starts();
  for (const id of acknowledged)
    expect(
      ran.filter(line => line.startsWith(id)),
      id,
    ).toHaveLength(1);
});

test('[EE12] a cut shorter than the lease changes nothing', async () => {
  await startBed(patientLease);
  const proxy = await cuttableProxy(() => bed.port);
  await bed.runner('runner', {url: `http://127.0.0.1:${proxy.port}`});
  const {id} = await bed.submit(
    shell(`${startedOnce()}; echo line 1; ${awaitLeave()}; for i in 2 3 4 5 6; do echo line $i; sleep 0.5; done`),
  );
  await bed.until(id, 'running', inPhase('running'));
  proxy.cut();
  giveLeave();
  await delay(2_500);
  proxy.mend();
  expect(await bed.finished(id)).toMatchObject({state: 'succeeded', epoch: 1});
  expect((await bed.log(id)).match(/^line \d$/gm)).toEqual([1, 2, 3, 4, 5, 6].map(i => `line ${i}`));
  expect(starts()).toHaveLength(1);
  await proxy.close();
});

test('[EE12] a cut longer than the lease ends the old agent before the task runs again', async () => {
  await startBed();
  const proxy = await cuttableProxy(() => bed.port);
  await bed.runner('cut-off', {url: `http://127.0.0.1:${proxy.port}`});
  const script = `${startedOnce()}; ${alone('alive')}; test "$SWITCHYARD_EPOCH" -gt 1 || sleep 651`;
  const {id} = await bed.submit(shell(script));
  await bed.until(id, 'running', inPhase('running'));
  proxy.cut();
  await bed.runner('healthy');
  const task = await bed.finished(id);
  expect(task).toMatchObject({state: 'succeeded', failures: [{code: 'lease_lost'}]});
  // The offers that the silent runner never saw raise the epoch too.
  expect(starts()).toEqual([`${id}.e1`, `${id}.e${task.epoch}`]);
  proxy.mend();
  await proxy.close();
});

test('[EE13] of two processes with one key one has the session; no attempt runs twice and no two at once', async () => {
  await startBed();
  const first = await bed.runner('first', {slots: 1});
  const copy = join(bed.folder, 'second', 'runner');
  cpSync(join(first.stateDirectory, 'identity.json'), join(copy, 'identity.json'), {recursive: true});
  await execa('chmod', ['-R', 'go-rwx', join(bed.folder, 'second')]);
  await bed.runner('second', {slots: 1});
  const tasks = [];
  for (let index = 0; index < 4; index += 1)
    tasks.push(await bed.submit(shell(`${startedOnce()}; ${alone(`alive-${index}`)}; sleep 0.2`)));
  for (const {id} of tasks) expect((await bed.finished(id)).state).toBe('succeeded');
  const ran = starts();
  expect(ran).not.toContain('COLLISION');
  expect(new Set(ran).size).toBe(ran.length);
});

test('[EE14] a wall clock that is wrong by days, and jumps, changes nothing', async () => {
  await startBed(patientLease);
  // Three days ahead, then, two seconds later, five days behind.
  const skew = 'data:text/javascript,const now=Date.now,t0=now();Date.now=()=>now()+86400000*(now()-t0<2000?3:-5)';
  await bed.runner('skewed', {nodeArgs: ['--import', skew]});
  const {url} = await bed.repository();
  const {id} = await bed.submit(shell('sleep 3; echo x >>README.md', {repository: {url}}));
  expect(await bed.finished(id)).toMatchObject({state: 'succeeded', epoch: 1, failures: []});
});

test('[EE16] a runner whose network breaks WebSockets works by polling, its logs too', async () => {
  await startBed(patientLease);
  const proxy = await noUpgradeProxy(bed.port);
  await bed.runner('polling', {url: `http://127.0.0.1:${proxy.port}`});
  const {url} = await bed.repository();
  const {id} = await bed.submit(
    shell(`${startedOnce()}; echo x >>README.md; yes line | head -c 400000; echo end`, {repository: {url}}),
  );
  expect(await bed.finished(id)).toMatchObject({state: 'succeeded', epoch: 1, failures: []});
  expect((await bed.log(id)).match(/^(line|end)$/gm)).toHaveLength(80_001);
  expect(starts()).toHaveLength(1);
  expect(proxy.refused()).toBeGreaterThan(3);
  await proxy.close();
});

const isRoot = process.getuid?.() === 0;
test.skipIf(!isRoot)(
  '[EE15] a full disk fails the attempt and the runner works on (needs root for a small file system)',
  async () => {
    await startBed();
    const runs = join(bed.folder, 'runner', 'runner', 'runs');
    await execa('mkdir', ['-p', '-m', '700', runs]);
    await execa('chmod', ['-R', 'go-rwx', join(bed.folder, 'runner')]);
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', runs]);
    try {
      await bed.runner('runner', {slots: 1});
      const {id} = await bed.submit(
        shell('head -c 8000000 /dev/zero >$HOME/filler; echo status $?', {attempts_max: 1}),
      );
      const task = await bed.finished(id);
      expect(task.finished_ms).not.toBeNull();
      // Its files are deleted in the background, where nothing can be renamed.
      await until('the disk has room again', () => !readdirSync(runs).some(name => name.startsWith(id)), 60_000);
      const {id: next} = await bed.submit(shell('echo still here'));
      expect(await bed.finished(next)).toMatchObject({state: 'succeeded'});
      expect(await bed.log(next)).toContain('still here');
    } finally {
      await execa('umount', ['-l', runs]);
    }
  },
);

function orderOf(phase: NonNullable<TaskView['phase']>): number {
  return ['accepted', 'preparing', 'running', 'finishing', 'stopping', 'exited', 'reported'].indexOf(phase);
}

test('[EE17] a revoked runner ends its agents and itself, and another one does the task when the lease has run out', async () => {
  await startBed();
  const first = await bed.runner('first');
  const {id} = await bed.submit(
    shell(
      `${startedOnce()}; if test "$SWITCHYARD_EPOCH" = 1; then while :; do echo line; sleep 0.1; done; fi; echo over`,
    ),
  );
  await bed.until(id, 'running', inPhase('running'));
  while (!(await bed.log(id)).includes('line')) await delay(50);
  await bed.client.call(revokeRunner, {params: {runner: runnerIdSchema.parse(first.id)}});
  const atRevoke = await bed.task(id);
  expect(atRevoke).toMatchObject({state: 'leased', epoch: 1});
  if (first.child().exitCode === null) await once(first.child(), 'exit');
  await until('its last word', () => first.lines().some(line => line.includes('runner_revoked')), 60_000);
  await expect.poll(async () => living(join(bed.folder, 'starts'))).toBe('');
  const log = await bed.log(id);

  await bed.runner('second');
  expect(await bed.finished(id)).toMatchObject({state: 'succeeded', epoch: 2, failures: [{code: 'lease_lost'}]});
  expect(starts()).toEqual([`${id}.e1`, `${id}.e2`]);
  expect((await bed.log(id)).slice(0, log.length)).toBe(log);
  const {text} = await bed.client.call(getTaskLog, {params: {task: id}, query: {epoch: 2}});
  expect(text).toContain('over');
  expect(text).not.toContain('line');
});
