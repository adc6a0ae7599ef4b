import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {commitRest} from '../../../runner/src/worktree/commit-rest.ts';
import {copyInto} from '../../../runner/src/worktree/copy-into.ts';
import {readEvidence} from '../../../runner/src/worktree/evidence.ts';
import {runHooks} from '../../../runner/src/worktree/lifecycle-hook.ts';
import {adminPath, type Worktree} from '../../../runner/src/worktree/places.ts';
import {pushAttempt} from '../../../runner/src/worktree/push.ts';
import {rebaseAttempt} from '../../../runner/src/worktree/rebase.ts';
import {removeWorktree} from '../../../runner/src/worktree/remove.ts';
import {repairWorktree} from '../../../runner/src/worktree/worktree.ts';
import {author, commitAll, makeGround, makeWorktree, put, sh, temporaryDirectory, type Ground} from './ground.ts';

const hookNames = [
  'applypatch-msg',
  'pre-commit',
  'prepare-commit-msg',
  'commit-msg',
  'post-commit',
  'pre-rebase',
  'post-checkout',
  'post-merge',
  'post-rewrite',
  'pre-push',
  'pre-receive',
  'update',
  'post-receive',
  'post-update',
  'reference-transaction',
  'push-to-checkout',
  'pre-auto-gc',
  'fsmonitor-watchman',
  'post-index-change',
  'proc-receive',
];

/** A program that leaves a trace when anybody runs it. */
function trap(ground: Ground): {program: string; sprung: () => string[]} {
  const program = join(ground.base, 'trap');
  const traces = join(ground.base, 'traces');
  mkdirSync(traces);
  writeFileSync(program, `#!/bin/sh\necho "$0 $*" >>${traces}/ran\ncat\n`, {mode: 0o755});
  return {
    program,
    sprung: () => readdirSync(traces).flatMap(name => readFileSync(join(traces, name), 'utf8').split('\n')),
  };
}

function setHooks(gitDir: string, program: string): void {
  mkdirSync(join(gitDir, 'hooks'), {recursive: true});
  for (const name of hookNames) {
    writeFileSync(join(gitDir, 'hooks', name), `#!/bin/sh\n${program} ${name} </dev/null\n`);
    chmodSync(join(gitDir, 'hooks', name), 0o755);
  }
}

const config = (program: string) => `
[core]
  fsmonitor = ${program}
  hooksPath = ${program}.d
  sshCommand = ${program}
  editor = ${program}
  pager = ${program}
  askPass = ${program}
  alternateRefsCommand = ${program}
  gitProxy = ${program}
[filter "evil"]
  clean = ${program} clean
  smudge = ${program} smudge
  process = ${program} process
  required = true
[diff "evil"]
  textconv = ${program} textconv
  command = ${program} diff
[diff]
  external = ${program}
[merge "evil"]
  driver = ${program} merge
[gpg]
  program = ${program}
[commit]
  gpgSign = true
[credential]
  helper = ${program}
[sequence]
  editor = ${program}
[remote "origin"]
  uploadpack = ${program}
  receivepack = ${program}
  vcs = ${program}
[uploadpack]
  packObjectsHook = ${program}
[url "ext::${program}"]
  insteadOf = file://
[submodule "sub"]
  update = !${program}
  url = ext::${program}
`;

async function wholeLife(
  ground: Ground,
  {worktree, next}: {worktree: Worktree; next: string},
  arm: () => void,
): Promise<void> {
  arm();
  await readEvidence(ground.context, worktree);
  arm();
  await commitRest(ground.context, worktree, {message: 'rest', author});
  arm();
  await ground.mirrors.sync(worktree.mirror.repository);
  arm();
  expect(await rebaseAttempt(ground.context, worktree, {baseSha: next, committer: author})).toMatchObject({
    success: true,
  });
  arm();
  expect(await pushAttempt(ground.context, worktree)).toMatchObject({outcome: 'pushed'});
  arm();
  put(worktree.path, 'src/late.evil', 'late\n');
  expect((await removeWorktree(ground.context, worktree)).salvaged).toMatchObject({wasDirty: true});
}

/** A commit that upstream gets beside its default branch, made before anything is armed. */
function commitNext(upstream: string): string {
  sh(upstream, 'checkout', '-q', '-b', 'next');
  put(upstream, 'src/next.txt', 'n\n');
  const next = commitAll(upstream);
  sh(upstream, 'checkout', '-q', 'main');
  return next;
}

