import {existsSync, mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {execa} from 'execa';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {Bed, patientLease} from '../fixtures/installation.ts';

let bed: Bed;

beforeAll(async () => {
  bed = await Bed.start({lease: patientLease});
  await bed.runner('runner');
});
afterAll(async () => bed.stop());

test('[CA27] a repository inside of the repository runs nothing, neither for the git of an agent nor for ours', async () => {
  const {path, url} = await bed.repository();
  const trace = join(bed.folder, 'hook-ran');
  const inner = join(path, 'vendor', 'inner');
  for (const folder of ['objects', 'refs', 'hooks']) mkdirSync(join(inner, folder), {recursive: true});
  for (const file of ['objects/keep', 'refs/keep']) writeFileSync(join(inner, file), '');
  writeFileSync(join(inner, 'HEAD'), 'ref: refs/heads/main\n');
  writeFileSync(
    join(inner, 'config'),
    `[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = ../..\n\tfsmonitor = touch ${trace};false\n`,
  );
  writeFileSync(join(inner, 'hooks', 'pre-commit'), `#!/bin/sh\ntouch ${trace}\n`, {mode: 0o755});
  const git = async (...args: string[]) =>
    execa('git', ['-C', path, '-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args]);
  await git('add', '--all', '--force');
  await git('commit', '--quiet', '--message', 'inner');
  const script =
    'cd vendor/inner && { git status; git commit --allow-empty -m x; }; cd ../.. && git status && echo x > new.txt';
  const {id} = await bed.submit({
    prompt: 'look',
    repository: {url},
    agent: {driver: 'exec', command: ['/bin/sh', '-c', script]},
  });
  const task = await bed.finished(id);
  const log = await bed.log(id);
  expect(task.state, log).toBe('succeeded');
  expect(log).toContain("safe.bareRepository is 'explicit'");
  expect(existsSync(trace)).toBe(false);
});
