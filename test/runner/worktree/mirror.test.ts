import {existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {join} from 'node:path';
import {describe, expect, onTestFinished, test} from 'vitest';
import {createGit, type Git} from '../../../runner/src/worktree/git.ts';
import {Mirrors} from '../../../runner/src/worktree/mirror.ts';
import {hostProcesses} from '../../../runner/src/executor/process-table.ts';
import {parseRepository} from '../../../runner/src/worktree/repository-url.ts';
import {addWorktree, repairWorktree} from '../../../runner/src/worktree/worktree.ts';
import {
  codeOf,
  commitAll,
  makeContext,
  makeGround,
  makeUpstream,
  makeWorktree,
  put,
  sh,
  task,
  temporaryDirectory,
} from './ground.ts';

/** Counts what is run, and runs it. */
function counting(git: Git): {git: Git; countOf: (command: string) => number} {
  const commands: string[] = [];
  return {
    git: (args, call) => {
      commands.push(args[0] ?? '');
      return git(args, call);
    },
    countOf: command => commands.filter(each => each === command).length,
  };
}

describe('a mirror', () => {
  test('[WT11] upstream is mirrored bare, with its branches apart from those of attempts', async () => {
    const ground = makeGround();
    sh(ground.upstream, 'branch', 'switchyard/x/e1');
    const worktree = await makeWorktree(ground, 1, 'x');
    put(worktree.path, 'w.txt', 'w\n');
    const tip = commitAll(worktree.path);
    sh(ground.upstream, 'branch', '-D', 'switchyard/x/e1');
    await ground.mirrors.sync(worktree.mirror.repository);
    expect(sh(worktree.mirror.path, 'for-each-ref', '--format=%(refname) %(objectname)').split('\n')).toEqual([
      `refs/heads/switchyard/x/e1 ${tip}`,
      `refs/remotes/origin/HEAD ${worktree.baseSha}`,
      `refs/remotes/origin/main ${worktree.baseSha}`,
    ]);
    expect(sh(worktree.mirror.path, 'config', 'gc.auto')).toBe('0');
    expect(sh(worktree.mirror.path, 'config', 'core.untrackedCache')).toBe('true');
  });

  test('[WT12] callers at the same time share one fetch, and a fresh mirror is not fetched', async () => {
    const base = temporaryDirectory();
    const repository = parseRepository(makeUpstream(base));
    const context = makeContext(base);
    const {git, countOf} = counting(context.git);
    let nowMs = 1_000_000;
    const mirrors = new Mirrors({...context, git, now: () => nowMs});
    await Promise.all(Array.from({length: 8}, () => mirrors.sync(repository)));
    expect(countOf('fetch')).toBe(1);
    nowMs += 9_999;
    await mirrors.sync(repository, {freshMs: 10_000});
    expect(countOf('fetch')).toBe(1);
    nowMs += 1;
    await mirrors.sync(repository, {freshMs: 10_000});
    expect(countOf('fetch')).toBe(2);
  });

  test('[WT13] a base is a branch, a full commit id or the default branch, as a full commit id', async () => {
    const ground = makeGround();
    const first = sh(ground.upstream, 'rev-parse', 'HEAD');
    sh(ground.upstream, 'checkout', '-q', '-b', 'develop/ü');
    put(ground.upstream, 'd.txt', 'd\n');
    const second = commitAll(ground.upstream);
    const mirror = await ground.mirrors.sync(parseRepository(ground.upstream));
    expect(await ground.mirrors.resolveBase(mirror, undefined)).toEqual({branch: 'develop/ü', sha: second});
    expect(await ground.mirrors.resolveBase(mirror, 'main')).toEqual({branch: 'main', sha: first});
    expect(await ground.mirrors.resolveBase(mirror, first)).toEqual({branch: undefined, sha: first});
  });

  test('[WT14] a branch that was made after the last fetch is found', async () => {
    const ground = makeGround();
    const mirror = await ground.mirrors.sync(parseRepository(ground.upstream));
    sh(ground.upstream, 'branch', 'late');
    expect(await ground.mirrors.resolveBase(mirror, 'late', {freshMs: 60_000})).toMatchObject({branch: 'late'});
  });

  test.for([
    ['absent', 'base_not_found'],
    ['0'.repeat(40), 'base_not_found'],
    ['--upload-pack=x', 'branch_invalid'],
    ['a..b', 'branch_invalid'],
    ['main^{commit}', 'branch_invalid'],
  ] as const)('[WT15] the base %s is refused with %s', async ([base, code]) => {
    const ground = makeGround();
    const mirror = await ground.mirrors.sync(parseRepository(ground.upstream));
    expect(await codeOf(() => ground.mirrors.resolveBase(mirror, base))).toBe(code);
  });

  test('[WT15] a repository without a commit has no base', async () => {
    const base = temporaryDirectory();
    const path = join(base, 'empty');
    mkdirSync(path);
    sh(path, 'init', '-q', '--bare');
    const mirrors = new Mirrors(makeContext(base));
    const mirror = await mirrors.sync(parseRepository(path));
    expect(await codeOf(() => mirrors.resolveBase(mirror, undefined))).toBe('base_not_found');
  });

  test('[WT16] a repository that cannot be read is unreachable, and leaves nothing behind', async () => {
    const base = temporaryDirectory();
    const context = makeContext(base);
    expect(await codeOf(() => new Mirrors(context).sync(parseRepository(join(base, 'absent'))))).toBe(
      'repository_unreachable',
    );
    expect(readdirSync(join(context.root, 'mirrors')).filter(name => !name.endsWith('.config'))).toEqual([]);
  });

  test('[WT16] a server that never answers is given up at the deadline', async () => {
    const server = createServer();
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const base = temporaryDirectory();
    const mirrors = new Mirrors(makeContext(base));
    expect(
      await codeOf(() => mirrors.sync(parseRepository(`https://127.0.0.1:${port}/a/b`), {deadlineMs: 1_000})),
    ).toBe('repository_unreachable');
  });

  test('[WT17] a damaged mirror is made again, and the branches, trees and salvage in it stay usable', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'w.txt', 'w\n');
    const tip = commitAll(worktree.path);
    sh(worktree.mirror.path, 'update-ref', 'refs/salvage/old/e1', tip);
    put(ground.upstream, 'next.txt', 'n\n');
    const next = commitAll(ground.upstream);
    rmSync(join(worktree.mirror.path, 'HEAD'));
    const mirrors = new Mirrors(ground.context);
    const mirror = await mirrors.sync(worktree.mirror.repository);
    expect(await mirrors.resolveBase(mirror, 'main')).toMatchObject({sha: next});
    expect(sh(mirror.path, 'rev-parse', worktree.branch, 'refs/salvage/old/e1').split('\n')).toEqual([tip, tip]);
    expect(await repairWorktree(ground.context, worktree)).toBe(true);
    expect(sh(worktree.path, 'status', '--porcelain')).toBe('');
  });

  test('[WT17] a mirror with a lost object is found out by the failing fetch and made again', async () => {
    const ground = makeGround();
    const mirror = await ground.mirrors.sync(parseRepository(ground.upstream));
    for (const name of readdirSync(join(mirror.path, 'objects')))
      rmSync(join(mirror.path, 'objects', name), {recursive: true});
    put(ground.upstream, 'next.txt', 'n\n');
    const next = commitAll(ground.upstream);
    await ground.mirrors.sync(mirror.repository);
    expect(await ground.mirrors.resolveBase(mirror, 'main')).toMatchObject({sha: next});
    const added = await addWorktree(ground.context, {mirror, task, epoch: 1, baseSha: next});
    expect(readFileSync(join(added.worktree.path, 'README.md'), 'utf8')).toBe('hello\n');
  });

  test('[WT18] a caller that gives up does not end the fetch of the others', async () => {
    const ground = makeGround();
    const repository = parseRepository(ground.upstream);
    const giveUp = new AbortController();
    const [first, second] = [ground.mirrors.sync(repository, {signal: giveUp.signal}), ground.mirrors.sync(repository)];
    giveUp.abort(new Error('gave up'));
    await expect(first).rejects.toThrow('gave up');
    expect(existsSync((await second).path)).toBe(true);
  });

  test('[WT19] git gets no variable of the runner and asks no one for a password', async () => {
    const base = temporaryDirectory();
    const program = join(base, 'git');
    writeFileSync(program, '#!/bin/sh\nenv\n', {mode: 0o755});
    const git = createGit({program, searchPath: '/usr/bin:/bin', home: base, environment: {SSH_AUTH_SOCK: '/run/ask'}});
    process.env['CANARY_SECRET'] = 'canary';
    onTestFinished(() => void delete process.env['CANARY_SECRET']);
    const printed = Buffer.from((await git(['x'], {cwd: base})).stdout).toString();
    expect(printed).not.toContain('canary');
    for (const line of [
      'GIT_TERMINAL_PROMPT=0',
      'GIT_CONFIG_NOSYSTEM=1',
      'GIT_CONFIG_GLOBAL=/dev/null',
      'LC_ALL=C',
      'GIT_ALLOW_PROTOCOL=https:ssh:file',
      'SSH_AUTH_SOCK=/run/ask',
      `HOME=${base}`,
    ]) {
      expect(printed.split('\n')).toContain(line);
    }
  });

  test('[WT19] git is ended with its whole process group at the deadline and on abort', async () => {
    const base = temporaryDirectory();
    const program = join(base, 'git');
    writeFileSync(program, '#!/bin/sh\nsleep 600 &\necho $! >"$HOME/child"\nwait\n', {mode: 0o755});
    const git = createGit({program, searchPath: '/usr/bin:/bin', home: base});
    // A busy machine may need longer to start the child than git has: then it gets twice the time.
    for (let deadlineMs = 1_000; !existsSync(join(base, 'child')); deadlineMs *= 2)
      expect(await codeOf(() => git(['fetch'], {cwd: base, deadlineMs}))).toBe('git_failed');
    const pid = Number(readFileSync(join(base, 'child'), 'utf8'));
    await expect.poll(() => hostProcesses.read(pid)?.isZombie ?? true).toBe(true);
    await expect(git(['fetch'], {cwd: base, signal: AbortSignal.timeout(300)})).rejects.toThrow(/timeout/i);
  });
});
