import {spawn} from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, onTestFinished, test} from 'vitest';
import {commitRest} from '../../../runner/src/worktree/commit-rest.ts';
import {adminPath} from '../../../runner/src/worktree/places.ts';
import {pushAttempt} from '../../../runner/src/worktree/push.ts';
import {discard, emptyTrash, removeWorktree} from '../../../runner/src/worktree/remove.ts';
import {salvage} from '../../../runner/src/worktree/salvage.ts';
import {addWorktree} from '../../../runner/src/worktree/worktree.ts';
import {
  author,
  codeOf,
  commitAll,
  makeContext,
  makeGround,
  makeWorktree,
  put,
  sh,
  task,
  temporaryDirectory,
} from './ground.ts';

const ref = `refs/salvage/${task}/e1`;
/** The trash is emptied when nobody else wants the processors. */
const atIdlePriority = {timeout: 90_000};

describe('salvage', () => {
  test('[WT70] changed, new, deleted and committed work comes back byte for byte', async () => {
    const ground = makeGround();
    put(ground.upstream, '.gitattributes', '* text=auto eol=lf\n*.bin -text\n');
    commitAll(ground.upstream);
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'committed.txt', 'c\n');
    const head = commitAll(worktree.path);
    const bytes = Buffer.from(Array.from({length: 70_000}, (_, n) => (n * 31) % 256));
    const files: Record<string, Buffer> = {
      'src/a.txt': Buffer.from('crlf\r\nstays\r\n'),
      'new\nline "q" \\ ü.txt': Buffer.from('odd name\n'),
      'deep/er/data.bin': bytes,
      empty: Buffer.alloc(0),
    };
    for (const [path, content] of Object.entries(files)) put(worktree.path, path, content);
    put(worktree.path, 'run.sh', '#!/bin/sh\n');
    chmodSync(join(worktree.path, 'run.sh'), 0o755);
    symlinkSync('/etc/passwd', join(worktree.path, 'link'));
    rmSync(join(worktree.path, 'README.md'));
    put(worktree.path, 'ignored/cache', 'not kept');
    const before = {branch: sh(worktree.path, 'rev-parse', 'HEAD'), status: sh(worktree.path, 'status', '--porcelain')};

    const saved = await salvage(ground.context, worktree);
    expect(saved).toMatchObject({ref, wasDirty: true, skipped: []});
    expect({
      branch: sh(worktree.path, 'rev-parse', 'HEAD'),
      status: sh(worktree.path, 'status', '--porcelain'),
    }).toEqual(before);
    expect(sh(worktree.mirror.path, 'rev-parse', `${ref}^`)).toBe(head);
    for (const [path, content] of Object.entries(files))
      expect(await blob(ground.context.git, worktree.mirror.path, path)).toEqual(content);
    const tree = sh(worktree.mirror.path, 'ls-tree', '-r', '-z', ref)
      .split('\0')
      .filter(line => line !== '')
      .map(line => `${line.slice(0, 6)} ${line.slice(line.indexOf('	') + 1)}`);
    expect(tree.toSorted()).toEqual(
      [
        '100644 .gitattributes',
        '100644 .gitignore',
        '100644 committed.txt',
        '100644 deep/er/data.bin',
        '100644 empty',
        '100644 new\nline "q" \\ ü.txt',
        '100644 src/a.txt',
        '100755 run.sh',
        '120000 link',
      ].toSorted(),
    );
    expect((await blob(ground.context.git, worktree.mirror.path, 'link')).toString()).toBe('/etc/passwd');
  });

  test('[WT71] commits that are not upstream are kept, and nothing is kept when all is upstream', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    expect(await salvage(ground.context, worktree)).toBeUndefined();
    put(worktree.path, 'w.txt', 'w\n');
    const head = commitAll(worktree.path);
    expect(await salvage(ground.context, worktree)).toEqual({ref, sha: head, wasDirty: false, skipped: []});
    sh(worktree.mirror.path, 'update-ref', '-d', ref);
    await pushAttempt(ground.context, worktree);
    expect(await salvage(ground.context, worktree)).toBeUndefined();
  });

  test('[WT71] work on a detached head and on the branch are both kept', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'on-branch.txt', 'b\n');
    const branchTip = commitAll(worktree.path);
    sh(worktree.path, 'checkout', '-q', '--detach', worktree.baseSha);
    put(worktree.path, 'detached.txt', 'd\n');
    const detached = commitAll(worktree.path);
    await salvage(ground.context, worktree);
    expect(sh(worktree.mirror.path, 'rev-parse', `${ref}^1`, `${ref}^2`).split('\n')).toEqual([detached, branchTip]);
  });

  test('[WT72] work is kept from a tree with a merge in progress, a broken index or lost data', async () => {
    const ground = makeGround();
    for (const [epoch, damage] of [
      [1, (path: string) => writeFileSync(join(path, 'index'), 'broken')],
      [2, (path: string) => rmSync(path, {recursive: true})],
      [3, (path: string) => writeFileSync(join(path, 'index.lock'), '')],
    ] as const) {
      const worktree = await makeWorktree(ground, epoch);
      put(worktree.path, 'src/a.txt', `work ${epoch}\n`);
      put(worktree.path, 'new.txt', `new ${epoch}\n`);
      damage(adminPath(worktree));
      const saved = await salvage(ground.context, worktree);
      expect(saved?.wasDirty).toBe(true);
      expect(sh(worktree.mirror.path, 'show', `${saved?.sha}:src/a.txt`)).toBe(`work ${epoch}`);
      expect(sh(worktree.mirror.path, 'show', `${saved?.sha}:new.txt`)).toBe(`new ${epoch}`);
    }
  });

  test('[WT73] files of a repository that was made inside the tree are kept', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    mkdirSync(join(worktree.path, 'inner'));
    sh(join(worktree.path, 'inner'), 'init', '-q');
    put(worktree.path, 'inner/lib/x.txt', 'x\n');
    commitAll(join(worktree.path, 'inner'));
    await salvage(ground.context, worktree);
    expect(sh(worktree.mirror.path, 'show', `${ref}:inner/lib/x.txt`)).toBe('x');
  });
});

