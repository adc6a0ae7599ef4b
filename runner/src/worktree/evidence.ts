import {entriesOf, gitFailure, textOf} from './git.ts';
import type {Worktree, WorktreeContext} from './places.ts';
import {worktreeGit, type BoundGit} from './sealed-git.ts';

/** What the branch of an attempt says that was done, whatever the agent says. What is not committed is no evidence. */
export interface Evidence {
  /** Tip of the branch of the attempt; undefined when the agent deleted it. */
  readonly headSha: string | undefined;
  readonly commitsAhead: number;
  readonly diff: DiffStat;
}

export interface DiffStat {
  readonly files: number;
  readonly insertions: number;
  readonly deletions: number;
}

/** Counted from `baseSha`, the base of the worktree unless it was rebased. Changes nothing. Throws `git_failed`. */
export async function readEvidence(
  context: WorktreeContext,
  worktree: Worktree,
  baseSha: string = worktree.baseSha,
): Promise<Evidence> {
  const git = worktreeGit(context, worktree);
  const headSha = await readTip(git, worktree.branch);
  if (headSha === undefined || headSha === baseSha)
    return {headSha, commitsAhead: 0, diff: {files: 0, insertions: 0, deletions: 0}};
  const [commitsAhead, diff] = await Promise.all([
    countAhead(git, baseSha, headSha),
    readDiffStat(git, baseSha, headSha),
  ]);
  return {headSha, commitsAhead, diff};
}

export async function readTip(git: BoundGit, branch: string): Promise<string | undefined> {
  const result = await git(['rev-parse', '--verify', '--quiet', `refs/heads/${branch}^{commit}`]);
  return result.exitCode === 0 ? textOf(result.stdout) : undefined;
}

export async function readCheckedOut(git: BoundGit): Promise<string | undefined> {
  const result = await git(['symbolic-ref', '--quiet', 'HEAD']);
  return result.exitCode === 0 ? textOf(result.stdout).replace(/^refs\/heads\//, '') : undefined;
}

async function countAhead(git: BoundGit, baseSha: string, headSha: string): Promise<number> {
  const args = ['rev-list', '--count', `${baseSha}..${headSha}`];
  const result = await git(args);
  if (result.exitCode !== 0) throw gitFailure(args, result);
  return Number(textOf(result.stdout));
}

/** Against the point where the branch left the base, so that what upstream did meanwhile is not counted as work. */
async function readDiffStat(git: BoundGit, baseSha: string, headSha: string): Promise<DiffStat> {
  const mergeBase = await git(['merge-base', baseSha, headSha]);
  const from = mergeBase.exitCode === 0 ? textOf(mergeBase.stdout) : baseSha;
  const args = ['diff-tree', '-r', '-z', '--numstat', '--no-renames', '--no-ext-diff', '--no-textconv', from, headSha];
  const result = await git(args);
  if (result.exitCode !== 0) throw gitFailure(args, result);
  let [files, insertions, deletions] = [0, 0, 0];
  for (const entry of entriesOf(result.stdout)) {
    const [added = '', removed = ''] = entry.split('\t');
    files += 1;
    // A binary file shows '-' for both.
    insertions += Number.parseInt(added, 10) || 0;
    deletions += Number.parseInt(removed, 10) || 0;
  }
  return {files, insertions, deletions};
}
