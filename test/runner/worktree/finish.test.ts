import {execFileSync} from 'node:child_process';
import {existsSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {commitRest} from '../../../runner/src/worktree/commit-rest.ts';
import {readEvidence} from '../../../runner/src/worktree/evidence.ts';
import {adminPath} from '../../../runner/src/worktree/places.ts';
import {parseRepository} from '../../../runner/src/worktree/repository-url.ts';
import {pushAttempt} from '../../../runner/src/worktree/push.ts';
import {rebaseAttempt} from '../../../runner/src/worktree/rebase.ts';
import {author, codeOf, commitAll, makeGround, makeWorktree, put, sh, task, temporaryDirectory} from './ground.ts';

const request = {message: 'What the agent left\n\nBody.', author};

describe('evidence', () => {
  test('[WT50] the branch of the attempt says what was done: head, commits, files and lines', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    expect(await readEvidence(ground.context, worktree)).toEqual({
      headSha: worktree.baseSha,
      commitsAhead: 0,
      diff: {files: 0, insertions: 0, deletions: 0},
    });
    put(worktree.path, 'src/a.txt', 'one\n2\nthree\nfour\n');
    commitAll(worktree.path);
    put(worktree.path, 'binary.dat', Buffer.from([0, 1, 2]));
    const head = commitAll(worktree.path);
    put(worktree.path, 'left over.txt', 'x\n');
    expect(await readEvidence(ground.context, worktree)).toEqual({
      headSha: head,
      commitsAhead: 2,
      diff: {files: 2, insertions: 2, deletions: 1},
    });
    sh(worktree.path, 'checkout', '-q', '--detach');
    sh(worktree.path, 'branch', '-D', worktree.branch);
    expect(await readEvidence(ground.context, worktree)).toMatchObject({headSha: undefined, commitsAhead: 0});
  });

  test('[WT50] commits on another branch are no evidence for the attempt (T9)', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    sh(worktree.path, 'checkout', '-q', '-b', 'elsewhere');
    put(worktree.path, 'x.txt', 'x\n');
    commitAll(worktree.path);
    expect(await readEvidence(ground.context, worktree)).toMatchObject({
      commitsAhead: 0,
      headSha: worktree.baseSha,
    });
    put(worktree.path, 'y.txt', 'y\n');
    expect(await commitRest(ground.context, worktree, request)).toEqual({
      outcome: 'other-branch',
      checkedOut: 'elsewhere',
    });
  });
});

describe('committing what is left', () => {
  test('[WT51] changed, new, deleted and oddly named files are committed in the name of the author', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'src/a.txt', 'changed\n');
    put(worktree.path, 'new\nline "quoted" ü.txt', 'n\n');
    put(worktree.path, '-dash', 'd\n');
    put(worktree.path, ':(top)magic*', 'm\n');
    expect(await commitRest(ground.context, worktree, request)).toMatchObject({
      outcome: 'committed',
      refused: [],
      nested: [],
    });
    expect(sh(worktree.path, 'status', '--porcelain')).toBe('');
    expect(sh(worktree.path, 'log', '-1', '--format=%an <%ae>%n%B')).toBe(
      `Tess Ter <tess@example.test>\n${request.message}`,
    );
    expect(await commitRest(ground.context, worktree, request)).toEqual({outcome: 'nothing', refused: [], nested: []});
  });

  test('[WT52] files that carry secrets are taken out of the index and reported, their deletion is committed (C22)', async () => {
    const ground = makeGround();
    put(ground.upstream, 'old.pem', 'key\n');
    commitAll(ground.upstream);
    const worktree = await makeWorktree(ground);
    put(worktree.path, '.env', 'TOKEN=x\n');
    put(worktree.path, 'deploy/id_rsa', 'key\n');
    put(worktree.path, 'ok.txt', 'ok\n');
    sh(worktree.path, 'add', '-A');
    put(worktree.path, 'credentials.json', '{}');
    sh(worktree.path, 'rm', '-q', 'old.pem');
    const outcome = await commitRest(ground.context, worktree, request);
    expect(outcome).toMatchObject({outcome: 'committed', refused: ['.env', 'credentials.json', 'deploy/id_rsa']});
    expect(sh(worktree.path, 'ls-files').split('\n')).toEqual(['.gitignore', 'README.md', 'ok.txt', 'src/a.txt']);
    expect(existsSync(join(worktree.path, '.env'))).toBe(true);
    expect(await commitRest(ground.context, worktree, {...request, allowSensitive: ['.env']})).toMatchObject({
      outcome: 'committed',
      refused: ['credentials.json', 'deploy/id_rsa'],
    });
  });

  test('[WT53] an unresolved merge is reported and nothing is committed', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    sh(worktree.path, 'checkout', '-q', '-b', 'side');
    put(worktree.path, 'src/a.txt', 'side\n');
    commitAll(worktree.path);
    sh(worktree.path, 'checkout', '-q', worktree.branch);
    put(worktree.path, 'src/a.txt', 'main\n');
    const head = commitAll(worktree.path);
    expect(() => sh(worktree.path, 'merge', 'side')).toThrow(/merge side/);
    expect(await commitRest(ground.context, worktree, request)).toEqual({
      outcome: 'conflicted',
      unmerged: ['src/a.txt'],
    });
    expect(sh(worktree.path, 'rev-parse', 'HEAD')).toBe(head);
  });

  test('[WT54] lock files that a killed agent left behind do not stop the commit', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'x.txt', 'x\n');
    writeFileSync(join(adminPath(worktree), 'index.lock'), '');
    writeFileSync(join(worktree.mirror.path, 'refs/heads', `${worktree.branch}.lock`), '');
    expect(await commitRest(ground.context, worktree, request)).toMatchObject({outcome: 'committed'});
  });

  test('[WT55] a file that became a directory, and a directory that became a link, are committed as they are', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    execFileSync(
      'sh',
      ['-c', 'rm README.md && mkdir README.md && echo x >README.md/x && rm -r src && ln -s /etc src'],
      {cwd: worktree.path},
    );
    expect(await commitRest(ground.context, worktree, request)).toMatchObject({outcome: 'committed'});
    expect(sh(worktree.path, 'status', '--porcelain')).toBe('');
    expect(sh(worktree.path, 'ls-tree', '-r', 'HEAD', '--format=%(objectmode) %(path)').split('\n')).toEqual([
      '100644 .gitignore',
      '100644 README.md/x',
      '120000 src',
    ]);
  });
});

