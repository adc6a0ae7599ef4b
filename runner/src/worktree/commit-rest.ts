import {copyFile, unlink} from 'node:fs/promises';
import {join} from 'node:path';
import {readChanges, readStaged, readUnmerged} from './changes.ts';
import {readCheckedOut, readTip} from './evidence.ts';
import {entriesInput, gitFailure, shownPath, textOf, type GitAuthor} from './git.ts';
import {adminPath, type Worktree, type WorktreeContext} from './places.ts';
import {errnoOf} from '../state/errno.ts';
import {isSensitiveFile} from './sensitive-file.ts';
import {worktreeGit, type BoundCall, type BoundGit} from './sealed-git.ts';

export interface CommitRequest extends StagingChoice {
  readonly message: string;
  readonly author: GitAuthor;
}

export interface StagingChoice {
  /** Paths that are left out without a word: what the runner itself put into the tree. */
  readonly exclude?: readonly string[] | undefined;
  /** Paths that may be committed although their name is that of a file with secrets. */
  readonly allowSensitive?: readonly string[] | undefined;
}

export type CommitOutcome =
  | {
      readonly outcome: 'committed';
      readonly sha: string;
      readonly refused: readonly string[];
      readonly nested: readonly string[];
    }
  | {readonly outcome: 'nothing'; readonly refused: readonly string[]; readonly nested: readonly string[]}
  /** Another branch, or none, is checked out: a commit there would not be on the branch of the attempt. */
  | {readonly outcome: 'other-branch'; readonly checkedOut: string | undefined}
  | {readonly outcome: 'conflicted'; readonly unmerged: readonly string[]};

/**
 * Commits what the agent left uncommitted, after it has ended. Files whose name says that they hold a secret are taken
 * out of the index and reported as refused; repositories nested in the tree are left where they are. No hook, filter or
 * signing program runs. Throws `git_failed`.
 */
export async function commitRest(
  context: WorktreeContext,
  worktree: Worktree,
  request: CommitRequest,
): Promise<CommitOutcome> {
  await clearAbandonedLocks(worktree);
  const git = worktreeGit(context, worktree);
  const rest = await stageRest(git, worktree, request);
  if (rest.outcome !== 'staged') return rest;
  const {tree, head, refused, nested} = rest;
  const before = await must(git, ['rev-parse', `${head}^{tree}`]);
  if (tree === before) return {outcome: 'nothing', refused, nested};
  const sha = await must(git, ['commit-tree', tree, '-p', head, '-F', '-'], {
    input: request.message,
    author: request.author,
  });
  await must(git, [
    'update-ref',
    '-m',
    'commit: what was left uncommitted',
    `refs/heads/${worktree.branch}`,
    sha,
    head,
  ]);
  return {outcome: 'committed', sha, refused, nested};
}

/**
 * The tree that `commitRest` would commit, while the agent may still go on: branch, index and files stay as they are.
 * Throws `git_failed`.
 */
export async function previewRest(
  context: WorktreeContext,
  worktree: Worktree,
  choice: StagingChoice = {},
): Promise<StagedRest> {
  const indexFile = join(adminPath(worktree), `index.${context.randomHex()}`);
  const git = worktreeGit(context, worktree);
  try {
    await copyFile(join(adminPath(worktree), 'index'), indexFile).catch(ignoreMissing);
    return await stageRest(async (args, call) => git(args, {...call, indexFile}), worktree, choice);
  } finally {
    await unlink(indexFile).catch(() => undefined);
  }
}

export type StagedRest =
  | {
      readonly outcome: 'staged';
      readonly head: string;
      readonly tree: string;
      readonly refused: readonly string[];
      readonly nested: readonly string[];
    }
  | Extract<CommitOutcome, {outcome: 'other-branch' | 'conflicted'}>;

async function stageRest(
  git: BoundGit,
  worktree: Worktree,
  {allowSensitive, exclude}: StagingChoice,
): Promise<StagedRest> {
  const [checkedOut, head, unmerged] = await Promise.all([
    readCheckedOut(git),
    readTip(git, worktree.branch),
    readUnmerged(git),
  ]);
  if (checkedOut !== worktree.branch || head === undefined) return {outcome: 'other-branch', checkedOut};
  if (unmerged.length > 0) return {outcome: 'conflicted', unmerged: unmerged.map(shownPath)};

  const [changes, staged] = await Promise.all([readChanges(git, worktree.path), readStaged(git)]);
  const allowed = new Set(allowSensitive);
  const excluded = new Set(exclude);
  const isRefused = (path: string) => isSensitiveFile(shownPath(path)) && !allowed.has(shownPath(path));
  const isLeftOut = (path: string) => isRefused(path) || excluded.has(shownPath(path));
  await unstage(git, staged.filter(isLeftOut));
  await stage(
    git,
    changes.present.filter(path => !isLeftOut(path)),
    ['--add', '--replace', '--remove'],
  );
  await stage(
    git,
    changes.absent.filter(path => !excluded.has(shownPath(path))),
    ['--force-remove'],
  );
  const refused = [...new Set([...staged, ...changes.present].filter(isRefused))].map(shownPath).toSorted();
  return {
    outcome: 'staged',
    head,
    tree: await must(git, ['write-tree']),
    refused,
    nested: changes.nested.map(shownPath),
  };
}

async function stage(git: BoundGit, paths: readonly string[], options: readonly string[]): Promise<void> {
  if (paths.length > 0) await must(git, ['update-index', ...options, '-z', '--stdin'], {input: entriesInput(paths)});
}

async function unstage(git: BoundGit, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  await must(git, ['reset', '--quiet', '--pathspec-from-file=-', '--pathspec-file-nul', 'HEAD'], {
    input: entriesInput(paths),
  });
}

/** An agent that was killed can leave git's lock files behind; it has ended, so nobody holds them. */
async function clearAbandonedLocks(worktree: Worktree): Promise<void> {
  const paths = [
    join(adminPath(worktree), 'index.lock'),
    join(adminPath(worktree), 'HEAD.lock'),
    join(worktree.mirror.path, 'refs', 'heads', `${worktree.branch}.lock`),
  ];
  for (const path of paths) await unlink(path).catch(() => undefined);
}

async function must(git: BoundGit, args: readonly string[], call: BoundCall = {}): Promise<string> {
  const result = await git(args, call);
  if (result.exitCode !== 0) throw gitFailure(args, result);
  return textOf(result.stdout);
}

function ignoreMissing(error: unknown): void {
  if (errnoOf(error) !== 'ENOENT') throw error;
}
