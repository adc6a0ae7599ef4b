import {readUnmerged} from './changes.ts';
import {readCheckedOut, readTip} from './evidence.ts';
import {gitFailure, shownPath, type GitAuthor} from './git.ts';
import type {Worktree, WorktreeContext} from './places.ts';
import {worktreeGit} from './sealed-git.ts';

const rebaseDeadlineMs = 5 * 60_000;

export interface RebaseReport {
  /** False when there was nothing to do or the tree was not in a state to be rebased: `why` says which. */
  readonly attempted: boolean;
  /** True when the branch now contains the base. */
  readonly success: boolean;
  readonly why: 'rebased' | 'up-to-date' | 'conflict' | 'dirty' | 'other-branch';
  readonly conflictFiles: readonly string[];
  readonly headSha: string | undefined;
}

/**
 * Puts the commits of the attempt on top of `baseSha`. A conflict is reported and undone: branch and tree are then as
 * before. The agent has ended. Throws `git_failed`.
 */
export async function rebaseAttempt(
  context: WorktreeContext,
  worktree: Worktree,
  request: {baseSha: string; committer: GitAuthor},
): Promise<RebaseReport> {
  const git = worktreeGit(context, worktree);
  const head = await readTip(git, worktree.branch);
  const refused = (why: RebaseReport['why'], success = false): RebaseReport => ({
    attempted: false,
    success,
    why,
    conflictFiles: [],
    headSha: head,
  });
  if (head === undefined || (await readCheckedOut(git)) !== worktree.branch) return refused('other-branch');
  if ((await git(['merge-base', '--is-ancestor', request.baseSha, head])).exitCode === 0)
    return refused('up-to-date', true);
  await git(['update-index', '--quiet', '--refresh']);
  const tracked = await git(['diff-index', '--quiet', '--ignore-submodules=dirty', '--no-ext-diff', 'HEAD']);
  if (tracked.exitCode !== 0) return refused('dirty');

  const args = [
    'rebase',
    '--quiet',
    '--no-autostash',
    '--no-verify',
    '--no-stat',
    '--no-fork-point',
    '--empty=drop',
    request.baseSha,
  ];
  const result = await git(args, {author: request.committer, deadlineMs: rebaseDeadlineMs});
  if (result.exitCode === 0) {
    return {
      attempted: true,
      success: true,
      why: 'rebased',
      conflictFiles: [],
      headSha: await readTip(git, worktree.branch),
    };
  }
  const conflictFiles = (await readUnmerged(git)).map(shownPath);
  await git(['rebase', '--abort'], {author: request.committer, deadlineMs: rebaseDeadlineMs});
  if (conflictFiles.length === 0 || (await readTip(git, worktree.branch)) !== head) throw gitFailure(args, result);
  return {attempted: true, success: false, why: 'conflict', conflictFiles, headSha: head};
}
