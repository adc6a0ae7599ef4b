import {existsSync, readdirSync, readFileSync, utimesSync} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {collectAgentHomes, keepAgentHome, readAgentHome} from '../../../runner/src/attempt/agent-home.ts';
import {agentDirectoryOf} from '../../../runner/src/attempt/attempt-paths.ts';
import type {Trees} from '../../../runner/src/attempt/attempt-tree.ts';
import type {AgentEnd, AttemptPlan} from '../../../runner/src/attempt/attempt-work.ts';
import {HostWork} from '../../../runner/src/attempt/host-work.ts';
import {workingDirectory} from '../../../runner/src/attempt/resumed-tree.ts';
import {hostExecutor} from '../../../runner/src/executor/host-executor.ts';
import {Secrets} from '../../../runner/src/logs/secrets.ts';
import {discard} from '../../../runner/src/worktree/remove.ts';
import {clock, wallNowMs} from '../executor/host-harness.ts';
import {makeGround, put, sh, task} from '../worktree/ground.ts';
import {noAgentTools} from '../../fixtures/no-agent-tools.ts';

const ended: AgentEnd = {exitCode: 0, signal: null, summary: 'done', result: null};
const never = new AbortController().signal;

function ground() {
  const {context, mirrors, upstream} = makeGround();
  const trees: Trees = {context, mirrors};
  const work = (): HostWork =>
    new HostWork({
      stateDirectory: context.root,
      executor: hostExecutor({clock, wallNowMs, cgroupBase: undefined}),
      trees,
      observer: {
        phaseDetail: () => undefined,
        agentEvent: () => undefined,
        askPerson: () => ({answer: Promise.reject(new Error('nobody asks')), close() {}, withdraw() {}}),
      },
      nodePath: process.execPath,
      agentProgram: () => null,
      ruling: null,
      people: {holdMs: 1_000, ttlMs: 60_000},
      tools: noAgentTools,
      modelAccess: async () => Promise.reject(new Error('no agent here needs a model')),
      agentEnvironment: {},
      logOf: () => ({
        secrets: new Secrets(),
        link: {url: 'ws://127.0.0.1:1', headers: async () => ({}), nowMs: () => performance.now(), random: () => 0.5},
      }),
      memoryOf: () => null,
      deadlineUnknown: () => ({softMs: clock.nowMs() + 60_000, hardMs: clock.nowMs() + 90_000}),
      wait: async ms => delay(ms),
    });
  const planOf = (epoch: number, spec: Partial<TaskSpecInput> = {}): AttemptPlan => ({
    task,
    epoch,
    branch: `switchyard/${task}/e${epoch}`,
    logTicket: 'ticket',
    spec: taskSpecSchema.parse({prompt: 'one more line', repository: {url: upstream}, ...spec}),
  });
  /** The first attempt, whose agent has left work of every kind and was put off. */
  const waiting = async (): Promise<string> => {
    const first = planOf(1);
    await work().prepare(first, never);
    const tree = await workingDirectory(trees, first);
    put(tree, 'committed.txt', 'a\n');
    sh(tree, 'add', 'committed.txt');
    sh(tree, 'commit', '-qm', 'one');
    put(tree, 'unsaved.txt', 'b\n');
    put(join(agentDirectoryOf(context.root, task), 'home'), 'session', 'words\n');
    await keepAgentHome(context, first);
    await work().clean(first);
    return tree;
  };
  return {context, trees, upstream, work, planOf, waiting};
}

