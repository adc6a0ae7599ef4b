import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {expect, onTestFinished, test} from 'vitest';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import type {MemoryLimit} from '@switchyard/shared/policy/memory-limit.ts';
import {commitTree, prepareTree, type Trees} from '../../../runner/src/attempt/attempt-tree.ts';
import type {AgentEnd, AttemptPlan} from '../../../runner/src/attempt/attempt-work.ts';
import {HostWork} from '../../../runner/src/attempt/host-work.ts';
import {upkeep} from '../../../runner/src/attempt/upkeep.ts';
import {LOG_FILE, runDirectoryOf} from '../../../runner/src/attempt/attempt-paths.ts';
import {hostExecutor} from '../../../runner/src/executor/host-executor.ts';
import {passesMemoryOn} from '../../../runner/src/executor/cgroup-memory.ts';
import {createRunDirectory, runFiles, writeDeadline} from '../../../runner/src/executor/run-directory.ts';
import {Secrets} from '../../../runner/src/logs/secrets.ts';
import {until} from '../../fixtures/until.ts';
import {cgroupBase, clock, machine, wallNowMs} from '../executor/host-harness.ts';
import {makeGround, put, sh, task} from '../worktree/ground.ts';
import {noAgentTools} from '../../fixtures/no-agent-tools.ts';

const ended: AgentEnd = {exitCode: 0, signal: null, summary: 'done', result: null};
const never = new AbortController().signal;
const nobody = () => ({answer: new Promise<never>(() => undefined), close: () => undefined, withdraw: () => undefined});

/** The hands of a runner on a ground of git; `again` has the same disk and no memory, as after a restart. */
function hands(memory: MemoryLimit | null = null) {
  const {context, mirrors, upstream} = makeGround();
  const trees: Trees = {context, mirrors};
  const again = (): HostWork =>
    new HostWork({
      stateDirectory: context.root,
      executor: hostExecutor({clock, wallNowMs, cgroupBase: memory === null ? undefined : cgroupBase}),
      trees,
      observer: {phaseDetail: () => undefined, agentEvent: () => undefined, askPerson: nobody},
      nodePath: process.execPath,
      agentProgram: () => null,
      ruling: null,
      people: {holdMs: 1_000, ttlMs: 60_000},
      tools: noAgentTools,
      modelAccess: async () => Promise.reject(new Error('no agent here needs a model')),
      agentEnvironment: {PATH: process.env['PATH'] ?? ''},
      logOf: () => ({
        secrets: new Secrets(),
        // Nobody listens there: the spool is all that these tests look at.
        link: {url: 'ws://127.0.0.1:1', headers: async () => ({}), nowMs: () => performance.now(), random: () => 0.5},
      }),
      memoryOf: () => memory,
      deadlineUnknown: () => ({softMs: clock.nowMs() + 60_000, hardMs: clock.nowMs() + 90_000}),
      wait: async ms => delay(ms),
    });
  const planOf = (spec: Partial<TaskSpecInput> = {}): AttemptPlan => ({
    task,
    epoch: 1,
    branch: `switchyard/${task}/e1`,
    logTicket: 'ticket',
    spec: taskSpecSchema.parse({prompt: 'one more line', repository: {url: upstream}, ...spec}),
  });
  return {context, trees, upstream, again, planOf};
}

test('[HW1] a message, a stop or a new deadline for an attempt without files makes none', async () => {
  const {context, again, planOf} = hands();
  const work = again();
  const plan = planOf({repository: undefined});
  await work.extend(plan, {softBootMs: clock.nowMs() + 1_000, hardBootMs: clock.nowMs() + 2_000});
  await work.stop(plan, 0);
  expect(work.spoolLength(plan)).toBe(0);
  expect(existsSync(runDirectoryOf(context.root, plan))).toBe(false);
});

test('[HW2] a runner that ended between the commit and the push finds the commit made and pushes it', async () => {
  const {trees, upstream, again, planOf} = hands();
  const plan = planOf({checks: [['grep', '-q', 'more', 'README.md']]});
  const before = again();
  await before.prepare(plan, never);
  const worktree = await prepareTree(trees, plan, never);
  if (worktree === undefined) throw new Error('no worktree');
  put(worktree.path, 'README.md', 'hello\nmore\n');
  await commitTree(trees, worktree, plan);
  const head = sh(worktree.path, 'rev-parse', 'HEAD');

  const work = again();
  const first = await work.finish(plan, ended, never);
  expect(first).toMatchObject({result: {kind: 'succeeded'}, git: {head_sha: head, commits: 1, pushed: true}});
  expect(sh(upstream, 'rev-parse', plan.branch)).toBe(head);

  // Pushed, and the exit not sent: the same again, and upstream has one commit.
  const second = await again().finish(plan, ended, never);
  expect(second).toEqual(first);
  expect(sh(upstream, 'rev-list', '--count', `main..${plan.branch}`)).toBe('1');
  await work.clean(plan);
});

