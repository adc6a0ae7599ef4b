import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {RebaseEvidence} from '@switchyard/shared/protocol/exit-record.ts';
import {gitFailure, textOf} from '../worktree/git.ts';
import {rebaseRef, type Worktree} from '../worktree/places.ts';
import {rebaseAttempt, type Conflict, type ConflictCommit} from '../worktree/rebase.ts';
import {mirrorGit} from '../worktree/sealed-git.ts';
import {AUTHOR, type Trees} from './attempt-tree.ts';
import type {AttemptPlan} from './attempt-work.ts';

const PATH_CHARACTERS_MAX = 400;
const SUBJECT_CHARACTERS_MAX = 120;

/** Puts the work of an attempt on top of the newest base, where its task asks for it. After a conflict all is as before. */
export async function rebaseTree(
  trees: Trees,
  worktree: Worktree,
  {plan, signal}: {readonly plan: AttemptPlan; readonly signal: AbortSignal},
): Promise<RebaseEvidence> {
  const ontoSha = await baseOf(trees, worktree, {plan, signal});
  const report = await rebaseAttempt(trees.context, worktree, {baseSha: ontoSha, committer: AUTHOR});
  switch (report.why) {
    case 'rebased':
    case 'up-to-date':
      return {
        outcome: report.why === 'rebased' ? 'rebased' : 'up_to_date',
        onto_sha: ontoSha,
        conflicts: [],
        conflicts_more: 0,
      };
    case 'conflict':
      return {
        outcome: 'conflict',
        onto_sha: ontoSha,
        conflicts: report.conflicts.slice(0, limits.conflictsMax).map(shown),
        conflicts_more: Math.max(0, report.conflicts.length - limits.conflictsMax),
      };
    case 'dirty':
      throw new SwitchyardError(
        'git_failed',
        'files with changes that are not committed stand in the way of the rebase',
      );
    case 'other-branch':
      throw new SwitchyardError('agent_failed', `${worktree.branch} is not checked out: it was not rebased`);
  }
}

async function baseOf(
  {context, mirrors}: Trees,
  {mirror, task, epoch}: Worktree,
  {plan, signal}: {readonly plan: AttemptPlan; readonly signal: AbortSignal},
): Promise<string> {
  const git = mirrorGit(context, mirror);
  const decided = await git(['rev-parse', '--verify', '--quiet', `${rebaseRef(task, epoch)}^{commit}`]);
  if (decided.exitCode === 0) return textOf(decided.stdout);
  await mirrors.sync(mirror.repository, {signal});
  const {sha} = await mirrors.resolveBase(mirror, plan.spec.repository?.base, {signal});
  const args = ['update-ref', rebaseRef(task, epoch), sha];
  const noted = await git(args);
  if (noted.exitCode !== 0) throw gitFailure(args, noted);
  return sha;
}

const shown = ({path, ours, theirs}: Conflict): RebaseEvidence['conflicts'][number] => ({
  path: path.slice(0, PATH_CHARACTERS_MAX),
  ours: ours.map(bounded),
  theirs: theirs.map(bounded),
});

const bounded = ({sha, subject}: ConflictCommit): {sha: string; subject: string} => ({
  sha,
  subject: subject.slice(0, SUBJECT_CHARACTERS_MAX),
});
