import {lstat, readFile, rename, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {GitCall, GitResult} from './git.ts';
import {adminPath, type Mirror, type Worktree, type WorktreeContext} from './places.ts';

export type BoundCall = Omit<GitCall, 'cwd' | 'gitDir' | 'commonDir' | 'workTree'>;

/** Runs git in one known repository, with its configuration as the runner wrote it. */
export type BoundGit = (args: readonly string[], call?: BoundCall) => Promise<GitResult>;

/**
 * An agent can write to the mirror behind its worktree, and a repository's configuration can name programs (filters,
 * textconv, ssh commands). So the configuration is put back before each of our commands, and the repository is named
 * outright: a rewritten `.git` file in the tree leads nowhere.
 */
export function mirrorGit(context: WorktreeContext, mirror: Mirror): BoundGit {
  return async (args, call = {}) => {
    await sealConfig(context, mirror);
    return context.git(args, {cwd: mirror.path, gitDir: mirror.path, ...call});
  };
}

export function worktreeGit(context: WorktreeContext, worktree: Worktree): BoundGit {
  return async (args, call = {}) => {
    await sealConfig(context, worktree.mirror);
    await checkRealTree(worktree);
    const gitDir = adminPath(worktree);
    return context.git(args, {
      cwd: worktree.path,
      gitDir,
      commonDir: worktree.mirror.path,
      workTree: worktree.path,
      ...call,
    });
  };
}

/** A tree that was replaced by a link would make us read, commit and push the files that it points to. */
async function checkRealTree(worktree: Worktree): Promise<void> {
  const info = await lstat(worktree.path).catch(missing);
  if (info?.isDirectory() !== true)
    throw new SwitchyardError('git_failed', `${worktree.path} is not a directory of its own`);
}

/** The runner's copy of a mirror's configuration, out of the way of whoever works in a worktree. */
export function sealedConfigPath(mirror: Mirror): string {
  return `${mirror.path}.config`;
}

async function sealConfig(context: WorktreeContext, mirror: Mirror): Promise<void> {
  const path = join(mirror.path, 'config');
  const [sealed, current] = await Promise.all([readFile(sealedConfigPath(mirror)).catch(missing), plainFile(path)]);
  if (sealed === undefined)
    throw new SwitchyardError('git_failed', `${sealedConfigPath(mirror)} is missing: synchronise the mirror first`);
  if (current?.equals(sealed) === true) return;
  const draftPath = `${path}.${context.randomHex()}`;
  await writeFile(draftPath, sealed, {flag: 'wx'});
  await rename(draftPath, path);
}

async function plainFile(path: string): Promise<Buffer | undefined> {
  const info = await lstat(path).catch(missing);
  return info?.isFile() === true ? readFile(path).catch(missing) : undefined;
}

function missing(): undefined {
  return undefined;
}