describe('a hostile repository', () => {
  test('[WT80] hooks, attributes and submodules of upstream run nothing in the whole life of an attempt', async () => {
    const ground = makeGround();
    const {program, sprung} = trap(ground);
    put(ground.upstream, '.gitattributes', '* filter=evil diff=evil merge=evil\n');
    put(ground.upstream, '.gitmodules', `[submodule "sub"]\n\tpath = sub\n\turl = ext::${program}\n\tignore = none\n`);
    sh(
      ground.upstream,
      'update-index',
      '--add',
      '--cacheinfo',
      `160000,${sh(ground.upstream, 'rev-parse', 'HEAD')},sub`,
    );
    sh(ground.upstream, 'add', '.gitattributes', '.gitmodules');
    sh(ground.upstream, 'commit', '-q', '-m', 'evil');
    const next = commitNext(ground.upstream);
    setHooks(join(ground.upstream, '.git'), program);
    writeFileSync(join(ground.upstream, '.git/config'), config(program).replaceAll(/^\[url[^[]*/gm, ''), {flag: 'a'});
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'src/work.evil', 'work\n');
    await wholeLife(ground, {worktree, next}, () => undefined);
    expect(sprung()).toEqual([]);
  });

  test('[WT81] whatever an agent writes into the mirror, the tree and its .git file, our git runs none of it', async () => {
    const ground = makeGround();
    const {program, sprung} = trap(ground);
    put(ground.upstream, 'sub/x', 'x\n');
    commitAll(ground.upstream);
    const next = commitNext(ground.upstream);
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'src/work.evil', 'work\n');
    put(worktree.path, '.gitattributes', '* filter=evil diff=evil merge=evil\n');
    await wholeLife(ground, {worktree, next}, () => {
      writeFileSync(join(worktree.mirror.path, 'config'), config(program), {flag: 'a'});
      writeFileSync(join(adminPath(worktree), 'config.worktree'), config(program));
      writeFileSync(join(adminPath(worktree), 'config'), config(program));
      setHooks(worktree.mirror.path, program);
      mkdirSync(join(worktree.mirror.path, 'info'), {recursive: true});
      writeFileSync(join(worktree.mirror.path, 'info/attributes'), '* filter=evil diff=evil merge=evil\n');
      plantRepository(join(worktree.path, 'elsewhere'), program);
      writeFileSync(join(worktree.mirror.path, 'commondir'), `${join(worktree.path, 'elsewhere/.git')}\n`);
      writeFileSync(join(adminPath(worktree), 'commondir'), `${join(worktree.path, 'elsewhere/.git')}\n`);
      writeFileSync(join(worktree.path, '.git'), `gitdir: ${join(worktree.path, 'elsewhere/.git')}\n`);
    });
    expect(sprung()).toEqual([]);
  });

  test('[WT82] a repository nested in the tree is neither entered by our git nor committed', async () => {
    const ground = makeGround();
    const {program, sprung} = trap(ground);
    const worktree = await makeWorktree(ground);
    const tracked = join(worktree.path, 'tracked');
    plantRepository(tracked, program);
    sh(worktree.path, 'update-index', '--add', '--cacheinfo', `160000,${worktree.baseSha},tracked`);
    sh(worktree.path, 'commit', '-q', '--no-verify', '-m', 'gitlink');
    writeFileSync(join(tracked, 'dirty.txt'), 'dirty\n');
    plantRepository(join(worktree.path, 'loose'), program);
    expect(await readEvidence(ground.context, worktree)).toMatchObject({commitsAhead: 1});
    expect(await commitRest(ground.context, worktree, {message: 'rest', author})).toMatchObject({nested: ['loose/']});
    expect(sh(worktree.mirror.path, 'ls-tree', '--name-only', worktree.branch)).not.toContain('loose');
    await removeWorktree(ground.context, worktree);
    expect(sprung()).toEqual([]);
  });

  test('[WT83] the configuration of a mirror is put back when an agent changed it or made it a link', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    const path = join(worktree.mirror.path, 'config');
    const sealed = readFileSync(path, 'utf8');
    writeFileSync(path, `${sealed}[alias]\n\tx = !true\n`);
    await readEvidence(ground.context, worktree);
    expect(readFileSync(path, 'utf8')).toBe(sealed);
    writeFileSync(join(ground.base, 'other'), sealed);
    sh(ground.base, 'init', '-q', 'scratch');
    const {rmSync} = await import('node:fs');
    rmSync(path);
    symlinkSync(join(ground.base, 'other'), path);
    expect(await repairWorktree(ground.context, worktree)).toBe(true);
    expect(lstatSync(path).isFile()).toBe(true);
  });
});

