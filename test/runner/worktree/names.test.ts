import {execFileSync, spawnSync} from 'node:child_process';
import * as fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {
  branchOfAttempt,
  branchProblem,
  isAttemptBranch,
  isRefFormat,
} from '../../../runner/src/worktree/branch-name.ts';
import {portBlock} from '../../../runner/src/worktree/port-block.ts';
import {parseRepository} from '../../../runner/src/worktree/repository-url.ts';
import {isSensitiveFile} from '../../../runner/src/worktree/sensitive-file.ts';
import {worktreeName} from '../../../runner/src/worktree/places.ts';
import {codeOf} from './ground.ts';
import {everyProperty} from '../../property/fuzz-settings.ts';

fc.configureGlobal(everyProperty);

describe('a repository reference', () => {
  test.for([
    ['https://github.com/Acme/App.git', 'https://github.com/Acme/App', 'https://github.com/Acme/App.git'],
    ['https://GitHub.com:443/Acme/App/', 'https://github.com/Acme/App', 'https://github.com/Acme/App'],
    ['HTTPS://example.test:8443/a/b/c', 'https://example.test:8443/a/b/c', 'https://example.test:8443/a/b/c'],
    [
      'ssh://git@Example.test:22/acme/app.git',
      'ssh://git@example.test/acme/app.git',
      'ssh://git@example.test/acme/app.git',
    ],
    ['ssh://example.test:2222/srv/app', 'ssh://example.test:2222/srv/app', 'ssh://example.test:2222/srv/app'],
    ['git@github.com:acme/app.git', 'ssh://git@github.com/~/acme/app.git', 'git@github.com:acme/app.git'],
    ['git@example.test:/srv/app', 'ssh://git@example.test/srv/app', 'ssh://git@example.test/srv/app'],
    ['file:///srv/my%20app', 'file:///srv/my%20app', 'file:///srv/my%20app'],
    ['/srv/my app/', 'file:///srv/my%20app', 'file:///srv/my%20app'],
    ['/srv/app#1', 'file:///srv/app%231', 'file:///srv/app%231'],
  ] as const)('[WT1] %s is read as %s', ([reference, id, url]) => {
    expect(parseRepository(reference)).toMatchObject({id, url});
  });

  test.for([
    '',
    '-u./payload',
    '--upload-pack=touch /tmp/x',
    'ext::sh -c touch% /tmp/x',
    'fd::7',
    'https::https://x',
    'http://example.test/a/b',
    'git://example.test/a/b',
    'ftp://example.test/a',
    'javascript:alert(1)//x',
    'https://user@example.test/a',
    'https://user:pw@example.test/a',
    'https://ghp_0123456789@example.test/a',
    'https://example.test@evil.test/a',
    'https://-oProxyCommand=x/a',
    'https://example.test/',
    'https://example.test/a/../b',
    'https://example.test/a/%2e%2e/b',
    'https://example.test/a/%2E./b',
    'https://example.test/a//b',
    'https://example.test/a?x=1',
    'https://example.test/a#x',
    'https://example.test/a\nb',
    'https://example.test/a\tb',
    'https://example.test/a b',
    'https://example.test/\u202egpj',
    'https://exa\u200bmple.test/a',
    'https://example.test/-x',
    'https://example.test/a/%2dx',
    'https:\\\\example.test\\a',
    'ssh://-oProxyCommand=x/a',
    'ssh://git@-oProxyCommand=x/a',
    'ssh://-x@example.test/a',
    'ssh://git:pw@example.test/a',
    'ssh://git@example.test/a/../../b',
    'ssh://git@example.test/$(x)',
    'ssh://git@example.test/-x',
    'git@-oProxyCommand=x:a',
    'git@example.test:-x',
    'git@example.test:../x',
    'git@example.test:',
    'example.test:a/b',
    'user:pw@example.test:a',
    'C:\\repo',
    'relative/path',
    '../x',
    '.',
    '/',
    '//host/share',
    '/srv/../etc',
    '/srv/a\u0000b',
    'file://host/a',
    'file:///srv/%2e%2e/etc',
    'file:///srv/a%0ab',
    'file:///srv/%zz',
    'file:relative',
    `https://example.test/${'a'.repeat(3000)}`,
  ])('[WT2] %j is refused', async reference => {
    expect(await codeOf(() => parseRepository(reference))).toBe('repository_invalid');
  });

  test.for([
    'https://bob:s3cretvalue@example.test/a',
    'https://s3cretvalue@example.test/a',
    'ssh://git:s3cretvalue@example.test/a',
  ])('[WT3] a credential in %s is refused with the way to do it, and not repeated', reference => {
    expect(() => parseRepository(reference)).toThrow(/credential helper/);
    expect(() => parseRepository(reference)).not.toThrow(/s3cretvalue/);
  });

  test('[WT4] different repositories have different directories, and a directory name is plain', () => {
    const path = fc.stringMatching(/^[A-Za-z0-9._~-]{1,12}(?:\/[A-Za-z0-9._~-]{1,12}){0,3}$/);
    fc.assert(
      fc.property(path, path, (a, b) => {
        const [first, second] = [read(a), read(b)];
        if (first === undefined || second === undefined) return;
        expect(first.directory).toMatch(/^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?-)?[0-9a-f]{16}$/);
        expect(first.directory === second.directory).toBe(first.id === second.id);
      }),
    );
    const near = [
      '/srv/acme',
      '/srv/acme2',
      '/srv/acme.git',
      '/srv-acme',
      '/srv/ACME',
      'https://srv/acme',
      'ssh://srv/acme',
      'git@srv:acme',
    ];
    expect(new Set(near.map(each => parseRepository(each).directory)).size).toBe(near.length);
  });

  test('[WT4] reading a canonical url again gives the same repository', () => {
    for (const reference of [
      'https://GitHub.com/a/b.git',
      'git@h.test:a/b',
      'git@h.test:/a/b',
      '/srv/a b%20c',
      'file:///x/y%23',
    ]) {
      const first = parseRepository(reference);
      expect(parseRepository(first.url)).toEqual(first);
    }
  });
});

