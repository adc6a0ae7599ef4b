import {createHash} from 'node:crypto';
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {execa} from 'execa';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {cancelTask, messageTask} from '@switchyard/shared/api/task-contracts.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {Bed, patientLease} from '../fixtures/installation.ts';
import {until} from '../fixtures/until.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await Bed.start({lease: patientLease});
  const steering = {NODE_OPTIONS: '--no-warnings', SSH_AUTH_SOCK: '/nonexistent', GIT_AUTHOR_NAME: 'x', BASH_ENV: '/x'};
  await bed.runner('runner', {env: {DEPLOY_TOKEN: 'canary-deploy-value-1234', ...steering}});
});
afterAll(async () => bed.stop());

/** Told apart from the sleeps of another run on this machine by a fraction of a second. */
const own = process.pid;

const shell = (script: string, more: Partial<TaskSpecInput> = {}): TaskSpecInput => ({
  prompt: 'a prompt for the agent',
  agent: {driver: 'exec', command: ['/bin/sh', '-c', script]},
  attempts_max: 1,
  ...more,
});

test('[EE1] an agent changes a file in a worktree, and the commit is on the branch of the attempt', async () => {
  const {url, path} = await bed.repository('change');
  const {id} = await bed.submit(
    shell('cat >>README.md; echo done', {
      prompt: 'one more line\n',
      repository: {url},
      checks: [['grep', '-q', 'one more line', 'README.md']],
    }),
  );
  const task = await bed.finished(id);
  expect(task).toMatchObject({state: 'succeeded', branch: `switchyard/${id}/e1`, epoch: 1, failures: []});
  const {stdout} = await execa('git', ['-C', path, 'show', `${task.branch}:README.md`]);
  expect(stdout).toBe('# test\none more line');
  expect(task.result?.git).toMatchObject({commits: 1, files_changed: 1, insertions: 1, pushed: true});
  const {stdout: main} = await execa('git', ['-C', path, 'rev-list', '--count', 'main']);
  expect(main).toBe('1');
});

test('[EE2] an agent that leaves no change has failed, whatever it says', async () => {
  const {url} = await bed.repository('unchanged');
  const {id} = await bed.submit(shell('echo "I have done everything"', {repository: {url}}));
  const task = await bed.finished(id);
  expect(task.state).toBe('failed');
  expect(task.failures[0]).toMatchObject({code: 'agent_no_change'});
});

test('[EE2] a check that does not pass is a failure, and nothing is pushed', async () => {
  const {url, path} = await bed.repository('unchecked');
  const {id} = await bed.submit(shell('echo x >>README.md', {repository: {url}, checks: [['false']]}));
  const task = await bed.finished(id);
  expect(task).toMatchObject({state: 'dead', failures: [{code: 'checks_failed'}]});
  const {stdout} = await execa('git', ['-C', path, 'branch', '--list', 'switchyard/*']);
  expect(stdout).toBe('');
  expect(await bed.log(id)).toContain('$ false');
});

test('[EE3] an agent that hangs is ended at its time, with everything it started', async () => {
  const {id} = await bed.submit(
    shell(`sleep 611.${own} & setsid sleep 612.${own} & sleep 613.${own}`, {timeout_ms: 1_500}),
  );
  const task = await bed.finished(id);
  expect(task.state).toBe('timed_out');
  await expect.poll(async () => running('sleep 61[123]')).toBe('');
});

test('[EE3] an agent that ignores SIGTERM is killed after the grace of a cancel', async () => {
  const {id} = await bed.submit(shell(`trap "" TERM; sleep 621.${own}; sleep 622.${own}; sleep 623.${own}`));
  await bed.until(id, 'running', ({phase}) => phase === 'running');
  await bed.client.call(cancelTask, {params: {task: id}, body: {grace_ms: 500, reason: 'enough'}});
  const task = await bed.finished(id);
  expect(task.state).toBe('cancelled');
  await expect.poll(async () => running('sleep 62[123]')).toBe('');
});

test('[EE3] a cancel that comes while agents are being started ends them all the same', async () => {
  const cancelled = Array.from({length: 4}, async () => {
    const {id} = await bed.submit(shell(`trap "" TERM; sleep 641.${own}; sleep 642.${own}`));
    await bed.until(id, 'running', ({phase}) => phase === 'running');
    await bed.client.call(cancelTask, {params: {task: id}, body: {grace_ms: 500, reason: 'enough'}});
    return (await bed.finished(id)).state;
  });
  expect(new Set(await Promise.all(cancelled))).toEqual(new Set(['cancelled']));
  await expect.poll(async () => running('sleep 64[12]')).toBe('');
});

test('[EE3] a daemon that the agent forks does not outlive it', async () => {
  const {id} = await bed.submit(shell(`(env -i setsid sleep 631.${own} >/dev/null 2>&1 </dev/null &); echo started`));
  expect((await bed.finished(id)).state).toBe('succeeded');
  await expect.poll(async () => running('sleep 631')).toBe('');
});

