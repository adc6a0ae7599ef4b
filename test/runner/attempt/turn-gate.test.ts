import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {LOG_FILE, runDirectoryOf} from '../../../runner/src/attempt/attempt-paths.ts';
import {findTree} from '../../../runner/src/attempt/attempt-tree.ts';
import type {AttemptPlan, Completion} from '../../../runner/src/attempt/attempt-work.ts';
import {turnGate, type TurnGate} from '../../../runner/src/attempt/turn-gate.ts';
import {HostWork} from '../../../runner/src/attempt/host-work.ts';
import {hostExecutor} from '../../../runner/src/executor/host-executor.ts';
import {Secrets} from '../../../runner/src/logs/secrets.ts';
import {until} from '../../fixtures/until.ts';
import {clock, wallNowMs} from '../executor/host-harness.ts';
import {makeGround, put, sh, task} from '../worktree/ground.ts';
import {noAgentTools} from '../../fixtures/no-agent-tools.ts';

const agent = fileURLToPath(new URL('../../fixtures/agents/acp-stub.mjs', import.meta.url));
const never = new AbortController().signal;
const patientMs = 20_000;
const access = {token: 'token', urls: {anthropic: 'http://a', openai: 'http://o', google: 'http://g'}};
const nobody = () => ({answer: new Promise<never>(() => undefined), close: () => undefined, withdraw: () => undefined});

/** A runner on a ground of git, whose agent follows one shell command for each prompt. */
function scene(steps: readonly string[], spec: Partial<TaskSpecInput> = {}) {
  const {base, context, mirrors, upstream} = makeGround();
  const told: string[] = [];
  const prompts = join(base, 'prompts');
  const plan: AttemptPlan = {
    task,
    epoch: 1,
    branch: `switchyard/${task}/e1`,
    logTicket: 'ticket',
    spec: taskSpecSchema.parse({
      prompt: 'Add a line.',
      repository: {url: upstream},
      agent: {driver: 'gemini'},
      ...spec,
    }),
  };
  const secrets = new Secrets();
  secrets.add(['hunter2-hunter2']);
  const runner = (): HostWork =>
    new HostWork({
      stateDirectory: context.root,
      executor: hostExecutor({clock, wallNowMs, cgroupBase: undefined}),
      trees: {context, mirrors},
      observer: {phaseDetail: (_plan, detail) => told.push(detail), agentEvent: () => undefined, askPerson: nobody},
      nodePath: process.execPath,
      agentProgram: () => agent,
      ruling: null,
      people: {holdMs: 1_000, ttlMs: 60_000},
      tools: noAgentTools,
      modelAccess: async () => access,
      agentEnvironment: {PATH: process.env['PATH'] ?? '', STUB_STEPS: JSON.stringify(steps), STUB_PROMPTS: prompts},
      logOf: () => ({
        secrets,
        // Nobody listens there: the spool is all that these tests look at.
        link: {url: 'ws://127.0.0.1:1', headers: async () => ({}), nowMs: () => performance.now(), random: () => 0.5},
      }),
      memoryOf: () => null,
      deadlineUnknown: () => ({softMs: clock.nowMs() + 60_000, hardMs: clock.nowMs() + 90_000}),
      wait: async ms => delay(ms),
    });
  const attempt = async (): Promise<Completion> => {
    const work = runner();
    await work.prepare(plan, never);
    return work.finish(plan, await work.run(plan, never), never);
  };
  return {
    base,
    context,
    mirrors,
    upstream,
    plan,
    told,
    runner,
    attempt,
    log: () => readFileSync(join(runDirectoryOf(context.root, plan), LOG_FILE), 'utf8'),
    // The last line may only be half there.
    prompts: () =>
      (existsSync(prompts) ? readFileSync(prompts, 'utf8') : '')
        .split('\n')
        .slice(0, -1)
        .map(line => String(JSON.parse(line))),
    sentBack: () => told.filter(line => line.startsWith('the agent is sent back')),
  };
}

const checks = [['sh', '-c', 'echo token hunter2-hunter2; grep -q more README.md || { echo no more; exit 1; }']];

test('[CG6] an agent that changed nothing, then fails the checks, is told each time, and its third turn is pushed', async () => {
  const {attempt, prompts, sentBack, upstream, plan, log} = scene(['true', 'echo x >x.txt', 'echo more >>README.md'], {
    checks,
  });
  const {result, git} = await attempt();
  expect({result: result.kind, git}, log()).toMatchObject({
    result: 'succeeded',
    git: {commits: 1, files_changed: 2, pushed: true},
  });
  expect(prompts()).toHaveLength(3);
  expect(prompts()[1]).toContain('reminder 1 of 3');
  expect(prompts()[1]).toContain('The files of the repository are as they were');
  expect(prompts()[2]).toContain('no more\n');
  expect(sentBack()).toEqual([
    'the agent is sent back (1 of 3): nothing was changed',
    'the agent is sent back (2 of 3): the declared checks do not pass',
  ]);
  expect(sh(upstream, 'show', `${plan.branch}:README.md`)).toBe('hello\nmore');
});

test('[CG7] what the checks printed reaches the agent and the log without the secrets of the machine', async () => {
  const {attempt, prompts, log} = scene(['echo x >x.txt', 'echo more >>README.md'], {checks});
  await attempt();
  expect(prompts()[1]).toContain('token ');
  expect(prompts().join()).not.toContain('hunter2');
  expect(log()).toContain('checks: no more');
  expect(log()).not.toContain('hunter2');
});