test('[PV22] the next attempt goes on in the same folder, on a branch of its own, with all that was left there', async () => {
  const {context, trees, upstream, work, planOf, waiting} = ground();
  const tree = await waiting();
  const second = planOf(2);
  await work().prepare(second, never);
  // The runner died in the middle: the same again.
  await work().prepare(second, never);
  expect(await workingDirectory(trees, second)).toBe(tree);
  expect(readFileSync(join(tree, 'unsaved.txt'), 'utf8')).toBe('b\n');
  expect(sh(tree, 'symbolic-ref', 'HEAD')).toBe(`refs/heads/${second.branch}`);
  expect(await readAgentHome(context.root, task)).toMatchObject({epoch: 2, is_resumed: true, is_waiting: false});
  expect(existsSync(join(agentDirectoryOf(context.root, task), 'home', 'session'))).toBe(true);

  const {result, git} = await work().finish(second, ended, never);
  expect(result.kind).toBe('succeeded');
  expect(git).toMatchObject({branch: second.branch, commits: 2, files_changed: 2, pushed: true});
  expect(sh(upstream, 'branch', '--list', 'switchyard/*').trim()).toBe(second.branch);
  await work().clean(second);
  expect(existsSync(tree)).toBe(false);
  expect(readdirSync(join(context.root, 'agents'))).toEqual([]);
});

test('[PV22] an attempt that only now lets go of its files takes nothing from the one that works there', async () => {
  const {trees, work, planOf, waiting} = ground();
  const tree = await waiting();
  await work().prepare(planOf(2), never);
  await work().clean(planOf(1));
  expect(await workingDirectory(trees, planOf(2))).toBe(tree);
  expect(existsSync(join(tree, 'unsaved.txt'))).toBe(true);
  await work().clean(planOf(2));
});

test('[PV23] without the folder that it waits in, and after any other end, an attempt begins anew', async () => {
  const {context, trees, work, planOf, waiting} = ground();
  const tree = await waiting();
  await discard(context, tree);
  await work().prepare(planOf(2), never);
  expect(await readAgentHome(context.root, task)).toMatchObject({epoch: 2, is_resumed: false, tree_epoch: 2});
  expect(existsSync(join(agentDirectoryOf(context.root, task), 'home', 'session'))).toBe(false);
  expect(await workingDirectory(trees, planOf(2))).not.toBe(tree);
  // The second ended without being put off, and its runner died before it was cleaned up.
  await work().prepare(planOf(3), never);
  expect(await readAgentHome(context.root, task)).toMatchObject({epoch: 3, is_resumed: false});
  for (const epoch of [1, 2, 3]) await work().clean(planOf(epoch));
});

test('[PV24] what waits longer than anybody may is removed, and what nobody holds or waits for at once', async () => {
  const {context, planOf, work, waiting} = ground();
  await waiting();
  const collect = async (nowMs: number, isHeld = false): Promise<void> =>
    collectAgentHomes(context, {isHeld: () => isHeld, nowMs});
  await collect(Date.now());
  expect(await readAgentHome(context.root, task)).toMatchObject({is_waiting: true});
  const longAgoS = (Date.now() - limits.approvalTtlMaxMs - 60_000) / 1_000;
  utimesSync(join(agentDirectoryOf(context.root, task), 'session.json'), longAgoS, longAgoS);
  await collect(Date.now(), true);
  expect(await readAgentHome(context.root, task)).toBeDefined();
  await collect(Date.now());
  expect(await readAgentHome(context.root, task)).toBe(undefined);
  await work().prepare(planOf(2), never);
  await collect(Date.now());
  expect(await readAgentHome(context.root, task)).toBe(undefined);
  for (const epoch of [1, 2]) await work().clean(planOf(epoch));
});

// Ten attempts with their trees: a busy machine takes its time.
test(
  '[HW7] an attempt that lets go while the next one begins, and the collector, take nothing from it',
  {timeout: 180_000},
  async () => {
    const {context, work, planOf} = ground();
    for (let epoch = 1; epoch <= 10; epoch += 1) {
      await work().prepare(planOf(epoch), never);
      const held = {is: false};
      const collected = collectAgentHomes(context, {isHeld: () => held.is, nowMs: Date.now()});
      const left = work().clean(planOf(epoch));
      held.is = true;
      await Promise.all([work().prepare(planOf(epoch + 1), never), left, collected]);
      expect(await readAgentHome(context.root, task)).toMatchObject({epoch: epoch + 1});
    }
    await work().clean(planOf(11));
  },
);
