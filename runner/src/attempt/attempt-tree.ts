import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {GitEvidence} from '@switchyard/shared/protocol/exit-record.ts';
import {settingsOf} from '../agent/drivers.ts';
import {baseRules} from '../worktree/base-rules.ts';
import {commitRest} from '../worktree/commit-rest.ts';
import {readEvidence} from '../worktree/evidence.ts';
import {gitFailure, textOf} from '../worktree/git.ts';
import {hideSettings} from '../worktree/hide-settings.ts';
import type {Mirrors} from '../worktree/mirror.ts';
import {mirrorOf, type Worktree, type WorktreeContext} from '../worktree/places.ts';
import {rebranch} from '../worktree/rebranch.ts';
import {pushAttempt} from '../worktree/push.ts';
import {parseRepository} from '../worktree/repository-url.ts';
import {mirrorGit} from '../worktree/sealed-git.ts';
import {addWorktree, findWorktree, removeAttempt} from '../worktree/worktree.ts';
import type {AttemptPlan} from './attempt-work.ts';

/** A mirror fetched so recently is taken as it is: tasks that arrive together share one fetch. */
const MIRROR_FRESH_MS = 5_000;

export const AUTHOR = {name: 'Switchyard', email: 'switchyard@localhost'};

export type Trees = {readonly context: WorktreeContext; readonly mirrors: Mirrors};

/** Fetches the repository and makes the worktree of the attempt; a second call finds it made. */
export async function prepareTree(
  {context, mirrors}: Trees,
  plan: AttemptPlan,
  signal: AbortSignal,
): Promise<Worktree | undefined> {
  if (plan.spec.repository === undefined) return undefined;
  const existing = await findTree({context, mirrors}, plan);
  if (existing !== undefined) return withoutSettings(context, existing, plan);
  const repository = parseRepository(plan.spec.repository.url);
  const mirror = await mirrors.sync(repository, {freshMs: MIRROR_FRESH_MS, signal});
  const {sha} = await mirrors.resolveBase(mirror, plan.spec.repository.base, {signal});
  const {worktree} = await addWorktree(context, {mirror, task: plan.task, epoch: plan.epoch, baseSha: sha}, signal);
  return withoutSettings(context, worktree, plan);
}

async function withoutSettings(context: WorktreeContext, worktree: Worktree, {spec}: AttemptPlan): Promise<Worktree> {
  await hideSettings(context, worktree, settingsOf(spec.agent.driver));
  return worktree;
}

/** The tree in which the agent of an earlier attempt left its work, on the branch of this one; undefined when it is gone. */
export async function adoptTree(trees: Trees, plan: AttemptPlan, treeEpoch: number): Promise<Worktree | undefined> {
  const worktree = await findTree(trees, {...plan, epoch: treeEpoch});
  return worktree === undefined ? undefined : rebranch(trees.context, worktree, plan.branch);
}

export async function findTree({context}: Trees, plan: AttemptPlan): Promise<Worktree | undefined> {
  if (plan.spec.repository === undefined) return undefined;
  const mirror = mirrorOf(context.root, parseRepository(plan.spec.repository.url));
  return findWorktree(context, mirror, plan.task, plan.epoch);
}

/** For the agent's system prompt: what the owner of the machine says to every agent, then what the base of the work says. */
export async function instructionsOf(
  trees: Trees,
  plan: AttemptPlan,
  introduction: string | undefined,
): Promise<string | null> {
  const worktree = await findTree(trees, plan);
  const rules = worktree === undefined ? null : await baseRules(trees.context, worktree);
  const told = [introduction, rules].filter(part => typeof part === 'string');
  return told.length === 0 ? null : told.join('\n\n');
}

/** Whatever there is of it, also what an add or a removal left that was interrupted. */
export async function removeTree({context}: Trees, {spec, task, epoch}: AttemptPlan): Promise<string | undefined> {
  if (spec.repository === undefined) return undefined;
  const mirror = mirrorOf(context.root, parseRepository(spec.repository.url));
  const {salvaged} = await removeAttempt(context, {mirror, task, epoch});
  return salvaged?.ref;
}

/** Commits what the agent left. Answers with the names of files that were left out because they look like secrets. */
export async function commitTree(
  {context}: Trees,
  worktree: Worktree,
  plan: AttemptPlan,
): Promise<{readonly refused: readonly string[]}> {
  const title = (plan.spec.title ?? plan.spec.prompt.split('\n', 1)[0] ?? plan.task).slice(0, 72);
  const message = `${title}\n\nTask: ${plan.task}\nAttempt: ${plan.epoch}\n`;
  const commit = await commitRest(context, worktree, {message, author: AUTHOR});
  switch (commit.outcome) {
    case 'committed':
    case 'nothing':
      return {refused: commit.refused};
    case 'other-branch':
      throw new SwitchyardError(
        'agent_failed',
        `the agent left ${commit.checkedOut ?? 'a detached head'} checked out, not ${worktree.branch}`,
      );
    case 'conflicted':
      throw new SwitchyardError(
        'agent_failed',
        `the agent left conflicts in ${commit.unmerged.slice(0, 5).join(', ')}`,
      );
  }
}

/** Counted from the base of the worktree, or from the one that it was rebased onto. */
export async function readTreeEvidence(
  {context}: Trees,
  worktree: Worktree,
  baseSha: string = worktree.baseSha,
): Promise<GitEvidence | null> {
  const {headSha, commitsAhead, diff} = await readEvidence(context, worktree, baseSha);
  if (headSha === undefined) return null;
  return {
    base_sha: baseSha,
    head_sha: headSha,
    branch: worktree.branch,
    commits: commitsAhead,
    files_changed: diff.files,
    insertions: diff.insertions,
    deletions: diff.deletions,
    pushed: false,
  };
}

export async function treeOfCommit({context}: Trees, {mirror}: Worktree, sha: string): Promise<string> {
  const args = ['rev-parse', `${sha}^{tree}`];
  const result = await mirrorGit(context, mirror)(args);
  if (result.exitCode !== 0) throw gitFailure(args, result);
  return textOf(result.stdout);
}

/** Sends exactly this commit. Throws where the branch could not be pushed; the worktree keeps the work. */
export async function pushTree(
  {context}: Trees,
  worktree: Worktree,
  {headSha, baseSha, signal}: {readonly headSha: string; readonly baseSha: string; readonly signal: AbortSignal},
): Promise<void> {
  const pushed = await pushAttempt(context, worktree, {headSha, baseSha, signal});
  switch (pushed.outcome) {
    case 'pushed':
      return;
    case 'sensitive-files':
      throw new SwitchyardError(
        'policy_refused',
        `a commit holds files that look like secrets: ${pushed.files.slice(0, 5).join(', ')}`,
      );
    case 'stale':
      throw new SwitchyardError('push_stale', `somebody else changed ${worktree.branch} upstream`);
    case 'moved':
      throw new SwitchyardError(
        'agent_failed',
        `${worktree.branch} went on to ${pushed.headSha.slice(0, 12)} after ${headSha.slice(0, 12)} was checked`,
      );
    case 'no-branch':
      throw new SwitchyardError('agent_failed', `the agent deleted the branch ${worktree.branch}`);
  }
}