test('[CG8] checks that passed on the very files that are pushed are not run again; others are', async () => {
  const count = 'echo run >>"$(git rev-parse --git-dir)/runs"';
  const runs = [['sh', '-c', count]];
  const gate = scene(['echo more >>README.md'], {checks: runs});
  await gate.attempt();
  expect(gate.told.filter(line => line.startsWith('running'))).toHaveLength(1);
  const exec = scene([], {checks: runs, agent: {driver: 'exec', command: ['sh', '-c', 'echo more >>README.md']}});
  await exec.attempt();
  expect(exec.told.filter(line => line.startsWith('running'))).toHaveLength(1);
  const own = scene(['echo more >>README.md'], {checks: [['sh', '-c', 'echo built >>built.txt']]});
  const {git} = await own.attempt();
  expect(git, own.told.join('\n')).toMatchObject({files_changed: 2});
  expect(own.told.filter(line => line.startsWith('running'))).toHaveLength(2);
});

test('[CG9] an agent that never gets there is let go after three reminders and judged by what it left', async () => {
  const {attempt, prompts, told, sentBack} = scene([]);
  expect((await attempt()).result).toMatchObject({kind: 'failed', code: 'agent_no_change'});
  expect(prompts()).toHaveLength(4);
  expect(sentBack()).toHaveLength(3);
  expect(told.at(-1)).toBe('the agent was sent back 3 times and is let go as it is');
});

test('[CG10] an agent on a branch of its own, or with a secret in its commits, is told how to put it right', async () => {
  const identity = 'git -c user.name=a -c user.email=a@b';
  const branch = `switchyard/${task}/e1`;
  const {attempt, prompts} = scene([
    `git switch -q -c mine && echo more >>README.md && ${identity} commit -qam mine`,
    `git switch -q ${branch} && git merge -q --ff-only mine && echo k >.env && git add -f .env && ${identity} commit -qm key`,
    'git reset -q --hard HEAD~1',
  ]);
  expect(await attempt()).toMatchObject({result: {kind: 'succeeded'}, git: {commits: 1, pushed: true}});
  expect(prompts()[1]).toContain(`counts on ${branch} alone`);
  expect(prompts()[2]).toContain('.env');
  expect(prompts()).toHaveLength(3);
});

test('[CG11] a runner that starts over tells the agent what was decided, and sends it back no second time', async () => {
  const {base, runner, plan, prompts, sentBack} = scene([
    'true',
    'while [ ! -e "$STUB_PROMPTS.go" ]; do sleep 0.02; done; echo more >>README.md',
  ]);
  const crash = new AbortController();
  const before = runner();
  await before.prepare(plan, never);
  const run = before.run(plan, crash.signal);
  await until('the second prompt', () => prompts().length === 2, patientMs);
  crash.abort();
  await expect(run).rejects.toMatchObject({name: 'AbortError'});

  const work = runner();
  const again = work.run(plan, never);
  writeFileSync(join(base, 'prompts.go'), '');
  const {result} = await work.finish(plan, await again, never);
  expect(result).toMatchObject({kind: 'succeeded'});
  expect(prompts()).toHaveLength(2);
  expect(sentBack()).toHaveLength(1);
});

test('[CG11] what was decided about the end of a turn stays, whatever the tree holds by then', async () => {
  const {runner, context, mirrors, plan, told} = scene([]);
  await runner().prepare(plan, never);
  const trees = {context, mirrors};
  const worktree = await findTree(trees, plan);
  if (worktree === undefined) throw new Error('no worktree');
  const gate = (): TurnGate =>
    turnGate({
      plan,
      trees,
      worktree,
      runDir: runDirectoryOf(context.root, plan),
      outcomeComplaint: () => null,
      runChecks: async () => Promise.reject(new Error('no checks are declared')),
      onChecked: () => undefined,
      tell: async line => void told.push(line),
    });
  const decide = async (id: string) => gate()({kind: 'stop', id, said: ''}, never);
  const first = await decide('turn-1');
  expect(first).toMatchObject({kind: 'goOn', reason: expect.stringContaining('reminder 1 of 3')});
  put(worktree.path, 'new.txt', 'n\n');
  expect(await decide('turn-1')).toEqual(first);
  expect(await decide('turn-2')).toMatchObject({kind: 'allow'});
  sh(worktree.path, 'clean', '-fdq');
  expect(await decide('turn-2')).toMatchObject({kind: 'allow'});
  expect(await decide('turn-3')).toMatchObject({kind: 'goOn', reason: expect.stringContaining('reminder 2 of 3')});
  expect(told.filter(line => line.startsWith('the agent is sent back'))).toHaveLength(2);
});

test('[CG12] a program that asks nobody is not sent back', async () => {
  const {attempt, sentBack} = scene([], {agent: {driver: 'exec', command: ['true']}});
  expect((await attempt()).result).toMatchObject({kind: 'failed', code: 'agent_no_change'});
  expect(sentBack()).toEqual([]);
});

test('[RN32] a warning that time runs out is told to people and stands in the log, whatever the agent is', async () => {
  const {runner, plan, told, log} = scene([], {repository: undefined, agent: {driver: 'exec', command: ['true']}});
  const work = runner();
  await work.prepare(plan, never);
  await work.run(plan, never);
  await work.warn(plan, 299_000);
  expect(told.at(-1)).toBe('the time of the task is nearly used up: 5 minutes are left');
  expect(log()).toContain('[switchyard] the time of the task is nearly used up: 5 minutes are left\n');
});
