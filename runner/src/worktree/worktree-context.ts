import type {FindCredential} from './credential-pipe.ts';
import {createGit} from './git.ts';
import {MirrorLocks} from './mirror-lock.ts';
import type {WorktreeContext} from './places.ts';

export type WorktreeSurroundings = Pick<WorktreeContext, 'root' | 'now' | 'randomHex'> & {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly findCredential: FindCredential;
};

/** How to reach other machines: an agent of ssh keys, a proxy, authorities that a company trusts. No secrets. */
const passed = ['SSH_AUTH_SOCK', 'HTTPS_PROXY', 'NO_PROXY', 'GIT_SSL_CAINFO', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];

/** Git as the runner uses it, on the mirrors and worktrees under one root. */
export function worktreeContext({env, home, findCredential, ...rest}: WorktreeSurroundings): WorktreeContext {
  const environment = Object.fromEntries(
    passed.flatMap(name => (env[name] === undefined ? [] : [[name, env[name]]])),
  ) as Record<string, string>;
  const searchPath = env['PATH'] ?? '/usr/bin:/bin';
  return {
    ...rest,
    git: createGit({program: 'git', searchPath, home, environment, findCredential}),
    locks: new MirrorLocks(),
  };
}
