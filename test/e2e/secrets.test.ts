import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {execa} from 'execa';
import {afterAll, beforeAll, expect, onTestFinished, test} from 'vitest';
import {listRunners} from '@switchyard/shared/api/runner-contracts.ts';
import {listTaskEvents, listTasks} from '@switchyard/shared/api/task-contracts.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {fileVault} from '../../runner/src/secrets/file-vault.ts';
import {modelKeyName} from '../../runner/src/secrets/model-keys.ts';
import {canaryEnvironment, canaryPolicy, Canaries, plantHome, writeDumpProgram} from '../fixtures/canaries.ts';
import {processesOf} from '../fixtures/cli.ts';
import {Bed, patientLease, type RunnerProcess} from '../fixtures/installation.ts';

let bed: Bed;
let runner: RunnerProcess;

const policy = {version: 1, environment: {allow: ['LANG', 'PROJECT_*']}};

beforeAll(async () => {
  bed = await Bed.start({lease: patientLease});
  const directory = join(bed.folder, 'runner', 'runner');
  mkdirSync(directory, {recursive: true, mode: 0o700});
  writeFileSync(join(directory, 'policy.json'), JSON.stringify(policy));
  const env = {PROJECT_REGION: 'eu-1', PROJECT_TOKEN: 'canary-of-the-project', ANTHROPIC_LOG: 'debug'};
  runner = await bed.runner('runner', {env});
});
afterAll(async () => bed.stop());

const shell = (script: string): TaskSpecInput => ({
  prompt: 'show it',
  agent: {driver: 'exec', command: ['/bin/sh', '-c', script]},
  attempts_max: 1,
});

test('[EN8] the policy says which variables agents see, and the runner names at its start what it kept out', async () => {
  const {id} = await bed.submit(shell('env'));
  expect((await bed.finished(id)).state).toBe('succeeded');
  const log = await bed.log(id);
  expect(log).toContain('PROJECT_REGION=eu-1');
  expect(log).not.toMatch(/PROJECT_TOKEN|ANTHROPIC_LOG/);
  const said = runner.lines().join('\n');
  expect(said).toContain('kept from agents, as secrets: PROJECT_TOKEN');
  expect(said).not.toContain('canary-of-the-project');
});

test('[PO4] a task with full access is refused on the host at once, and its failure holds the line to write', async () => {
  const {id} = await bed.submit({prompt: 'x', agent: {driver: 'scripted', profile: 'full-access'}});
  const {state, failures} = await bed.finished(id);
  expect(state).toBe('failed');
  expect(failures).toEqual([
    expect.objectContaining({
      code: 'policy_refused',
      detail: expect.stringContaining('write "full_access": ["docker","lima","host"] in policy.json'),
    }),
  ]);
});

test('[SE18] of all the secrets of a machine an agent that looks everywhere sees none, and none is left anywhere', async () => {
  const canaries = new Canaries();
  const home = await Bed.start({lease: patientLease});
  onTestFinished(async () => home.stop());
  plantHome(canaries, home.folder);
  const env = canaryEnvironment(canaries);
  const directory = join(home.folder, 'guarded', 'runner');
  const vault = fileVault(directory, env['SWITCHYARD_KEYS_PASSPHRASE'] ?? '');
  for (const provider of ['anthropic', 'openai'])
    await vault.set(modelKeyName(provider), canaries.make(`the key of ${provider}`));
  writeFileSync(join(directory, 'policy.json'), canaryPolicy(canaries));
  const guarded = await home.runner('guarded', {env});
  const {url, path} = await home.repository();
  const seen = join(home.folder, 'dump-exec');
  const {id} = await home.submit({
    prompt: 'look around',
    agent: {driver: 'exec', command: ['/bin/sh', '-c', `${writeDumpProgram(home.folder)} ${seen}; echo x >>README.md`]},
    repository: {url},
    attempts_max: 1,
  });
  const task = await home.finished(id);
  expect(task.state, await home.log(id)).toBe('succeeded');
  const dump = readFileSync(seen, 'utf8');
  for (const part of ['== git', `SWITCHYARD_TASK=${id}`, 'look around', 'remote.origin.url'])
    expect(dump).toContain(part);
  expect(canaries.in(dump)).toEqual([]);
  expect(canaries.in(await home.log(id))).toEqual([]);
  const answers = [
    await home.client.call(listTasks, {query: {}}),
    await home.client.call(listTaskEvents, {params: {task: id}, query: {}}),
    await home.client.call(listRunners, {}),
  ];
  expect(canaries.in(JSON.stringify([task, answers]))).toEqual([]);
  expect(processesOf(home.folder).flatMap(({command}) => canaries.in(command))).toEqual([]);
  const {stdout} = await execa('git', ['-C', path, 'log', '--all', '--patch']);
  expect(canaries.in(stdout)).toEqual([]);
  await guarded.kill('SIGINT');
  // What was planted is where it was planted, and nowhere else.
  const planted = ['.git-credentials', '.gitconfig', '.netrc', '.npmrc', '.aws', '.ssh', '.claude', '.codex'];
  const shells = ['.profile', '.bashrc', '.zshenv', 'guarded/runner/policy.json'];
  expect(
    canaries.inFiles(
      home.folder,
      [...planted, ...shells].map(name => join(home.folder, name)),
    ),
  ).toEqual([]);
});

test('[SE19] a secret that an agent says is masked in its events, its progress and its result as in its log', async () => {
  const token = `ghp_${'a1B2c3D4'.repeat(5)}`;
  const says = (...lines: readonly object[]): TaskSpecInput => {
    const script = lines.map(line => `echo '${JSON.stringify(line)}'`).join('; ');
    const agent = {driver: 'exec' as const, command: ['/bin/sh', '-c', script], output: 'json' as const};
    return {prompt: 'say it', agent, attempts_max: 1};
  };
  const used = {type: 'tool.started', id: 'one', tool: 'Read', input: {text: token}};
  const {id} = await bed.submit(says(used, {type: 'result', summary: `It is ${token}.`, is_error: false}));
  const task = await bed.finished(id);
  const log = await bed.log(id);
  expect(task, log).toMatchObject({state: 'succeeded', result: {summary: expect.stringMatching(/^It is \S*\*{8}/)}});
  const {events} = await bed.client.call(listTaskEvents, {params: {task: id}, query: {after: 0, limit: 100}});
  const told = JSON.stringify([task.result, events, log]);
  expect(told).toContain('"tool":"Read"');
  expect(told).not.toContain(token);
  const failing = await bed.submit(says({type: 'result', summary: `It leaked ${token}`, is_error: true}));
  const failed = await bed.finished(failing.id);
  expect(failed.failures).toMatchObject([{code: 'agent_failed', detail: expect.stringContaining('It leaked ')}]);
  expect(JSON.stringify(failed.failures)).not.toContain(token);
});
