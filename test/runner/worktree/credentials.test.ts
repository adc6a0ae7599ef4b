import {execFileSync} from 'node:child_process';
import {chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {fileVault} from '../../../runner/src/secrets/file-vault.ts';
import {findGitCredential, gitCredentials, longestScope, scopeOf} from '../../../runner/src/secrets/git-credentials.ts';
import {Mirrors} from '../../../runner/src/worktree/mirror.ts';
import {parseRepository} from '../../../runner/src/worktree/repository-url.ts';
import {pushAttempt} from '../../../runner/src/worktree/push.ts';
import {worktreeContext} from '../../../runner/src/worktree/worktree-context.ts';
import {addWorktree} from '../../../runner/src/worktree/worktree.ts';
import {startGitServer} from '../../fixtures/git-server.ts';
import {codeOf, commitAll, makeUpstream, put, sh, task, temporaryDirectory} from './ground.ts';

const login = {username: 'runner', password: 'canary-5183-token'};

/** A private repository on a server of its own, and a runner whose git writes down how it was called. */
async function scene(ownLogin = false) {
  const base = temporaryDirectory();
  const upstream = makeUpstream(base);
  const server = await startGitServer(base);
  onTestFinished(server.close);
  server.login = login;
  const runnerDirectory = join(base, 'runner');
  const [home, bin] = [join(base, 'home'), join(base, 'bin')];
  for (const folder of [runnerDirectory, home, bin]) mkdirSync(folder);
  const real = execFileSync('sh', ['-c', 'command -v git'], {encoding: 'utf8'}).trim();
  const trace = join(base, 'trace');
  // Of every git that is started: its arguments and its environment, and those of the helpers that it starts.
  writeFileSync(
    join(bin, 'git'),
    `#!/bin/sh\nprintf '%s\\n' "$@" >>'${trace}'\nenv >>'${trace}'\nexec '${real}' "$@"\n`,
  );
  chmodSync(join(bin, 'git'), 0o755);
  const env = {PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: home, GIT_SSL_CAINFO: server.caPath};
  const store = fileVault(runnerDirectory, '');
  const lines: string[] = [];
  const policy = {git: {own_login: ownLogin}};
  const context = worktreeContext({
    root: runnerDirectory,
    env,
    home,
    now: Date.now,
    randomHex: () => Math.random().toString(16).slice(2).padEnd(16, '0'),
    findCredential: findGitCredential({
      store,
      directory: runnerDirectory,
      policy,
      env,
      log: line => lines.push(line),
    }),
  });
  const repository = parseRepository(`${server.url}/upstream/acme/.git`);
  const worktree = async (epoch = 1) => {
    const mirrors = new Mirrors(context);
    const mirror = await mirrors.sync(repository);
    const {sha} = await mirrors.resolveBase(mirror, undefined);
    return (await addWorktree(context, {mirror, task, epoch, baseSha: sha})).worktree;
  };
  return {
    base,
    home,
    upstream,
    server,
    trace,
    runnerDirectory,
    context,
    repository,
    worktree,
    lines,
    keys: gitCredentials(store, runnerDirectory),
  };
}

/** Nothing of what git or the trash has taken away since it was listed. */
function orGone<Found>(look: () => Found, nothing: Found): Found {
  try {
    return look();
  } catch {
    return nothing;
  }
}

function filesBelow(folder: string): readonly string[] {
  return orGone(() => readdirSync(folder, {withFileTypes: true}), []).flatMap(entry => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : [];
  });
}

test('[GK1] a private repository is fetched and pushed with a credential of the runner, which is in no argument, environment or file', async () => {
  const {keys, worktree, context, upstream, trace, runnerDirectory, server} = await scene();
  await keys.set({scope: scopeOf(`${server.url}/upstream`), username: login.username}, login.password);
  const tree = await worktree();
  put(tree.path, 'new.txt', 'n\n');
  const head = commitAll(tree.path);
  expect(await pushAttempt(context, tree)).toMatchObject({outcome: 'pushed'});
  expect(sh(upstream, 'rev-parse', tree.branch)).toBe(head);
  expect(server.seen.withCredential).toBeGreaterThan(2);
  const traced = readFileSync(trace, 'utf8');
  expect(traced).toContain('ls-remote');
  expect(traced).not.toContain(login.password);
  expect(traced).not.toContain(Buffer.from(`${login.username}:${login.password}`).toString('base64'));
  const leaks = filesBelow(runnerDirectory).filter(path =>
    orGone(() => readFileSync(path), Buffer.alloc(0)).includes('canary-5183'),
  );
  expect(leaks).toEqual([]);
  expect(sh(tree.path, 'config', '--list', '--show-origin')).not.toMatch(/credential|extraheader|canary/);
});

