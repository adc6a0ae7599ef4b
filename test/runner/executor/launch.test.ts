import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdir, readFile, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {describe, expect, test} from 'vitest';
import type {LaunchPlan} from '../../../runner/src/executor/executor.ts';
import {isAlive} from '../../../runner/src/executor/process-identity.ts';
import {readRunStatus, voidClaim} from '../../../runner/src/executor/run-status.ts';
import {createRunDirectory, readShimIdentity, writeDeadline} from '../../../runner/src/executor/run-directory.ts';
import {readAll, readUntil, untilState} from '../../contract/executor-contract.ts';
import {agent, cgroupBase, clock, hostPlace, hourMs, machine, wallNowMs, type HostPlace} from './host-harness.ts';

type Attempt = {plan: LaunchPlan; runDir: string};

type Launcher = {readonly says: (word: string) => Promise<void>; readonly kill: () => Promise<void>};

async function startLauncher(
  place: HostPlace,
  attempts: readonly Attempt[],
  env: Record<string, string> = {},
): Promise<Launcher> {
  const file = join(place.root, 'attempts.json');
  await writeFile(file, JSON.stringify(attempts));
  const program = fileURLToPath(new URL('launcher.ts', import.meta.url));
  const held = cgroupBase === undefined ? 'group' : 'cgroup';
  const child = spawn(process.execPath, [program, file, held], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {PATH: '/usr/bin:/bin', ...env},
  });
  let text = '';
  child.stdout.on('data', chunk => (text += String(chunk)));
  const says = (word: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (text.includes(word)) resolve();
      };
      look();
      child.stdout.on('data', look);
      child.once('exit', () => reject(new Error(`the launcher ended without saying ${word}`)));
    });
  return {
    says,
    async kill() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** The same on every run: a fault found once is found again. */
function delays(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) % 120;
}