async function blob(git: ReturnType<typeof makeContext>['git'], cwd: string, path: string): Promise<Buffer> {
  return Buffer.from((await git(['cat-file', 'blob', `${ref}:${path}`], {cwd, gitDir: cwd})).stdout);
}

describe('a removal', () => {
  test('[WT74] the tree, its branch and its record go, what was not pushed stays under the salvage ref', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'w.txt', 'w\n');
    const {salvaged} = await removeWorktree(ground.context, worktree);
    expect(salvaged).toMatchObject({ref, wasDirty: true});
    expect(existsSync(worktree.path)).toBe(false);
    expect(existsSync(adminPath(worktree))).toBe(false);
    expect(readdirSync(join(ground.context.root, 'worktrees', worktree.mirror.repository.directory))).toEqual([]);
    expect(sh(worktree.mirror.path, 'for-each-ref', '--format=%(refname)')).toBe(
      ['refs/remotes/origin/HEAD', 'refs/remotes/origin/main', ref].join('\n'),
    );
    await expect.poll(() => readdirSync(join(ground.context.root, 'trash')), atIdlePriority).toEqual([]);
    expect(await removeWorktree(ground.context, worktree)).toEqual({salvaged: undefined});
    const again = await addWorktree(ground.context, {
      mirror: worktree.mirror,
      task,
      epoch: 1,
      baseSha: worktree.baseSha,
    });
    expect(again.isNew).toBe(true);
  });

  test('[WT75] a tree in which a process works is left alone', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    const child = spawn('sleep', ['60'], {cwd: join(worktree.path, 'src'), stdio: 'ignore'});
    onTestFinished(() => void child.kill('SIGKILL'));
    await new Promise(resolve => child.once('spawn', resolve));
    expect(await codeOf(() => removeWorktree(ground.context, worktree))).toBe('worktree_busy');
    expect(existsSync(join(worktree.path, 'README.md'))).toBe(true);
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    expect(await removeWorktree(ground.context, worktree)).toEqual({salvaged: undefined});
  });

  test('[WT76] nothing outside of the root, and nothing behind a link, is ever taken away', async () => {
    const base = temporaryDirectory();
    const context = makeContext(base);
    put(base, 'mine/deep/file.txt', 'mine\n');
    mkdirSync(join(context.root, 'worktrees'));
    symlinkSync(join(base, 'mine'), join(context.root, 'worktrees', 'link'));
    for (const path of [
      join(base, 'mine'),
      join(context.root, 'worktrees', 'link', 'deep'),
      join(context.root, '..', 'mine', 'deep'),
      `${context.root}/worktrees/../../mine`,
      context.root,
      join(context.root, 'worktrees'),
      base,
    ]) {
      expect(await codeOf(() => discard(context, path))).toBe('internal');
    }
    await discard(context, join(context.root, 'worktrees', 'link'));
    await expect.poll(() => readdirSync(join(context.root, 'trash')), atIdlePriority).toEqual([]);
    expect(readFileSync(join(base, 'mine/deep/file.txt'), 'utf8')).toBe('mine\n');
  });

  test('[WT76] a tree that was replaced by a link is not followed, and the commits of its branch are kept', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'w.txt', 'w\n');
    const tip = commitAll(worktree.path);
    put(ground.base, 'mine/file.txt', 'mine\n');
    renameSync(worktree.path, join(ground.base, 'moved'));
    symlinkSync(join(ground.base, 'mine'), worktree.path);
    expect(await codeOf(() => commitRest(ground.context, worktree, {message: 'rest', author}))).toBe('git_failed');
    expect(await removeWorktree(ground.context, worktree)).toEqual({
      salvaged: {ref, sha: tip, wasDirty: false, skipped: []},
    });
    expect(readdirSync(join(ground.base, 'mine'))).toEqual(['file.txt']);
    const again = await addWorktree(ground.context, {
      mirror: worktree.mirror,
      task,
      epoch: 1,
      baseSha: worktree.baseSha,
    });
    expect(again.isNew).toBe(true);
  });

  test('[WT77] what a killed runner left in the trash is deleted at the next start, read-only directories too', async () => {
    const context = makeContext(temporaryDirectory());
    put(context.root, 'trash/x/readonly/file', 'x');
    chmodSync(join(context.root, 'trash/x/readonly'), 0o500);
    expect(await emptyTrash(context)).toEqual({entries: 1});
    await expect.poll(() => readdirSync(join(context.root, 'trash')), atIdlePriority).toEqual([]);
    expect(await emptyTrash(context)).toEqual({entries: 0});
  });
});
