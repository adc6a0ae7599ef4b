import {spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {mkdirSync, mkdtempSync, realpathSync, rmdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {DatabaseSync} from 'node:sqlite';
import {execa} from 'execa';
import {expect, onTestFinished, test} from 'vitest';
import {findCgroupBase} from '../../runner/src/executor/cgroup.ts';
import {openJournal} from '../../runner/src/state/journal.ts';
import {leftoversOf, removeCgroups} from '../chaos/leftovers.ts';

test('[CH18] whatever an attempt left on the machine is reported by name', async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'chaos-leftovers-')));
  const state = join(folder, 'runner');
  const left = (): string[] => leftoversOf({folder, runnerStates: [state], isExpected: () => false});
  openJournal({directory: state, bootId: 'boot', wallMs: 0}).close();
  const mirror = join(state, 'mirrors', 'acme');
  await execa('git', ['init', '--quiet', '--bare', mirror]);
  expect(left()).toEqual([]);

  const child = spawn('sleep', ['600'], {env: {...process.env, SWITCHYARD_RUN: folder}, stdio: 'ignore'});
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'spawn');
  for (const name of ['runs/tsk_a-e1', 'trash/tsk_b-e1.00', 'worktrees/acme/tsk_c-e2'])
    mkdirSync(join(state, name), {recursive: true});
  writeFileSync(join(mirror, 'packed-refs.lock'), '');
  const tree = join(folder, 'tree');
  const git = async (args: string[]): Promise<string> =>
    (await execa('git', ['-C', mirror, ...args], {input: ''})).stdout;
  const author = ['-c', 'user.name=t', '-c', 'user.email=t@localhost'];
  const commit = await git([...author, 'commit-tree', await git(['mktree']), '-m', 'empty']);
  await git(['worktree', 'add', '--quiet', '--detach', tree, commit]);
  const hash = createHash('sha256').update(state).digest('hex').slice(0, 8);
  const cgroupBase = await findCgroupBase(`switchyard-${hash}`);
  const cgroups = cgroupBase === undefined ? [] : [join(cgroupBase, 'tsk_e-e1')];
  for (const cgroup of cgroups) mkdirSync(cgroup);
  onTestFinished(() => {
    for (const cgroup of cgroups) rmdirSync(cgroup);
    removeCgroups([state]);
    rmSync(folder, {recursive: true});
  });
  const journal = new DatabaseSync(join(state, 'journal.sqlite'));
  journal.exec("INSERT INTO attempt (task, epoch, state, body) VALUES ('tsk_d', 3, 'running', '{}')");
  journal.close();

  expect(left()).toEqual([
    `process ${child.pid}: sleep 600 `,
    `attempt in the journal of ${state}: {"task":"tsk_d","epoch":3,"state":"running"}`,
    `runs/tsk_a-e1 in ${state}`,
    `trash/tsk_b-e1.00 in ${state}`,
    `worktree acme/tsk_c-e2 in ${state}`,
    `lock ${mirror}/packed-refs.lock`,
    `git lists worktree ${tree} in ${mirror}`,
    ...cgroups.map(cgroup => `cgroup ${cgroup}`),
  ]);
});