describe('a push', () => {
  test.for(['bare', 'with a work tree'])(
    '[WT56] the branch of the attempt, and nothing else, reaches a repository %s',
    async kind => {
      const ground = makeGround();
      const upstream = kind === 'bare' ? join(ground.base, 'bare.git') : ground.upstream;
      if (kind === 'bare') sh(ground.base, 'clone', '-q', '--bare', ground.upstream, upstream);
      const worktree = await makeWorktree({...ground, upstream});
      put(worktree.path, 'w.txt', 'w\n');
      const head = commitAll(worktree.path);
      sh(worktree.path, 'branch', 'stray');
      sh(worktree.path, 'tag', 'v1');
      expect(await pushAttempt(ground.context, worktree)).toEqual({
        outcome: 'pushed',
        sha: head,
        branch: worktree.branch,
      });
      expect(sh(upstream, 'for-each-ref', '--format=%(refname) %(objectname)').split('\n')).toEqual([
        `refs/heads/main ${worktree.baseSha}`,
        `refs/heads/${worktree.branch} ${head}`,
      ]);
      expect(await pushAttempt(ground.context, worktree)).toMatchObject({outcome: 'pushed', sha: head});
    },
  );

  test('[WT57] a rewritten attempt replaces what this runner pushed, and never what somebody else pushed', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'w.txt', 'one\n');
    commitAll(worktree.path);
    await pushAttempt(ground.context, worktree);
    put(worktree.path, 'w.txt', 'two\n');
    sh(worktree.path, 'commit', '-q', '-a', '--amend', '--no-edit');
    expect(await pushAttempt(ground.context, worktree)).toMatchObject({outcome: 'pushed'});

    const other = join(temporaryDirectory(), 'clone');
    sh(ground.base, 'clone', '-q', '-b', worktree.branch, ground.upstream, other);
    put(other, 'theirs.txt', 't\n');
    const theirs = commitAll(other);
    sh(other, 'push', '-q', 'origin', worktree.branch);
    put(worktree.path, 'w.txt', 'three\n');
    sh(worktree.path, 'commit', '-q', '-a', '--amend', '--no-edit');
    expect(await pushAttempt(ground.context, worktree)).toEqual({outcome: 'stale', remoteSha: theirs});
    expect(sh(ground.upstream, 'rev-parse', worktree.branch)).toBe(theirs);
  });

  test('[WT57] a push whose record was lost in a crash is taken as done', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'w.txt', 'one\n');
    const head = commitAll(worktree.path);
    await pushAttempt(ground.context, worktree);
    sh(worktree.mirror.path, 'update-ref', '-d', `refs/switchyard/pushed/${task}/e1`);
    expect(await pushAttempt(ground.context, worktree)).toMatchObject({outcome: 'pushed', sha: head});
  });

  test('[WT58] nothing is pushed when a commit, even one that a later commit undoes, holds a file with secrets (C22)', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'conf/.env', 'TOKEN=x\n');
    commitAll(worktree.path);
    sh(worktree.path, 'rm', '-q', 'conf/.env');
    put(worktree.path, 'w.txt', 'w\n');
    commitAll(worktree.path);
    expect(await pushAttempt(ground.context, worktree)).toEqual({outcome: 'sensitive-files', files: ['conf/.env']});
    expect(sh(ground.upstream, 'for-each-ref', 'refs/heads/switchyard')).toBe('');
    expect(await pushAttempt(ground.context, worktree, {allowSensitive: ['conf/.env']})).toMatchObject({
      outcome: 'pushed',
    });
  });

  test('[WT59] a branch that is not the branch of an attempt is never pushed', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    expect(await codeOf(() => pushAttempt(ground.context, {...worktree, branch: 'main'}))).toBe('branch_invalid');
    expect(
      await codeOf(() => pushAttempt(ground.context, {...worktree, branch: `${worktree.branch}:refs/heads/main`})),
    ).toBe('branch_invalid');
  });

  test('[WT59] an upstream that is gone is unreachable', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'w.txt', 'w\n');
    commitAll(worktree.path);
    const gone = {...worktree, mirror: {...worktree.mirror, repository: parseRepository(join(ground.base, 'gone'))}};
    expect(await codeOf(() => pushAttempt(ground.context, gone))).toBe('repository_unreachable');
  });
});