function plantRepository(path: string, program: string): void {
  if (existsSync(path)) return;
  mkdirSync(path);
  sh(path, 'init', '-q');
  put(path, 'inner.txt', 'inner\n');
  commitAll(path);
  writeFileSync(join(path, '.git/config'), config(program), {flag: 'a'});
  setHooks(join(path, '.git'), program);
}

describe('copied files', () => {
  test('[WT84] listed files are copied, and nothing is read or written through a link or outside', async () => {
    const base = temporaryDirectory();
    const [source, tree] = [join(base, 'source'), join(base, 'tree')];
    put(base, 'secret.txt', 'secret\n');
    put(base, 'outside/keep.txt', 'keep\n');
    put(source, '.mcp.json', '{"a":1}\n');
    put(source, 'config/local.json', '{}\n');
    put(source, 'through/file.txt', 'x\n');
    put(source, 'taken.txt', 'from source\n');
    put(source, 'dangling.txt', 'from source\n');
    put(source, '.git/config', '[core]\n');
    symlinkSync(join(base, 'secret.txt'), join(source, 'leak.txt'));
    mkdirSync(tree);
    put(tree, 'taken.txt', 'from tree\n');
    symlinkSync(join(base, 'outside'), join(tree, 'through'));
    symlinkSync(join(base, 'outside/new.txt'), join(tree, 'dangling.txt'));
    const report = await copyInto(tree, source, [
      '.mcp.json',
      'config/local.json',
      'through/file.txt',
      'taken.txt',
      'dangling.txt',
      'leak.txt',
      '../secret.txt',
      '/etc/passwd',
      'a//b',
      '.git/config',
      '.GIT/config',
      'absent',
      'config',
      'a\nb',
      '',
    ]);
    expect(report.copied).toEqual(['.mcp.json', 'config/local.json']);
    expect(Object.fromEntries(report.skipped.map(({path, why}) => [path, why]))).toEqual({
      'through/file.txt': 'outside',
      'taken.txt': 'exists',
      'dangling.txt': 'exists',
      'leak.txt': 'outside',
      '../secret.txt': 'unsafe-path',
      '/etc/passwd': 'unsafe-path',
      'a//b': 'unsafe-path',
      '.git/config': 'unsafe-path',
      '.GIT/config': 'unsafe-path',
      absent: 'missing',
      config: 'not-a-file',
      'a\nb': 'unsafe-path',
      '': 'unsafe-path',
    });
    expect(readdirSync(join(base, 'outside'))).toEqual(['keep.txt']);
    expect(readFileSync(join(tree, 'config/local.json'), 'utf8')).toBe('{}\n');
  });
});

describe('setup and teardown hooks', () => {
  test('[WT85] hooks run in order in the tree, share one deadline and stop at the first failure', async () => {
    let nowMs = 0;
    const runs: unknown[] = [];
    const run = async (call: {argv: readonly string[]; cwd: string; deadlineMs: number}) => {
      runs.push([call.argv[0], call.cwd, call.deadlineMs]);
      nowMs += 400;
      return {exitCode: call.argv[0] === 'bad' ? 3 : 0, output: 'out'};
    };
    const how = {cwd: '/tree', run, now: () => nowMs, deadlineMs: 1_000};
    expect(await runHooks([['one'], ['bad'], ['never']], how)).toEqual({
      ok: false,
      argv: ['bad'],
      exitCode: 3,
      output: 'out',
    });
    expect(runs).toEqual([
      ['one', '/tree', 1_000],
      ['bad', '/tree', 600],
    ]);
    expect(await runHooks([['one'], ['two'], ['three'], ['late']], how)).toMatchObject({
      ok: false,
      argv: ['late'],
      exitCode: 124,
    });
    expect(await runHooks([], how)).toEqual({ok: true});
    await expect(runHooks([['one']], {...how, signal: AbortSignal.abort(new Error('stop'))})).rejects.toThrow('stop');
  });
});
