import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {Bed, type RunnerProcess} from '../fixtures/installation.ts';

let bed: Bed;
let runner: RunnerProcess;

const policy = {version: 1, environment: {allow: ['LANG', 'PROJECT_*']}};

beforeAll(async () => {
  bed = await Bed.start();
  const directory = join(bed.folder, 'runner', 'runner');
  mkdirSync(directory, {recursive: true, mode: 0o700});
  writeFileSync(join(directory, 'policy.json'), JSON.stringify(policy));
  const env = {PROJECT_REGION: 'eu-1', PROJECT_TOKEN: 'canary-of-the-project', ANTHROPIC_LOG: 'debug'};
  runner = await bed.runner('runner', {env});
}, 60_000);
afterAll(async () => bed.stop(), 60_000);

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
