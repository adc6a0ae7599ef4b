import {lstat, readFile, rename, rm, unlink, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {GitCall, GitResult} from './git.ts';
import {adminPath, type Mirror, type Worktree, type WorktreeContext} from './places.ts';

export type BoundCall = Omit<GitCall, 'cwd' | 'gitDir' | 'commonDir' | 'workTree'>;

const commonDirectoryPointer = Buffer.from('../..\n');

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
    // Refs are looked up by this file even when the common directory is named outright.
    await seal(context, join(gitDir, 'commondir'), commonDirectoryPointer);
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
  // A file of this name sends git to another repository's configuration.
  await unlink(join(mirror.path, 'commondir')).catch(missing);
  // Ours run nothing of it, but the git of the next agent would: the worktrees of a mirror share its hooks.
  // oxlint-disable-next-line switchyard/no-raw-recursive-rm -- a fixed folder of our own mirror, which never holds work; links are not followed
  await rm(join(mirror.path, 'hooks'), {recursive: true, force: true});
  const sealed = await readFile(sealedConfigPath(mirror)).catch(missing);
  if (sealed === undefined)
    throw new SwitchyardError('git_failed', `${sealedConfigPath(mirror)} is missing: synchronise the mirror first`);
  await seal(context, join(mirror.path, 'config'), sealed);
}

/** Puts a file back when it is not a plain file with this content. Its directory has to be there. */
async function seal(context: WorktreeContext, path: string, content: Buffer): Promise<void> {
  const info = await lstat(path).catch(missing);
  if (info?.isFile() === true && (await readFile(path).catch(missing))?.equals(content) === true) return;
  const draftPath = `${path}.${context.randomHex()}`;
  await writeFile(draftPath, content, {flag: 'wx'});
  await rename(draftPath, path);
}

function missing(): undefined {
  return undefined;
}
