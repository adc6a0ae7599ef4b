import {expectsChange} from '@switchyard/shared/domain/role-defaults.ts';
import type {AttemptResult, GitEvidence} from '@switchyard/shared/protocol/exit-record.ts';
import type {Worktree} from '../worktree/places.ts';
import {commitTree, pushTree, readTreeEvidence, type Trees} from './attempt-tree.ts';
import type {AgentEnd, AttemptPlan, Completion} from './attempt-work.ts';

export type CompletionRequest = {
  readonly plan: AttemptPlan;
  readonly end: AgentEnd;
  readonly worktree: Worktree | undefined;
  readonly trees: Trees;
  readonly signal: AbortSignal;
  /** Says a line of progress to people and to the log. */
  readonly tell: (line: string) => Promise<void>;
  /** Whether they pass on the files of this commit, which are those of the worktree. */
  readonly checksPass: (headSha: string | null) => Promise<boolean>;
};

/**
 * Decides how an attempt ended: by the driver's reading, by what the branch of the attempt holds, and by the declared
 * checks, in this order. Only what passed all of them is pushed; what did not stays in the worktree and is salvaged.
 */
export async function complete(request: CompletionRequest): Promise<Completion> {
  const {end, worktree, trees} = request;
  if (end.result !== null)
    return {result: end.result, git: worktree === undefined ? null : await readTreeEvidence(trees, worktree)};
  if (worktree !== undefined) return completeTree(request, worktree);
  const result = (await checksPass(request, null)) ? succeeded(end) : checksFailed;
  return {result, git: null};
}

async function completeTree(request: CompletionRequest, worktree: Worktree): Promise<Completion> {
  const git = await commit(request, worktree);
  const missing = missingChange(request.plan, git);
  if (missing !== null) return {result: missing, git};
  if (!(await checksPass(request, git?.head_sha ?? null))) return {result: checksFailed, git};
  const pushed = git === null || git.commits === 0 ? git : await push(request, worktree, git);
  return {result: succeeded(request.end), git: pushed};
}

const succeeded = ({summary}: AgentEnd): AttemptResult => ({
  kind: 'succeeded',
  ...(summary === null ? {} : {summary}),
});

async function checksPass({plan, checksPass: pass}: CompletionRequest, headSha: string | null): Promise<boolean> {
  return plan.spec.checks.length === 0 || pass(headSha);
}

const checksFailed: AttemptResult = {
  kind: 'failed',
  code: 'checks_failed',
  detail: 'a declared check did not pass',
  retryable: true,
};

async function commit({plan, trees, tell}: CompletionRequest, worktree: Worktree): Promise<GitEvidence | null> {
  const {refused} = await commitTree(trees, worktree, plan);
  if (refused.length > 0)
    await tell(`left out of the commit, because the name says it holds a secret: ${refused.join(', ')}`);
  const git = await readTreeEvidence(trees, worktree);
  if (git !== null && git.commits > 0) {
    const {head_sha: head, files_changed: files, insertions, deletions} = git;
    await tell(
      `committed ${head.slice(0, 12)}: ${files} ${files === 1 ? 'file' : 'files'}, +${insertions} -${deletions}`,
    );
  }
  return git;
}

async function push(
  {trees, tell, signal}: CompletionRequest,
  worktree: Worktree,
  git: GitEvidence,
): Promise<GitEvidence> {
  await pushTree(trees, worktree, {headSha: git.head_sha, signal});
  await tell(`pushed ${worktree.branch}`);
  return {...git, pushed: true};
}

function missingChange({spec}: AttemptPlan, git: GitEvidence | null): AttemptResult | null {
  if (!expectsChange(spec) || (git !== null && git.commits > 0 && git.files_changed > 0)) return null;
  return {
    kind: 'failed',
    code: 'agent_no_change',
    detail: 'the agent left no change on the branch of its task',
    retryable: false,
  };
}