describe('a rebase', () => {
  test('[WT60] the commits of the attempt are put on top of the new base (C23)', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'w.txt', 'w\n');
    commitAll(worktree.path);
    put(worktree.path, 'untracked.txt', 'stays\n');
    put(ground.upstream, 'next.txt', 'n\n');
    const next = commitAll(ground.upstream);
    await ground.mirrors.sync(worktree.mirror.repository);
    const report = await rebaseAttempt(ground.context, worktree, {baseSha: next, committer: author});
    expect(report).toMatchObject({attempted: true, success: true, why: 'rebased', conflicts: []});
    expect(sh(worktree.path, 'rev-parse', 'HEAD^')).toBe(next);
    expect(sh(worktree.path, 'status', '--porcelain')).toBe('?? untracked.txt');
    expect(await rebaseAttempt(ground.context, worktree, {baseSha: next, committer: author})).toMatchObject({
      attempted: false,
      success: true,
      why: 'up-to-date',
    });
    expect(await readEvidence(ground.context, worktree, next)).toMatchObject({
      commitsAhead: 1,
      diff: {files: 1},
    });
  });

  test('[WT61] a conflict is reported with its files and the commits of both sides, and branch and tree are as before (C23)', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(worktree.path, 'src/a.txt', 'ours\n');
    const head = commitAll(worktree.path, 'Say ours');
    put(ground.upstream, 'src/a.txt', 'theirs\n');
    const theirs = commitAll(ground.upstream, 'Say theirs');
    put(ground.upstream, 'other.txt', 'x\n');
    const next = commitAll(ground.upstream, 'Touch another file');
    await ground.mirrors.sync(worktree.mirror.repository);
    expect(await rebaseAttempt(ground.context, worktree, {baseSha: next, committer: author})).toEqual({
      attempted: true,
      success: false,
      why: 'conflict',
      conflicts: [
        {
          path: 'src/a.txt',
          ours: [{sha: head, subject: 'Say ours'}],
          theirs: [{sha: theirs, subject: 'Say theirs'}],
        },
      ],
      headSha: head,
    });
    expect(sh(worktree.path, 'rev-parse', 'HEAD', worktree.branch).split('\n')).toEqual([head, head]);
    expect(sh(worktree.path, 'status', '--porcelain')).toBe('');
    expect(existsSync(join(adminPath(worktree), 'rebase-merge'))).toBe(false);
  });

  test('[WT62] a tree with uncommitted changes or on another branch is not rebased', async () => {
    const ground = makeGround();
    const worktree = await makeWorktree(ground);
    put(ground.upstream, 'next.txt', 'n\n');
    const next = commitAll(ground.upstream);
    await ground.mirrors.sync(worktree.mirror.repository);
    put(worktree.path, 'src/a.txt', 'changed\n');
    expect(await rebaseAttempt(ground.context, worktree, {baseSha: next, committer: author})).toMatchObject({
      attempted: false,
      why: 'dirty',
    });
    sh(worktree.path, 'checkout', '-q', '-f', '--detach');
    expect(await rebaseAttempt(ground.context, worktree, {baseSha: next, committer: author})).toMatchObject({
      attempted: false,
      why: 'other-branch',
    });
  });
});
