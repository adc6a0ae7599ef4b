import {readChanges, readStaged, readUnmerged} from './changes.ts';
import {gitFailure, entriesOf, shownPath, textOf} from './git.ts';
import type {Worktree, WorktreeContext} from './places.ts';
import {worktreeGit, type BoundGit} from './sealed-git.ts';

const pathsShownMax = 200;

/** What git says about an attempt, whatever the agent says. Paths are shown, at most 200 of each kind. */
export interface Evidence {
  /** Tip of the branch of the attempt; undefined when the agent deleted it. */
  readonly headSha: string | undefined;
  /** What is checked out in the tree: a branch, or undefined for a detached head. */
  readonly checkedOut: string | undefined;
  readonly commitsAhead: number;
  readonly diff: DiffStat;
  readonly dirty: {
    readonly isDirty: boolean;
    readonly paths: readonly string[];
    readonly unmerged: readonly string[];
    readonly nested: readonly string[];
  };
}

export interface DiffStat {
  readonly files: number;
  readonly insertions: number;
  readonly deletions: number;
}

export interface EvidenceRequest {
  /** Where the work is counted from; the base of the worktree unless it was rebased. */
  readonly baseSha?: string | undefined;
  /** Paths that the runner itself put into the tree, such as copied templates: they are nobody's work. */
  readonly exclude?: readonly string[] | undefined;
}

/** Nothing in the tree is run or changed. Throws `git_failed`. */
export async function readEvidence(
  context: WorktreeContext,
  worktree: Worktree,
  request: EvidenceRequest = {},
): Promise<Evidence> {
  const git = worktreeGit(context, worktree);
  const baseSha = request.baseSha ?? worktree.baseSha;
  const [headSha, checkedOut, changes, unmerged] = await Promise.all([
    readTip(git, worktree.branch),
    readCheckedOut(git),
    readChanges(git, worktree.path),
    readUnmerged(git),
  ]);
  const staged = await readStaged(git).catch(() => []);
  const [commitsAhead, diff] =
    headSha === undefined
      ? [0, {files: 0, insertions: 0, deletions: 0}]
      : await Promise.all([countAhead(git, baseSha, headSha), readDiffStat(git, baseSha, headSha)]);
  const exclude = new Set(request.exclude);
  const paths = [...new Set([...changes.present, ...changes.absent, ...staged])]
    .map(shownPath)
    .filter(path => !exclude.has(path));
  return {
    headSha,
    checkedOut,
    commitsAhead,
    diff,
    dirty: {
      isDirty: paths.length > 0 || changes.nested.length > 0,
      paths: paths.slice(0, pathsShownMax),
      unmerged: unmerged.map(shownPath).slice(0, pathsShownMax),
      nested: changes.nested.map(shownPath).slice(0, pathsShownMax),
    },
  };
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