test('[GK2] the credential is asked for each time: one that was replaced in the middle of an attempt is used', async () => {
  const {keys, worktree, context, server} = await scene();
  await keys.set({scope: server.url, username: login.username}, login.password);
  const tree = await worktree();
  put(tree.path, 'new.txt', 'n\n');
  commitAll(tree.path);
  server.login = {...login, password: 'the-next-token'};
  expect(await codeOf(async () => pushAttempt(context, tree))).toBe('repository_unauthorized');
  await keys.set({scope: server.url, username: login.username}, 'the-next-token');
  expect(await pushAttempt(context, tree)).toMatchObject({outcome: 'pushed'});
});

test('[GK3] a machine without a credential, and one whose credential is refused, say so with the next step', async () => {
  const {keys, worktree, server} = await scene();
  await expect(worktree()).rejects.toMatchObject({
    code: 'repository_unauthorized',
    detail: expect.stringContaining('has no credential for it'),
    hint: expect.stringContaining('switchyard keys git set'),
  });
  await keys.set({scope: server.url, username: login.username}, 'expired');
  const refused = worktree();
  await expect(refused).rejects.toMatchObject({
    code: 'repository_unauthorized',
    detail: expect.stringContaining('refused the credential'),
  });
  await expect(refused).rejects.toMatchObject({detail: expect.not.stringContaining('expired')});
});

test("[GK4] the login of the machine's owner is used where the policy lets it and the runner has none, and is never changed", async () => {
  const {home, worktree, server} = await scene(true);
  const stored = join(home, '.git-credentials');
  writeFileSync(stored, `${server.url.replace('//', `//${login.username}:${login.password}@`)}\n`, {mode: 0o600});
  writeFileSync(join(home, '.gitconfig'), `[credential]\n\thelper = store --file=${stored}\n`);
  expect(existsSync((await worktree()).path)).toBe(true);
  const before = readFileSync(stored, 'utf8');
  server.login = {...login, password: 'changed'};
  expect(await codeOf(async () => worktree(2))).toBe('repository_unauthorized');
  expect(readFileSync(stored, 'utf8')).toBe(before);
});

test('[GK5] a policy that rules the login of the owner out is obeyed', async () => {
  const {home, worktree, server} = await scene(false);
  const stored = join(home, '.git-credentials');
  writeFileSync(stored, `${server.url.replace('//', `//${login.username}:${login.password}@`)}\n`, {mode: 0o600});
  writeFileSync(join(home, '.gitconfig'), `[credential]\n\thelper = store --file=${stored}\n`);
  expect(await codeOf(async () => worktree())).toBe('repository_unauthorized');
});

test('[GK6] a rule of the repository that refuses the branch is told as such, and the work is still there', async () => {
  const {keys, worktree, context, upstream, server} = await scene();
  await keys.set({scope: server.url, username: login.username}, login.password);
  const hook = join(upstream, '.git', 'hooks', 'pre-receive');
  mkdirSync(join(upstream, '.git', 'hooks'), {recursive: true});
  writeFileSync(hook, '#!/bin/sh\necho "GH006: Protected branch update failed" >&2\nexit 1\n', {mode: 0o755});
  const tree = await worktree();
  put(tree.path, 'new.txt', 'n\n');
  const head = commitAll(tree.path);
  await expect(pushAttempt(context, tree)).rejects.toMatchObject({
    code: 'push_refused',
    detail: expect.stringContaining('GH006'),
  });
  expect(sh(tree.path, 'rev-parse', 'HEAD')).toBe(head);
});

test.for([
  [['https://h'], 'h', 'a/b.git', 'https://h'],
  [['https://h', 'https://h/a'], 'h', 'a/b.git', 'https://h/a'],
  [['https://h', 'https://h/a/b'], 'h', 'a/b.git', 'https://h/a/b'],
  [['https://h/a/b'], 'h', 'a/b-2', undefined],
  [['https://h/a'], 'h:8443', 'a/b', undefined],
  [['https://h'], 'h.evil.test', 'a/b', undefined],
] as const)('[GK7] of %j the credential for %s/%s is %s', ([scopes, host, path, scope]) => {
  expect(longestScope(scopes, {protocol: 'https', host, path})).toBe(scope);
});

test('[GK7] an address has one form, and holds no credential', async () => {
  expect(scopeOf('https://GitHub.com/Acme/app.git')).toBe('https://github.com/Acme/app');
  expect(scopeOf('https://h:8443/')).toBe('https://h:8443');
  for (const text of ['http://h', 'git@h:a', 'https://u:p@h', 'https://h?x=1', 'h'])
    expect(await codeOf(() => scopeOf(text))).toBe('repository_invalid');
});