test('[EE4] a flood of output arrives whole, byte for byte', async () => {
  const {id} = await bed.submit(shell('yes 0123456789012345678901234567890123456789 | head -c 12000000'));
  expect((await bed.finished(id)).state).toBe('succeeded');
  const log = await bed.log(id);
  const flood = log
    .split('\n')
    .filter(line => !line.startsWith('[switchyard]'))
    .join('\n')
    .replace(/\n*$/, '');
  const sent = '0123456789012345678901234567890123456789\n'.repeat(300_000).slice(0, 12_000_000);
  expect(hash(flood)).toBe(hash(sent.replace(/\n*$/, '')));
});

test('[EE4] the first line and the last line without an end are there', async () => {
  const {id} = await bed.submit(shell('printf "first\\nlast without end"'));
  await bed.finished(id);
  expect(await bed.log(id)).toMatch(/first\nlast without end\n\[switchyard\]/);
});

test('[EE5] what looks like a secret reaches neither the agent nor the log', async () => {
  const token = `ghp_${'a1B2'.repeat(9)}`;
  const {id} = await bed.submit(shell(`env; echo ${token}; echo canary-deploy-value-1234`));
  await bed.finished(id);
  const log = await bed.log(id);
  expect(log).not.toMatch(/DEPLOY_TOKEN|NODE_OPTIONS|SSH_AUTH_SOCK|GIT_AUTHOR_NAME=(?!Switchyard\n)|BASH_ENV/);
  expect(log).not.toContain('canary-deploy-value-1234');
  expect(log).not.toContain(token);
  expect(log).toContain('ghp_****');
  expect(log).toContain('PATH=');
});

test.for([
  {script: 'exit 3', code: 'agent_failed', detail: 'the agent ended with exit code 3'},
  {script: 'kill -KILL $$', code: 'agent_failed', detail: 'the agent was ended by SIGKILL'},
])('[EE6] an agent that ends by $script fails with its reason', async ({script, code, detail}) => {
  const {id} = await bed.submit(shell(script));
  expect(await bed.finished(id)).toMatchObject({state: 'dead', failures: [{code, detail}]});
});

test('[EE6] an agent whose program is missing fails with its reason', async () => {
  const {id} = await bed.submit({prompt: 'x', agent: {driver: 'exec', command: ['no-such-agent']}, attempts_max: 1});
  expect((await bed.finished(id)).failures[0]).toMatchObject({
    code: 'agent_failed',
    detail: 'the command of the agent was not found on this runner',
  });
});

test.for([
  {
    what: 'a repository that does not exist',
    repository: {url: 'file:///nonexistent/repository'},
    code: 'repository_unreachable',
  },
  {what: 'an executable URL', repository: {url: 'ext::sh'}, code: 'repository_invalid'},
  {
    what: 'a credential in the URL',
    repository: {url: 'https://user:secret@example.com/r.git'},
    code: 'repository_invalid',
  },
])('[EE7] $what is refused with its reason, and the runner goes on', async ({repository, code}) => {
  const {id} = await bed.submit(shell('true', {repository}));
  const task = await bed.finished(id);
  expect(task.failures[0]).toMatchObject({code});
  expect(JSON.stringify(task.failures)).not.toContain('secret');
});

test('[EE7] a base branch that does not exist is refused with its reason', async () => {
  const {url} = await bed.repository('no-base');
  const {id} = await bed.submit(shell('true', {repository: {url, base: 'release'}}));
  expect((await bed.finished(id)).failures[0]).toMatchObject({code: 'base_not_found'});
});

test('[EE8] a message reaches the running agent once', async () => {
  const {id} = await bed.submit({prompt: 'await message', agent: {driver: 'scripted'}, attempts_max: 1});
  await bed.until(id, 'running', ({phase}) => phase === 'running');
  await bed.client.call(messageTask, {params: {task: id}, body: {text: 'turn left'}});
  expect((await bed.finished(id)).state).toBe('succeeded');
  expect((await bed.log(id)).split('a person says: turn left')).toHaveLength(2);
});

test('[EE9] two tasks on one repository never share a tree', async () => {
  const {url} = await bed.repository('shared');
  const where = join(bed.folder, 'trees');
  const script = `pwd >>${where}; echo $$ >mine; sleep 0.5; test "$(cat mine)" = $$`;
  const tasks = await Promise.all([1, 2, 3].map(async () => bed.submit(shell(script, {repository: {url}}))));
  for (const {id} of tasks) expect((await bed.finished(id)).state).toBe('succeeded');
  const trees = readFileSync(where, 'utf8').trim().split('\n');
  expect(new Set(trees).size).toBe(3);
  for (const tree of trees) await until(`${tree} is removed`, () => !existsSync(tree));
});

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

async function running(pattern: string): Promise<string> {
  const {stdout} = await execa('pgrep', ['-f', `^${pattern}[.]${own}$`], {reject: false});
  return stdout;
}
