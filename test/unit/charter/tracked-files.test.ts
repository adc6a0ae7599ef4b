import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import fc from 'fast-check';
import {expect, onTestFinished, test} from 'vitest';
import {smallText} from '../../../runner/src/agent/small-text.ts';
import {trackedFiles} from '../../../runner/src/agent/tracked-files.ts';

/** A repository with two files that git keeps and one that it does not. */
function repository(): {root: string; git: (...args: string[]) => unknown} {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'charter-')));
  onTestFinished(() => rmSync(root, {recursive: true}));
  const git = (...args: string[]): unknown => execFileSync('git', ['-C', root, ...args], {stdio: 'pipe'});
  git('init', '-q');
  mkdirSync(join(root, 'a'));
  for (const name of ['a/ä b', 'exactly', 'not']) writeFileSync(join(root, name), '');
  git('add', 'a', 'exactly');
  return {root, git};
}

test('[CA39] what git keeps is read from its index, also of a worktree and of a folder below', () => {
  const {root, git} = repository();
  const kept = [join(root, 'a/ä b'), join(root, 'exactly')];
  expect(trackedFiles(root)).toEqual(kept);
  expect(trackedFiles(join(root, 'a'))).toEqual(kept);
  git('-c', 'user.name=a', '-c', 'user.email=a@example.com', 'commit', '-qm', 'x');
  git('worktree', 'add', '-q', 'tree');
  expect(trackedFiles(join(root, 'tree'))).toEqual([join(root, 'tree/a/ä b'), join(root, 'tree/exactly')]);
  git('add', '-N', 'not');
  expect(trackedFiles(root)).toContain(join(root, 'not'));
  git('update-index', '--index-version', '4');
  expect(trackedFiles(root)).toBe(undefined);
  expect(trackedFiles('/')).toEqual([]);
});

test('[CA39] whatever lies in the place of an index, it is read or not known', () => {
  const {root} = repository();
  const path = join(root, '.git/index');
  const real = readFileSync(path);
  const spoilt = fc
    .tuple(fc.nat({max: real.length - 1}), fc.nat({max: 255}), fc.nat({max: real.length}))
    .map(([at, byte, length]) => {
      const bytes = Buffer.from(real);
      bytes[at] = byte;
      return bytes.subarray(0, length);
    });
  fc.assert(
    fc.property(
      fc.oneof(
        spoilt,
        fc.uint8Array({maxLength: 300}).map(bytes => Buffer.from(bytes)),
      ),
      bytes => {
        writeFileSync(path, bytes);
        const names = trackedFiles(root);
        return names === undefined || names.length < 600;
      },
    ),
    {numRuns: 300},
  );
});

test('[CA39] a pipe in the place of a file is not waited for', () => {
  const {root} = repository();
  rmSync(join(root, '.git/index'));
  for (const name of ['.git/index', 'script.sh']) execFileSync('mkfifo', [join(root, name)]);
  expect(trackedFiles(root)).toBe(undefined);
  expect(smallText(join(root, 'script.sh'))).toBe(undefined);
  expect(smallText(root)).toBe(undefined);
});
