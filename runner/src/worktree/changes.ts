import {lstat} from 'node:fs/promises';
import {entriesOf, gitFailure} from './git.ts';
import type {BoundCall, BoundGit} from './sealed-git.ts';

/**
 * What differs between a tree and its index, as binary paths. Read with plumbing that opens no nested repository:
 * `git status` and `git add` would run git inside of one, under the configuration that it brings along.
 */
export interface Changes {
  /** Tracked files that are on disk with other content or mode, and untracked files that are not ignored. */
  readonly present: readonly string[];
  /** Tracked files that are gone, or whose directory has become a symbolic link. */
  readonly absent: readonly string[];
  /** Repositories that lie inside the tree without being submodules, with a final slash. */
  readonly nested: readonly string[];
}

export async function readChanges(git: BoundGit, treePath: string, call: BoundCall = {}): Promise<Changes> {
  const list = async (...selection: string[]): Promise<string[]> => {
    const args = ['ls-files', '-z', ...selection];
    const result = await git(args, call);
    if (result.exitCode !== 0) throw gitFailure(args, result);
    return entriesOf(result.stdout);
  };
  const [modified, others] = await Promise.all([list('--modified'), list('--others', '--exclude-standard')]);
  const present: string[] = [];
  const absent: string[] = [];
  const linkedDirectories = new Map<string, boolean>();
  for (const path of new Set(modified)) {
    const isBehindLink = await isBelowLink(treePath, path, linkedDirectories);
    const info = isBehindLink ? undefined : await lstat(bytePath(treePath, path)).catch(() => undefined);
    (info === undefined ? absent : present).push(path);
  }
  const nested = others.filter(path => path.endsWith('/'));
  return {present: [...present, ...others.filter(path => !path.endsWith('/'))], absent, nested};
}

/** A path that the file system takes, whatever bytes the name has. */
export function bytePath(treePath: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${treePath}/`), Buffer.from(path, 'latin1')]);
}

/** Paths that are staged with content which the commit at HEAD does not have. */
export async function readStaged(git: BoundGit): Promise<string[]> {
  const args = [
    'diff-index',
    '--cached',
    '--name-only',
    '-z',
    '--no-renames',
    '--no-ext-diff',
    '--ignore-submodules=dirty',
    '--diff-filter=AMT',
    'HEAD',
  ];
  const result = await git(args);
  if (result.exitCode !== 0) throw gitFailure(args, result);
  return entriesOf(result.stdout);
}

/** Paths that a merge left unresolved. */
export async function readUnmerged(git: BoundGit): Promise<string[]> {
  const args = ['ls-files', '-z', '--unmerged'];
  const result = await git(args);
  if (result.exitCode !== 0) throw gitFailure(args, result);
  return [...new Set(entriesOf(result.stdout).map(entry => entry.slice(entry.indexOf('\t') + 1)))];
}

async function isBelowLink(treePath: string, path: string, known: Map<string, boolean>): Promise<boolean> {
  const slash = path.lastIndexOf('/');
  if (slash < 0) return false;
  const parent = path.slice(0, slash);
  const cached = known.get(parent);
  if (cached !== undefined) return cached;
  const info = await lstat(bytePath(treePath, parent)).catch(() => undefined);
  const isLink = info?.isSymbolicLink() === true || (await isBelowLink(treePath, parent, known));
  known.set(parent, isLink);
  return isLink;
}
