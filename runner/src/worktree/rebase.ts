import {limits} from '@switchyard/shared/policy/limits.ts';
import {readUnmerged} from './changes.ts';
import {readCheckedOut, readTip} from './evidence.ts';
import {entriesOf, gitFailure, shownPath, type GitAuthor} from './git.ts';
import type {Worktree, WorktreeContext} from './places.ts';
import {worktreeGit, type BoundGit} from './sealed-git.ts';

const rebaseDeadlineMs = 5 * 60_000;

/** A file that both sides changed, with the newest commits of each that did. */
export interface Conflict {
  readonly path: string;
  readonly ours: readonly ConflictCommit[];
  readonly theirs: readonly ConflictCommit[];
}

export interface ConflictCommit {
  readonly sha: string;
  readonly subject: string;
}

export interface RebaseReport {
  /** False when there was nothing to do or the tree was not in a state to be rebased: `why` says which. */
  readonly attempted: boolean;
  /** True when the branch now contains the base. */
  readonly success: boolean;
  readonly why: 'rebased' | 'up-to-date' | 'conflict' | 'dirty' | 'other-branch';
  readonly conflicts: readonly Conflict[];
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
    conflicts: [],
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
      conflicts: [],
      headSha: await readTip(git, worktree.branch),
    };
  }
  const unmerged = await readUnmerged(git);
  await git(['rebase', '--abort'], {author: request.committer, deadlineMs: rebaseDeadlineMs});
  if (unmerged.length === 0 || (await readTip(git, worktree.branch)) !== head) throw gitFailure(args, result);
  const conflicts = await conflictsOf(git, unmerged, {ours: head, theirs: request.baseSha});
  return {attempted: true, success: false, why: 'conflict', conflicts, headSha: head};
}

type Sides = {readonly ours: string; readonly theirs: string};

async function conflictsOf(git: BoundGit, paths: readonly string[], {ours, theirs}: Sides): Promise<Conflict[]> {
  const conflicts: Conflict[] = [];
  for (const path of paths) {
    const name = shownPath(path);
    const known = conflicts.length < limits.conflictsMax;
    conflicts.push({
      path: name,
      ours: known ? await commitsOn(git, `${theirs}..${ours}`, name) : [],
      theirs: known ? await commitsOn(git, `${ours}..${theirs}`, name) : [],
    });
  }
  return conflicts;
}

/** The newest commits of a range that touch a file. */
async function commitsOn(git: BoundGit, range: string, path: string): Promise<ConflictCommit[]> {
  const args = ['log', '-z', '--format=%H %s', `--max-count=${limits.conflictCommitsMax}`, range, '--', path];
  const result = await git(args);
  if (result.exitCode !== 0) throw gitFailure(args, result);
  return entriesOf(result.stdout).map(entry => {
    const text = shownPath(entry);
    const space = text.indexOf(' ');
    return {sha: text.slice(0, space), subject: text.slice(space + 1)};
  });
}