function read(path: string) {
  try {
    return parseRepository(`https://example.test/${path}`);
  } catch {
    return undefined;
  }
}

describe('a branch name', () => {
  test('[WT5] the rule is the rule of git check-ref-format', () => {
    const piece = fc.constantFrom(
      'a',
      'B',
      '.',
      '..',
      '/',
      '@',
      '{',
      '@{',
      '~',
      '^',
      ':',
      '?',
      '*',
      '[',
      '\\',
      ' ',
      '\t',
      '\u007f',
      '\u0085',
      'ü',
      '.lock',
      '-',
      'HEAD',
    );
    fc.assert(
      fc.property(
        fc.array(piece, {minLength: 1, maxLength: 5}).map(parts => parts.join('')),
        name => {
          expect({name, is: isRefFormat(name)}).toEqual({
            name,
            is: spawnSync('git', ['check-ref-format', `refs/heads/${name}`]).status === 0,
          });
        },
      ),
      {numRuns: 300},
    );
  });

  test.for([
    '-x',
    'a/-x',
    'HEAD',
    'a/HEAD',
    '@',
    'refs/heads/x',
    'a'.repeat(201),
    'f'.repeat(40),
    'a\u200bb',
    'a\u202eb',
    'a..b',
    'a b',
    '',
    'a.lock',
    '../x',
    'a\nb',
  ])('[WT6] the branch name %j is refused', name => expect(branchProblem(name)).toBeDefined());

  test.for(['main', 'feature/ünïcode', 'release-1.2', 'dependabot/npm_and_yarn/x-1.0', 'a@b'])(
    '[WT6] the branch name %j is accepted',
    name => {
      expect(branchProblem(name)).toBeUndefined();
      expect(execFileSync('git', ['check-ref-format', '--branch', name], {encoding: 'utf8'}).trim()).toBe(name);
    },
  );

  test.for(['../x', 'a\nb', 'a/b', '', '-x', '.x', 'a b', 'A', 'x'.repeat(101), 'a.lock', 'ä', 'a..b', '$(x)'])(
    '[WT7] the task id %j names neither a branch nor a directory (T19)',
    async id => {
      expect(await codeOf(() => branchOfAttempt(id, 1))).toBe('invalid_request');
      expect(await codeOf(() => worktreeName(id, 1))).toBe('invalid_request');
    },
  );

  test.for([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('[WT7] the epoch %d is refused', async epoch => {
    expect(await codeOf(() => branchOfAttempt('a', epoch))).toBe('invalid_request');
  });

  test('[WT8] exactly the branches of attempts are taken for branches of attempts', () => {
    expect(isAttemptBranch(branchOfAttempt('tsk_1', 12))).toBe(true);
    for (const name of [
      'main',
      'switchyard',
      'switchyard/a',
      'switchyard/a/b',
      'switchyard/a/e0',
      'switchyard/a/e1/x',
      'x/switchyard/a/e1',
      'switchyard/../e1',
      'switchyard/a/e1\n',
      'switchyard/a/e01',
    ]) {
      expect({name, is: isAttemptBranch(name)}).toEqual({name, is: false});
    }
  });
});

describe('a file name', () => {
  test.for([
    '.env',
    'a/.env',
    '.env.local',
    '.env.production',
    '.envrc',
    'server.pem',
    'TLS.KEY',
    'id_rsa',
    '.ssh/config',
    'a/.ssh/known_hosts',
    'id_ed25519',
    'credentials.json',
    'google-credentials.json',
    'service-account.json',
    'my_service_account_key.json',
    'client_secret.json',
    'client_secret_123.apps.json',
    'secrets.yaml',
    '.netrc',
    '.npmrc',
    '.pypirc',
    '.git-credentials',
    'x.p12',
    'x.pfx',
    'x.jks',
    '.aws/credentials',
    '.docker/config.json',
    'terraform.tfstate',
    'prod.tfvars',
    '.kube/config',
    'kubeconfig',
    '.claude/.credentials.json',
    '.codex/auth.json',
    '.htpasswd',
    '.pgpass',
  ])('[WT9] %s is held back as one that carries secrets', path => expect(isSensitiveFile(path)).toBe(true));

  test.for([
    '.env.example',
    '.env.sample',
    'config/.env.template',
    '.env.local.example',
    'env.ts',
    'environment.json',
    'src/key.ts',
    'monkey.json',
    'id_rsa.pub',
    'src/credentials.ts',
    'docs/secrets.md',
    'tokenizer.json',
    'package.json',
    'public.cert.md',
    'keys.go',
    'secret-santa.ts',
    'README.md',
  ])('[WT9] %s may be committed', path => expect(isSensitiveFile(path)).toBe(false));
});

describe('a port block', () => {
  test('[WT10] blocks of different slots never overlap and stay inside the port range', () => {
    const range = {
      base: fc.integer({min: 1024, max: 60_000}),
      size: fc.integer({min: 1, max: 100}),
      slots: fc.integer({min: 1, max: 30}),
    };
    fc.assert(
      fc.property(fc.record(range), ({base, size, slots}) => {
        fc.pre(base + slots * size - 1 <= 65_535);
        const blocks = Array.from({length: slots}, (_, slot) => portBlock({base, size, slot}));
        expect(blocks.every(block => block.last - block.first + 1 === size)).toBe(true);
        expect(blocks.slice(1).every((block, index) => block.first > (blocks[index]?.last ?? Infinity))).toBe(true);
      }),
    );
  });

  test.for([
    {base: 80, size: 1, slot: 0},
    {base: 65_000, size: 100, slot: 6},
    {base: 4000, size: 0, slot: 0},
    {base: 4000, size: 10, slot: -1},
    {base: 4000.5, size: 1, slot: 0},
  ])('[WT10] %o does not fit and is refused', async range =>
    expect(await codeOf(() => portBlock(range))).toBe('configuration_invalid'),
  );
});
