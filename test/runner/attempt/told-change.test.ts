import {existsSync, readFileSync, statSync} from 'node:fs';
import {expect, test} from 'vitest';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {prepareTree, type Trees} from '../../../runner/src/attempt/attempt-tree.ts';
import type {AttemptPlan} from '../../../runner/src/attempt/attempt-work.ts';
import {runDirectoryOf} from '../../../runner/src/attempt/attempt-paths.ts';
import {changeOf} from '../../../runner/src/attempt/told-change.ts';
import {readPrompt, writePrompt} from '../../../runner/src/attempt/told-prompt.ts';
import {createRunDirectory} from '../../../runner/src/executor/run-directory.ts';
import {commitAll, makeGround, put, sh, task} from '../worktree/ground.ts';

const never = new AbortController().signal;

/** An attempt on the branch `feature` of a ground, whose worktree is made. */
async function prepared(change: (upstream: string) => void, spec: Partial<TaskSpecInput> = {}) {
  const {context, mirrors, upstream} = makeGround();
  sh(upstream, 'checkout', '-q', '-b', 'feature');
  change(upstream);
  const head = commitAll(upstream);
  sh(upstream, 'checkout', '-q', 'main');
  const plan: AttemptPlan = {
    task,
    epoch: 1,
    branch: `switchyard/${task}/e1`,
    logTicket: 'ticket',
    spec: taskSpecSchema.parse({
      prompt: 'Look at it.',
      repository: {url: upstream, base: 'feature'},
      agent: {type: 'reviewer', driver: 'claude'},
      ...spec,
    }),
  };
  const trees: Trees = {context, mirrors};
  const worktree = await prepareTree(trees, plan, never);
  if (worktree === undefined) throw new Error('no worktree');
  const runDir = runDirectoryOf(context.root, plan);
  await createRunDirectory(runDir);
  const read = async () => changeOf(trees, plan, {runDir, worktree, signal: never});
  return {upstream, plan, head, runDir, read};
}

test('[PM20] what a branch brings is read for its reviewer, against the default branch', async () => {
  const {upstream, head, read} = await prepared(path => put(path, 'src/a.txt', 'one\n2\nthree\n'));
  const change = await read();
  expect(change).toMatchObject({head, into: 'main', from: sh(upstream, 'rev-parse', 'main')});
  expect(change?.shown).toMatchObject({files: '1\t1\tsrc/a.txt', patch: expect.stringContaining('-two\n+2\n')});
  expect(change?.shown).not.toHaveProperty('rest');
});

test('[PM20] what is too long for the prompt lies whole in a file that cannot be written, and goes on there', async () => {
  const lines = Array.from({length: 9_000}, (_, n) => `line ${n} ü`).join('\n');
  const {read} = await prepared(path => put(path, 'long.txt', `${lines}\n`));
  const shown = (await read())?.shown;
  const {path = '', line = 0, isWhole} = shown?.rest ?? {};
  const all = readFileSync(path, 'utf8');
  expect(isWhole).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o400);
  expect(Buffer.byteLength(shown?.patch ?? '')).toBeLessThanOrEqual(limits.changeShownBytesMax);
  expect(all.startsWith(shown?.patch ?? '-')).toBe(true);
  expect(
    `${shown?.patch}${all
      .split('\n')
      .slice(line - 1)
      .join('\n')}`,
  ).toBe(all);
  expect(all).toContain('+line 8999 ü\n');
  // The same again, as after a restart.
  expect((await read())?.shown).toEqual(shown);
});

test('[PM20] one endless line is cut in the prompt and in the file, and both say so', async () => {
  const {read} = await prepared(path => put(path, 'min.js', 'x'.repeat(limits.changeFileBytesMax + 1)));
  const shown = (await read())?.shown;
  expect(shown?.rest).toMatchObject({isWhole: false});
  expect(statSync(shown?.rest?.path ?? '').size).toBe(limits.changeFileBytesMax);
});

test('[PM21] who mends is told the commits, and nobody else is told anything', async () => {
  const edit = (path: string): void => put(path, 'src/a.txt', 'x\n');
  const brief = {review_feedback: 'No.'};
  const mending = await prepared(edit, {agent: {type: 'coding', driver: 'claude'}, brief});
  const change = await mending.read();
  expect(change).toEqual({head: mending.head, from: sh(mending.upstream, 'rev-parse', 'main'), into: 'main'});
  const coding = await prepared(edit, {agent: {type: 'coding', driver: 'claude'}});
  expect(await coding.read()).toBe(undefined);
  expect(existsSync(`${coding.runDir}/change.diff`)).toBe(false);
});

test('[PM22] a branch to be merged into that does not exist is said before any agent starts', async () => {
  const {read, plan} = await prepared(path => put(path, 'src/a.txt', 'x\n'));
  Object.assign(plan.spec.repository ?? {}, {against: 'nowhere'});
  await expect(read()).rejects.toMatchObject({code: 'base_not_found'});
});

test('[PM24] a runner that starts over tells what was written down, although the other side went on', async () => {
  const {upstream, plan, runDir, read} = await prepared(path => put(path, 'src/a.txt', 'x\n'));
  await writePrompt(runDir, plan, await read());
  const told = await readPrompt(runDir, plan);
  expect(told).toContain('DATA-1-difference');
  sh(upstream, 'merge', '-q', '--ff-only', 'feature');
  expect(await readPrompt(runDir, plan)).toBe(told);
});