describe('launching', () => {
  test('[EX18] launchers killed at random moments start every attempt exactly once', {timeout: 240_000}, async () => {
    await using place = await hostPlace({cgroupBase});
    const attempts = Array.from({length: 30}, (_, index) =>
      place.attempt(agent('counts-starts', join(place.root, `starts-${index}`))),
    );
    // Ever longer, so that a slow machine gets to the end as well.
    const nextDelay = delays(7);
    let kills = 0;
    for (let isDone = false; !isDone; kills += 1) {
      const launcher = await startLauncher(place, attempts);
      await launcher.says('begin');
      const done = launcher.says('launched').then(
        () => true,
        () => false,
      );
      isDone = await Promise.race([done, wait(nextDelay() * (1 + kills / 3)).then(() => false)]);
      await launcher.kill();
    }
    expect(kills).toBeGreaterThan(2);
    for (const [index, {runDir}] of attempts.entries()) {
      await untilState(place.executor, runDir, 'exited');
      expect(await readFile(join(place.root, `starts-${index}`), 'utf8')).toBe('started\n');
    }
  });

  test('[EX19] an attempt goes on without its launcher and is adopted', async () => {
    await using place = await hostPlace({cgroupBase});
    const attempt = place.attempt(agent('echoes-input'), {input: 'stream'});
    const launcher = await startLauncher(place, [attempt]);
    await launcher.says('launched');
    await launcher.kill();
    expect(await place.executor.status(attempt.runDir)).toMatchObject({state: 'running'});
    await place.executor.write(attempt.runDir, Buffer.from('hello\n'), {end: true});
    expect(await readAll(place.executor, attempt.runDir)).toBe('ready\ngot hello\nend of input\n');
    expect(await place.executor.status(attempt.runDir)).toMatchObject({state: 'exited', code: 0});
  });

  test('[EX20] the deadline holds when the launcher is gone', async () => {
    await using place = await hostPlace({cgroupBase});
    const attempt = place.attempt(agent('ignores-sigterm'));
    const launcher = await startLauncher(place, [attempt]);
    await launcher.says('launched');
    await readUntil(place.executor, attempt.runDir, 'ready');
    await launcher.kill();
    const softMs = clock.nowMs();
    await writeDeadline(attempt.runDir, {softMs, hardMs: softMs + hourMs});
    await readUntil(place.executor, attempt.runDir, 'heard TERM');
    const hardMs = clock.nowMs() + 1_000;
    await writeDeadline(attempt.runDir, {softMs, hardMs});
    expect(await readAll(place.executor, attempt.runDir)).toBe('ready\nheard TERM\n');
    expect(await place.executor.status(attempt.runDir)).toMatchObject({state: 'killed', reason: 'deadline'});
    expect(clock.nowMs()).toBeGreaterThanOrEqual(hardMs);
  });

  test.for(['SIGHUP', 'SIGINT', 'SIGTERM'] as const)(
    '[EX21] %s to the shim and its group ends nothing',
    async signal => {
      await using place = await hostPlace({cgroupBase});
      const {plan, runDir} = place.attempt(agent('echoes-input'), {input: 'stream'});
      await place.executor.launch(plan, runDir);
      await readUntil(place.executor, runDir, 'ready');
      const shim = await readShimIdentity(runDir);
      process.kill(-(shim?.pid ?? Number.NaN), signal);
      await place.executor.write(runDir, Buffer.from('still here\n'), {end: true});
      expect(await readAll(place.executor, runDir)).toBe('ready\ngot still here\nend of input\n');
      expect(await place.executor.status(runDir)).toMatchObject({state: 'exited', code: 0});
    },
  );

  test.for([
    {held: 'cgroup', base: cgroupBase},
    {held: 'group', base: undefined},
  ])('[EX22] a killed shim leaves an attempt that is lost and can be ended ($held)', async ({base}) => {
    await using place = await hostPlace({cgroupBase: base});
    const {plan, runDir} = place.attempt(agent('hangs'));
    await place.executor.launch(plan, runDir);
    await readUntil(place.executor, runDir, 'ready');
    const before = await place.executor.status(runDir);
    if (before.state !== 'running' || before.agent === undefined)
      throw new Error(`expected a running agent: ${before.state}`);
    process.kill(before.shim.pid, 'SIGKILL');
    await untilState(place.executor, runDir, 'lost');
    expect(isAlive(before.agent, machine)).toBe(true);
    expect(await place.executor.signal(runDir, 'SIGKILL', 'gone')).toEqual({survivors: []});
    expect(isAlive(before.agent, machine)).toBe(false);
    expect(await place.executor.status(runDir)).toEqual({state: 'killed', reason: 'gone', code: undefined});
  });

  test.for<Partial<LaunchPlan>>([
    {attempt: {task: '../escape', epoch: 1}},
    {attempt: {task: 'a.e1', epoch: 1}},
    {attempt: {task: 'a', epoch: 0}},
    {cwd: 'relative'},
    {env: {'BASH_FUNC_mkdir%%': '() { echo stolen; }'}},
    {env: {'A=B': 'c'}},
    {deadline: {softMs: 2, hardMs: 1}},
    {deadline: {softMs: Number.NaN, hardMs: 1}},
  ])('[EX23] a plan with %j is refused', async overrides => {
    await using place = await hostPlace();
    const {plan} = place.attempt(agent('prints'));
    const runDir = join(place.runsDir, 'x-e1');
    await expect(place.executor.launch({...plan, ...overrides}, runDir)).rejects.toMatchObject({
      code: 'invalid_request',
    });
    expect(await place.executor.status(runDir)).toEqual({state: 'absent'});
  });

  test('[EX24] no variable of the launcher reaches the agent', async () => {
    await using place = await hostPlace({cgroupBase});
    const attempt = place.attempt(agent('writes-secret'));
    const launcher = await startLauncher(place, [attempt], {CANARY: 'canary-5fb1'});
    await launcher.says('launched');
    await launcher.kill();
    const log = await readAll(place.executor, attempt.runDir);
    expect(log).toContain('LANG=C');
    expect(log).not.toContain('canary-5fb1');
  });

  test('[EX25] a voided claim is final, also for a shim that wakes late', async () => {
    await using place = await hostPlace();
    const runDir = join(place.runsDir, 'late-e1');
    await createRunDirectory(runDir);
    await writeDeadline(runDir, {softMs: clock.nowMs() + 60_000, hardMs: clock.nowMs() + 60_000});
    await mkdir(join(runDir, 'claim'));
    const inAMinute = (): number => wallNowMs() + 60_000;
    expect(await readRunStatus(runDir, machine, wallNowMs)).toEqual({state: 'claimed'});
    expect(await readRunStatus(runDir, machine, inAMinute)).toEqual({state: 'lost', why: 'never_started'});
    expect(await voidClaim(runDir)).toBe('started');
    // The shim that made the claim goes on where it was held up.
    await rm(join(runDir, 'claim', 'go'), {recursive: true});
    expect(await voidClaim(runDir)).toBe('void');
    const source = await readFile(
      fileURLToPath(new URL('../../../runner/src/executor/shim.sh', import.meta.url)),
      'utf8',
    );
    const late = join(place.root, 'late.sh');
    await writeFile(late, source.replace('mkdir claim || exit 0', ':'));
    const args = [
      late,
      'start',
      runDir,
      '',
      'late.e1',
      place.worktree,
      '/usr/bin:/bin',
      '/dev/null',
      'err',
      'sh',
      '-c',
      'echo started',
    ];
    const [code] = await once(
      spawn('/bin/sh', args, {stdio: 'ignore', detached: true, env: {PATH: '/usr/bin:/bin'}}),
      'exit',
    );
    expect(code).toBe(75);
    expect(await readFile(join(runDir, 'out'), 'utf8')).toBe('');
    expect(await readRunStatus(runDir, machine, wallNowMs)).toMatchObject({state: 'lost'});
  });

  test.skipIf(process.platform !== 'linux')(
    '[EX27] an agent whose name ends the line of its entry in /proc is ended at its deadline all the same',
    async () => {
      await using place = await hostPlace();
      const script = String.raw`printf ') Z\n1 1 ' >/proc/self/comm; echo ready; sleep 600; exit 9`;
      const {plan, runDir} = place.attempt(['/bin/sh', '-c', script]);
      await place.executor.launch(plan, runDir);
      await readUntil(place.executor, runDir, 'ready');
      const nowMs = clock.nowMs();
      await writeDeadline(runDir, {softMs: nowMs, hardMs: nowMs});
      await untilState(place.executor, runDir, 'killed');
      expect(await place.executor.status(runDir)).toMatchObject({reason: 'deadline'});
    },
  );

  test('[EX26] a deadline that cannot be read leaves the last one in force', async () => {
    await using place = await hostPlace({cgroupBase});
    const {plan, runDir} = place.attempt(agent('ignores-sigterm'));
    await place.executor.launch(plan, runDir);
    await readUntil(place.executor, runDir, 'ready');
    const softMs = clock.nowMs();
    const hardMs = softMs + 10_000;
    await writeDeadline(runDir, {softMs, hardMs});
    // Whoever asks the agent has read the deadline.
    await readUntil(place.executor, runDir, 'heard TERM');
    await writeFile(join(runDir, 'deadline'), '9999999999999999999999 1; rm -rf /\n');
    await untilState(place.executor, runDir, 'killed');
    expect(clock.nowMs()).toBeGreaterThanOrEqual(hardMs);
    expect(await place.executor.status(runDir)).toMatchObject({reason: 'deadline'});
  });
});
