import {expect, test} from 'vitest';
import {readDifference} from '../../../runner/src/worktree/difference.ts';
import type {Worktree} from '../../../runner/src/worktree/places.ts';
import {parseRepository} from '../../../runner/src/worktree/repository-url.ts';
import {addWorktree} from '../../../runner/src/worktree/worktree.ts';
import {commitAll, makeGround, put, sh, task, type Ground} from './ground.ts';

/** A worktree that begins at the branch `feature`, and the newest commit of `main`. */
async function underReview(ground: Ground): Promise<{readonly worktree: Worktree; readonly mainSha: string}> {
  const mirror = await ground.mirrors.sync(parseRepository(ground.upstream));
  const {sha} = await ground.mirrors.resolveBase(mirror, 'feature');
  const {worktree} = await addWorktree(ground.context, {mirror, task, epoch: 1, baseSha: sha});
  return {worktree, mainSha: (await ground.mirrors.resolveBase(mirror, 'main')).sha};
}

const wide = {filesMax: 100, patchBytesMax: 1_000_000};
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

test('[WT96] a change is what its branch did since it left the other side, file by file', async () => {
  const ground = makeGround();
  const {upstream} = ground;
  const parted = sh(upstream, 'rev-parse', 'HEAD');
  sh(upstream, 'checkout', '-q', '-b', 'feature');
  put(upstream, 'src/a.txt', 'one\n2\nthree\n');
  put(upstream, 'logo.png', Buffer.from([0, 1, 2, 0]));
  sh(upstream, 'mv', 'README.md', 'READ.md');
  const head = commitAll(upstream);
  sh(upstream, 'checkout', '-q', 'main');
  put(upstream, 'other.txt', 'somebody else\n');
  commitAll(upstream);
  const {worktree, mainSha} = await underReview(ground);
  const found = await readDifference(ground.context, worktree, {againstSha: mainSha, ...wide});
  expect(found).toMatchObject({
    fromSha: parted,
    toSha: head,
    total: '3 files changed, 1 insertion(+), 1 deletion(-)',
    files: ['0\t0\tREADME.md => READ.md', '-\t-\tlogo.png', '1\t1\tsrc/a.txt'],
    filesMore: 0,
    isCut: false,
  });
  expect(text(found.patch)).toContain('-two\n+2\n');
  expect(text(found.patch)).toContain('Binary files /dev/null and b/logo.png differ');
  expect(text(found.patch)).not.toContain('somebody else');
});

test('[WT96] nothing differs where the other side has the commit already', async () => {
  const ground = makeGround();
  sh(ground.upstream, 'branch', 'feature');
  const {worktree, mainSha} = await underReview(ground);
  const found = await readDifference(ground.context, worktree, {againstSha: mainSha, ...wide});
  expect(found).toMatchObject({fromSha: mainSha, toSha: mainSha, total: '', files: [], isCut: false});
  expect(found.patch).toHaveLength(0);
});

test('[WT97] a difference of any size is read as far as it was asked for, and says that it goes on', async () => {
  const ground = makeGround();
  const {upstream} = ground;
  sh(upstream, 'checkout', '-q', '-b', 'feature');
  for (let n = 0; n < 12; n += 1) put(upstream, `f${n}.txt`, `${'x'.repeat(99)}\n`.repeat(10_000));
  commitAll(upstream);
  const {worktree, mainSha} = await underReview(ground);
  const read = async (patchBytesMax: number) =>
    readDifference(ground.context, worktree, {againstSha: mainSha, filesMax: 5, patchBytesMax});
  const cut = await read(100_000);
  expect(cut).toMatchObject({filesMore: 7, isCut: true, total: '12 files changed, 120000 insertions(+)'});
  expect(cut.files).toHaveLength(5);
  expect(cut.patch).toHaveLength(100_000);
  const whole = await read(50_000_000);
  expect(whole.isCut).toBe(false);
  expect((await read(whole.patch.byteLength)).isCut).toBe(false);
  expect((await read(whole.patch.byteLength - 1)).isCut).toBe(true);
});

test('[WT98] a change cannot hide itself by attributes, and starts no program by them', async () => {
  const ground = makeGround();
  const {upstream} = ground;
  sh(upstream, 'checkout', '-q', '-b', 'feature');
  put(upstream, '.gitattributes', '* -diff\nsrc/a.txt diff=evil\n');
  put(upstream, 'src/a.txt', 'one\nhidden\nthree\n');
  put(upstream, 'b.txt', 'hidden too\n');
  commitAll(upstream);
  const {worktree, mainSha} = await underReview(ground);
  const found = await readDifference(ground.context, worktree, {againstSha: mainSha, ...wide});
  expect(text(found.patch)).toContain('+hidden\n');
  expect(text(found.patch)).toContain('+hidden too\n');
  expect(found.files).toContain('1\t0\tb.txt');
});
