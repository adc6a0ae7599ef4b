import {existsSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {adminPath} from '../../../runner/src/worktree/places.ts';
import {pushAttempt} from '../../../runner/src/worktree/push.ts';
import {listWorktrees} from '../../../runner/src/worktree/record.ts';
import {parseRepository} from '../../../runner/src/worktree/repository-url.ts';
import {mirrorGit} from '../../../runner/src/worktree/sealed-git.ts';
import {addWorktree, findWorktree, repairWorktree} from '../../../runner/src/worktree/worktree.ts';
import {codeOf, commitAll, makeGround, makeWorktree, put, sh, task} from './ground.ts';

describe('a worktree', () => {
  test('[WT20] an attempt gets the files of its base on a branch of its own, locked with its name', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    expect(readFileSync(join(worktree.path, 'src/a.txt'), 'utf8')).toBe('one\ntwo\nthree\n');
    expect(sh(worktree.path, 'symbolic-ref', 'HEAD')).toBe(`refs/heads/switchyard/${task}/e1`);
    expect(sh(worktree.path, 'rev-parse', 'HEAD')).toBe(worktree.baseSha);
    expect(sh(worktree.path, 'status', '--porcelain')).toBe('');
    expect(sh(worktree.mirror.path, 'worktree', 'list', '--porcelain')).toContain(`locked switchyard:${task}:1`);
  });

  test('[WT21] asking again for the same attempt returns the same tree with what is in it', async () => {
    const ground = makeGround();
    const first = await makeWorktree(ground);
    put(first.path, 'new.txt', 'kept\n');
    const second = await addWorktree(ground.context, {mirror: first.mirror, task, epoch: 1, baseSha: first.baseSha});
    expect(second).toEqual({worktree: first, isNew: false});
    expect(readFileSync(join(first.path, 'new.txt'), 'utf8')).toBe('kept\n');
  });

  test('[WT22] two tasks, and two attempts of one task, never share a tree or a branch', async () => {
    const ground = makeGround();
    const trees = [
      await makeWorktree(ground, 1, 'acme'),
      await makeWorktree(ground, 2, 'acme'),
      await makeWorktree(ground, 1, 'acme2'),
      await makeWorktree(ground, 1, 'acme-e1'),
    ];
    expect(new Set(trees.map(({path}) => path)).size).toBe(4);
    expect(new Set(trees.map(({branch}) => branch)).size).toBe(4);
    for (const {path} of trees) expect(sh(path, 'status', '--porcelain')).toBe('');
  });

  test('[WT23] ten adds at once on one mirror while it is pruned all succeed', async () => {
    const ground = makeGround();
    for (let n = 0; n < 300; n += 1) put(ground.upstream, `many/${n}.txt`, `${n}\n`);
    sh(ground.upstream, 'add', '-A');
    sh(ground.upstream, 'commit', '-q', '-m', 'many');
    const mirror = await ground.mirrors.sync(parseRepository(ground.upstream));
    const {sha} = await ground.mirrors.resolveBase(mirror, 'main');
    let isAdding = true;
    let prunes = 0;
    const pruning = (async () => {
      while (isAdding) {
        const {exitCode} = await mirrorGit(ground.context, mirror)(['worktree', 'prune']);
        expect(exitCode).toBe(0);
        prunes += 1;
      }
    })();
    const added = await Promise.all(
      Array.from({length: 10}, (_, n) =>
        addWorktree(ground.context, {mirror, task: `task${n}`, epoch: 1, baseSha: sha}),
      ),
    );
    isAdding = false;
    await pruning;
    expect(prunes).toBeGreaterThan(0);
    for (const {worktree, isNew} of added) {
      expect(isNew).toBe(true);
      expect(sh(worktree.path, 'status', '--porcelain')).toBe('');
      expect(readFileSync(join(worktree.path, 'many/299.txt'), 'utf8')).toBe('299\n');
    }
  });

  test('[WT24] the same attempt asked for ten times at once is made once', async () => {
    const ground = makeGround();
    const mirror = await ground.mirrors.sync(parseRepository(ground.upstream));
    const {sha} = await ground.mirrors.resolveBase(mirror, 'main');
    const added = await Promise.all(
      Array.from({length: 10}, () => addWorktree(ground.context, {mirror, task, epoch: 1, baseSha: sha})),
    );
    expect(added.filter(({isNew}) => isNew)).toHaveLength(1);
    expect(new Set(added.map(({worktree}) => worktree.path)).size).toBe(1);
  });

  test('[WT25] a tree whose data in the mirror was lost is repaired without a change to its files', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'committed.txt', 'c\n');
    sh(worktree.path, 'add', 'committed.txt');
    sh(worktree.path, 'commit', '-q', '-m', 'work');
    const tip = sh(worktree.path, 'rev-parse', 'HEAD');
    put(worktree.path, 'src/a.txt', 'changed\n');
    rmSync(adminPath(worktree), {recursive: true});
    expect(await repairWorktree(ground.context, worktree)).toBe(true);
    expect(sh(worktree.path, 'rev-parse', 'HEAD')).toBe(tip);
    expect(sh(worktree.path, 'status', '--porcelain')).toBe(' M src/a.txt');
  });

  test('[WT25] a tree whose .git file was rewritten is repaired', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    writeFileSync(join(worktree.path, '.git'), 'gitdir: /nowhere\n');
    expect(await repairWorktree(ground.context, worktree)).toBe(true);
    expect(sh(worktree.path, 'status', '--porcelain')).toBe('');
    rmSync(worktree.path, {recursive: true});
    expect(await repairWorktree(ground.context, worktree)).toBe(false);
  });

  test('[WT26] a tree that vanished is made again with the commits of its branch', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'work.txt', 'w\n');
    sh(worktree.path, 'add', '-A');
    sh(worktree.path, 'commit', '-q', '-m', 'work');
    rmSync(worktree.path, {recursive: true});
    expect(await findWorktree(ground.context, worktree.mirror, task, 1)).toBeUndefined();
    const again = await addWorktree(ground.context, {
      mirror: worktree.mirror,
      task,
      epoch: 1,
      baseSha: worktree.baseSha,
    });
    expect(again.isNew).toBe(true);
    expect(readFileSync(join(worktree.path, 'work.txt'), 'utf8')).toBe('w\n');
  });

  test('[WT27] what an interrupted add left behind is cleared, and commits on its branch are kept', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'work.txt', 'w\n');
    sh(worktree.path, 'add', '-A');
    sh(worktree.path, 'commit', '-q', '-m', 'work');
    const tip = sh(worktree.path, 'rev-parse', 'HEAD');
    rmSync(`${worktree.path}.json`);
    const again = await addWorktree(ground.context, {
      mirror: worktree.mirror,
      task,
      epoch: 1,
      baseSha: worktree.baseSha,
    });
    expect(again.isNew).toBe(true);
    expect(existsSync(join(worktree.path, 'work.txt'))).toBe(false);
    expect(sh(worktree.mirror.path, 'rev-parse', `refs/salvage/${task}/e1-branch`)).toBe(tip);
  });

  test('[WT28] a branch that stands in the way is moved to the salvage refs', async () => {
    const ground = makeGround();
    const first = await makeWorktree(ground, 1, 'other');
    sh(first.path, 'checkout', '-q', '--detach');
    sh(first.mirror.path, 'update-ref', '-d', `refs/heads/${first.branch}`);
    sh(first.mirror.path, 'update-ref', 'refs/heads/switchyard', first.baseSha);
    const second = await makeWorktree(ground);
    expect(sh(second.path, 'rev-parse', 'HEAD')).toBe(first.baseSha);
    expect(sh(first.mirror.path, 'for-each-ref', 'refs/salvage/displaced')).toContain(first.baseSha);
  });

  test.for([['switchyard'], [`switchyard/${task}`]])(
    '[WT34] a branch %s upstream is refused by name before any work, and is no obstacle once it is renamed',
    async ([name = '']) => {
      const ground = makeGround();
      sh(ground.upstream, 'branch', name);
      await expect(makeWorktree(ground)).rejects.toMatchObject({
        code: 'branch_conflict',
        detail: expect.stringContaining(`has a branch ${name}: switchyard/${task}/e1 cannot exist beside it`),
      });
      expect(existsSync(join(ground.context.root, 'worktrees', 'x'))).toBe(false);
      sh(ground.upstream, 'branch', '-m', name, 'other');
      expect(existsSync((await makeWorktree(ground)).path)).toBe(true);
    },
  );

  test('[WT34] one that came after the preparation is named by the push, which sends nothing', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'README.md', 'changed\n');
    commitAll(worktree.path);
    sh(ground.upstream, 'branch', 'switchyard');
    await expect(pushAttempt(ground.context, worktree)).rejects.toMatchObject({code: 'branch_conflict'});
    expect(sh(ground.upstream, 'for-each-ref', '--format=%(refname)', 'refs/heads/switchyard')).toBe(
      'refs/heads/switchyard',
    );
  });

  test('[WT29] worktrees are listed with their attempt; a forged or misplaced record is not', async () => {
    const ground = makeGround();
    const [first, second] = [await makeWorktree(ground, 1), await makeWorktree(ground, 2)];
    const directory = first.mirror.repository.directory;
    writeFileSync(join(ground.context.root, 'worktrees', directory, 'x-e9.json'), readFileSync(`${first.path}.json`));
    writeFileSync(join(ground.context.root, 'worktrees', directory, 'y-e1.json'), '{');
    const listed = await listWorktrees(ground.context);
    expect(listed.toSorted((a, b) => a.epoch - b.epoch)).toEqual([first, second]);
    expect(await listWorktrees(ground.context, 'none')).toEqual([]);
  });

  test.for(['main', 'HEAD', '--orphan', '', 'abc1234'])(
    '[WT30] the start point %j is refused: only a full commit id is taken',
    async baseSha => {
      const ground = makeGround();
      const mirror = await ground.mirrors.sync(parseRepository(ground.upstream));
      expect(await codeOf(() => addWorktree(ground.context, {mirror, task, epoch: 1, baseSha}))).toBe(
        'invalid_request',
      );
    },
  );

  test('[WT31] links in the repository are checked out as links and nothing is written through them', async () => {
    const ground = makeGround();
    const target = join(ground.base, 'outside');
    put(ground.base, 'outside/file.txt', 'mine\n');
    symlinkSync(target, join(ground.upstream, 'link'));
    sh(ground.upstream, 'add', '-A');
    sh(ground.upstream, 'commit', '-q', '-m', 'link');
    const worktree = await makeWorktree(ground);
    expect(sh(worktree.path, 'status', '--porcelain')).toBe('');
    expect(readFileSync(join(target, 'file.txt'), 'utf8')).toBe('mine\n');
  });
});