test('[HW3] a tree that somebody works in is kept with all files until it is free', async () => {
  const {context, trees, again, planOf} = hands();
  const plan = planOf();
  const work = again();
  await work.prepare(plan, never);
  const worktree = await prepareTree(trees, plan, never);
  if (worktree === undefined) throw new Error('no worktree');
  put(worktree.path, 'new.txt', 'unsaved\n');
  const visitor = spawn('sleep', ['60'], {cwd: worktree.path, stdio: 'ignore'});
  onTestFinished(() => void visitor.kill('SIGKILL'));
  await once(visitor, 'spawn');

  await expect(work.clean(plan)).rejects.toMatchObject({code: 'worktree_busy'});
  expect(readFileSync(join(worktree.path, 'new.txt'), 'utf8')).toBe('unsaved\n');
  expect(existsSync(runDirectoryOf(context.root, plan))).toBe(true);

  const gone = once(visitor, 'exit');
  visitor.kill('SIGKILL');
  await gone;
  await again().clean(plan);
  expect(existsSync(worktree.path)).toBe(false);
  expect(existsSync(runDirectoryOf(context.root, plan))).toBe(false);
  expect(sh(worktree.mirror.path, 'show', `refs/salvage/${task}/e1:new.txt`)).toBe('unsaved');
});

test('[HW4] upkeep leaves the files of what the journal holds, and takes those of what nobody knows', async () => {
  const {context} = hands();
  const [held, unknown] = [
    {task, epoch: 1},
    {task, epoch: 2},
  ];
  for (const attempt of [held, unknown]) {
    const runDir = runDirectoryOf(context.root, attempt);
    await createRunDirectory(runDir);
    await writeDeadline(runDir, {softMs: 1, hardMs: 2});
  }
  const lines: string[] = [];
  await upkeep({
    stateDirectory: context.root,
    machine,
    cgroupBase: undefined,
    context,
    held: () => [held],
    log: line => lines.push(line),
  });
  expect(existsSync(runDirectoryOf(context.root, held))).toBe(true);
  expect(existsSync(runDirectoryOf(context.root, unknown))).toBe(false);
  expect(lines).toHaveLength(1);
});

test('[HW5] what an agent wrote while no runner read it stands in the log, also when the next one only stops it', async () => {
  const {context, again, planOf} = hands();
  const go = join(context.root, 'go');
  const script = 'echo one; while [ ! -e "$1" ]; do sleep 0.02; done; echo two; echo three >&2';
  const command = ['/bin/sh', '-c', script, 'sh', go];
  const plan = planOf({repository: undefined, agent: {driver: 'exec', command}});
  const log = (): string => readFileSync(join(runDirectoryOf(context.root, plan), LOG_FILE), 'utf8');
  const crash = new AbortController();
  const before = again();
  await before.prepare(plan, never);
  const run = before.run(plan, crash.signal);
  await until('the first line', () => log().includes('one\n'));
  crash.abort();
  await expect(run).rejects.toMatchObject({name: 'AbortError'});
  writeFileSync(go, '');
  await until('the exit', () => existsSync(join(runDirectoryOf(context.root, plan), runFiles.exit)));

  const work = again();
  await work.stop(plan, 0);
  const end = new AbortController();
  const sealed = work.seal(plan, {line: 'stopped'}, end.signal);
  await until('the last line', () => log().includes('stopped\n'));
  end.abort();
  await expect(sealed).rejects.toMatchObject({code: 'unavailable'});
  const lines = log()
    .split('\n')
    .filter(line => !line.startsWith('[switchyard] starting'));
  expect(lines.toSorted()).toEqual(['', '[switchyard] stopped', 'one', 'three', 'two']);
  expect(lines.slice(-2)).toEqual(['[switchyard] stopped', '']);
  await work.clean(plan);
});

test('[HW8] messages that come before a new process speaks with the agent reach it, in their order', async () => {
  const {context, again, planOf} = hands();
  const count = 8;
  const plan = planOf({prompt: Array.from({length: count}, () => 'await message').join('\n'), repository: undefined});
  const [before, work] = [again(), again()];
  await before.prepare(plan, never);
  const letGo = new AbortController();
  const first = before.run(plan, letGo.signal);
  await until('the agent runs', () => before.spoolLength(plan) > 0);
  letGo.abort(new Error('the process ends'));
  await expect(first).rejects.toThrow('the process ends');

  const handed = Array.from({length: count}, (_, seq) => work.input(plan, {seq, data: `word ${seq}`}));
  const run = work.run(plan, never);
  expect(await Promise.all(handed)).toEqual(handed.map(() => true));
  expect(await run).toMatchObject({exitCode: 0});
  const said = readFileSync(join(runDirectoryOf(context.root, plan), runFiles.out), 'utf8').matchAll(
    /says: word (\d)/g,
  );
  expect([...said].map(([, seq]) => Number(seq))).toEqual(handed.map((_, seq) => seq));
  await work.clean(plan);
});

const holdsMemory = cgroupBase !== undefined && (await passesMemoryOn(cgroupBase));

test.skipIf(!holdsMemory)(
  `[BG40] an agent that the kernel ended at its limit of memory has failed by it, also for a runner that starts over${holdsMemory ? '' : ' (skipped: no writable cgroup v2 with a memory controller on this machine)'}`,
  {timeout: 120_000},
  async () => {
    const {again, planOf} = hands({bytes: 64 * 1_048_576, by: 'charter'});
    const command = [process.execPath, '-e', 'Buffer.alloc(200 * 1048576, 1); setInterval(() => 0, 1000)'];
    const plan = planOf({repository: undefined, agent: {driver: 'exec', command}});
    const work = again();
    onTestFinished(async () => work.clean(plan));
    await work.prepare(plan, never);
    const killed = {
      signal: 'SIGKILL',
      result: {
        kind: 'failed',
        code: 'agent_runaway',
        detail:
          'killed by memory: its processes wanted more than they may hold, at most 64 MiB by the charter of this machine',
      },
    };
    expect(await work.run(plan, never)).toMatchObject(killed);
    expect(await again().run(plan, never)).toMatchObject(killed);
  },
);
