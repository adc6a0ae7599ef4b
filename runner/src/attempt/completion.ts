import {errorCodes, SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {expectsChange} from '@switchyard/shared/domain/role-defaults.ts';
import type {AttemptResult, GitEvidence, RebaseEvidence} from '@switchyard/shared/protocol/exit-record.ts';
import type {Worktree} from '../worktree/places.ts';
import {commitTree, pushTree, readTreeEvidence, type Trees} from './attempt-tree.ts';
import type {AgentEnd, AttemptPlan, Completion} from './attempt-work.ts';
import {rebaseTree} from './rebase-tree.ts';

const DETAIL_CHARACTERS_MAX = 4_000;

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
 * checks, in this order. Where the task asks for it the work is put on the newest base before it is checked. Only what
 * passed all of them is pushed; what did not stays in the worktree and is salvaged.
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
  const committed = await commit(request, worktree);
  const missing = missingChange(request.plan, committed);
  if (missing !== null) return {result: missing, git: committed};
  const git = await rebase(request, worktree, committed);
  const lost = git?.rebase?.outcome === 'conflict' ? rebaseConflict(git.rebase) : missingChange(request.plan, git);
  if (lost !== null) return {result: lost, git};
  if (!(await checksPass(request, git?.head_sha ?? null))) return {result: checksFailed, git};
  if (git === null || git.commits === 0) return {result: succeeded(request.end), git};
  const refused = await push(request, worktree, git);
  return refused === null ? {result: succeeded(request.end), git: {...git, pushed: true}} : {result: refused, git};
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

/** What is checked and pushed is what lies on the newest base. */
async function rebase(
  {plan, trees, tell, signal}: CompletionRequest,
  worktree: Worktree,
  git: GitEvidence | null,
): Promise<GitEvidence | null> {
  if (plan.spec.repository?.rebase !== true || git === null || git.commits === 0) return git;
  const evidence = await rebaseTree(trees, worktree, {plan, signal});
  const onto = evidence.onto_sha.slice(0, 12);
  if (evidence.outcome === 'conflict') {
    await tell(`the rebase onto ${onto} ends in conflicts: ${namesOf(evidence)}`);
    return {...git, rebase: evidence};
  }
  const rebased = await readTreeEvidence(trees, worktree, evidence.onto_sha);
  const head = rebased?.head_sha.slice(0, 12) ?? 'nothing';
  await tell(evidence.outcome === 'rebased' ? `rebased onto ${onto}: ${head}` : `${onto} is the newest base`);
  return rebased === null ? null : {...rebased, rebase: evidence};
}

function namesOf({conflicts, conflicts_more: more}: RebaseEvidence): string {
  return `${conflicts.map(({path}) => path).join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
}

function rebaseConflict(evidence: RebaseEvidence): AttemptResult {
  const detail = `both sides changed ${namesOf(evidence)} (base ${evidence.onto_sha.slice(0, 12)})`;
  return {kind: 'failed', code: 'rebase_conflict', detail: detail.slice(0, DETAIL_CHARACTERS_MAX), retryable: false};
}

/** Why the branch was not taken; the worktree keeps the work, and whoever reads the result sees what it is. */
async function push(
  {trees, tell, signal}: CompletionRequest,
  worktree: Worktree,
  git: GitEvidence,
): Promise<AttemptResult | null> {
  try {
    await pushTree(trees, worktree, {headSha: git.head_sha, baseSha: git.base_sha, signal});
  } catch (error) {
    if (signal.aborted || !(error instanceof SwitchyardError)) throw error;
    const {code, detail} = error;
    return {kind: 'failed', code, detail: detail.slice(0, DETAIL_CHARACTERS_MAX), retryable: errorCodes[code].retry};
  }
  await tell(`pushed ${worktree.branch}`);
  return null;
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
