import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {branchConflict, branchesAbove} from './branch-conflict.ts';
import {isAttemptBranch} from './branch-name.ts';
import {readTip} from './evidence.ts';
import {entriesOf, gitFailure, shownError, shownPath, textOf, type GitResult} from './git.ts';
import {pushedRef, type Worktree, type WorktreeContext} from './places.ts';
import {remoteFailure} from './remote-failure.ts';
import {isSensitiveFile} from './sensitive-file.ts';
import {mirrorGit, type BoundGit} from './sealed-git.ts';

/**
 * Over file:// the other side of a push is a process of this machine. Its hooks, and the programs that its configuration
 * names, stay off as ours do.
 */
const quietReceiver =
  'git -c core.hooksPath=/dev/null -c core.alternateRefsCommand=true -c core.fsmonitor=false' +
  ' -c receive.denyCurrentBranch=refuse -c receive.autogc=false receive-pack';

const pushDeadlineMs = 10 * 60_000;

export interface PushRequest {
  /** The commit that was looked at and checked: nothing else is sent. The tip of the branch when absent. */
  readonly headSha?: string | undefined;
  /** Where the commits of the attempt begin; the base of the worktree unless it was rebased. */
  readonly baseSha?: string | undefined;
  readonly allowSensitive?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type PushOutcome =
  | {readonly outcome: 'pushed'; readonly sha: string; readonly branch: string}
  /** A commit of the attempt holds a file whose name says that it holds a secret. Nothing was sent. */
  | {readonly outcome: 'sensitive-files'; readonly files: readonly string[]}
  /** Somebody else changed the branch upstream; it was left as it is. */
  | {readonly outcome: 'stale'; readonly remoteSha: string | undefined}
  /** The branch has another commit than the one that was to be sent. */
  | {readonly outcome: 'moved'; readonly headSha: string}
  | {readonly outcome: 'no-branch'};

/**
 * Sends the branch of the attempt, and no other ref, to the repository it came from. It replaces what this runner pushed
 * before (after a rebase) and never what somebody else pushed. Repeating it is safe.
 * Throws `repository_unreachable`, `repository_unauthorized`, `push_refused`, `git_failed`, `branch_invalid`,
 * `branch_conflict`.
 */
export async function pushAttempt(
  context: WorktreeContext,
  worktree: Worktree,
  request: PushRequest = {},
): Promise<PushOutcome> {
  if (!isAttemptBranch(worktree.branch))
    throw new SwitchyardError(
      'branch_invalid',
      `${worktree.branch} is not the branch of an attempt: it was not pushed.`,
    );
  const git = mirrorGit(context, worktree.mirror);
  const head = await readTip(git, worktree.branch);
  if (head === undefined) return {outcome: 'no-branch'};
  if (request.headSha !== undefined && head !== request.headSha) return {outcome: 'moved', headSha: head};
  const [files, recorded] = await Promise.all([
    committedSecrets(git, {baseSha: request.baseSha ?? worktree.baseSha, head, allowed: request.allowSensitive}),
    git(['rev-parse', '--verify', '--quiet', pushedRef(worktree.task, worktree.epoch)]),
  ]);
  if (files.length > 0) return {outcome: 'sensitive-files', files};

  const expected = recorded.exitCode === 0 ? textOf(recorded.stdout) : '';
  const sent = await pushOver(git, worktree, {head, expected, request});
  if ('outcome' in sent) return sent;
  if (sent.exitCode !== 0) throw await rejection(git, worktree, {sent, request});
  const recordArgs = ['update-ref', pushedRef(worktree.task, worktree.epoch), head];
  const record = await git(recordArgs);
  if (record.exitCode !== 0) throw gitFailure(recordArgs, record);
  return {outcome: 'pushed', sha: head, branch: worktree.branch};
}

/** A first refusal may only mean that our record of the last push is old: commits that we have ourselves may be passed. */
async function pushOver(
  git: BoundGit,
  worktree: Worktree,
  how: {head: string; expected: string; request: PushRequest},
): Promise<GitResult | PushOutcome> {
  const first = await push(git, worktree, how);
  if (!isStale(first)) return first;
  const remoteSha = await readRemote(git, worktree, how.request);
  if (remoteSha === undefined) await requireRoomNow(git, worktree, how.request);
  if (remoteSha === undefined || !(await isAncestor(git, remoteSha, how.head))) return {outcome: 'stale', remoteSha};
  const second = await push(git, worktree, {...how, expected: remoteSha});
  return isStale(second) ? {outcome: 'stale', remoteSha: await readRemote(git, worktree, how.request)} : second;
}

async function push(
  git: BoundGit,
  worktree: Worktree,
  how: {head: string; expected: string; request: PushRequest},
): Promise<GitResult> {
  const ref = `refs/heads/${worktree.branch}`;
  const {repository} = worktree.mirror;
  const receiver = repository.protocol === 'file' ? [`--receive-pack=${quietReceiver}`] : [];
  const args = [
    'push',
    '--porcelain',
    '--no-verify',
    '--no-follow-tags',
    '--no-signed',
    ...receiver,
    `--force-with-lease=${ref}:${how.expected}`,
    repository.url,
    `${how.head}:${ref}`,
  ];
  return git(args, {
    signal: how.request.signal,
    deadlineMs: pushDeadlineMs,
    lateCode: 'repository_unreachable',
  });
}

/** Every file that a commit of the attempt adds or changes: one that a later commit removes would be sent all the same. */
export async function committedSecrets(
  git: BoundGit,
  {baseSha, head, allowed = []}: {baseSha: string; head: string; allowed?: readonly string[] | undefined},
): Promise<readonly string[]> {
  const args = [
    'log',
    '--format=',
    '--name-only',
    '-z',
    '-c',
    '--no-renames',
    '--no-ext-diff',
    '--no-textconv',
    '--diff-filter=AMT',
    `${baseSha}..${head}`,
  ];
  const result = await git(args);
  if (result.exitCode !== 0) throw gitFailure(args, result);
  const paths = [...new Set(entriesOf(result.stdout).map(path => shownPath(path).replace(/^\n+/, '')))];
  return paths.filter(path => isSensitiveFile(path) && !allowed.includes(path));
}

async function readRemote(git: BoundGit, worktree: Worktree, request: PushRequest): Promise<string | undefined> {
  const listed = await listRemote(git, worktree, {request, branches: [worktree.branch]});
  return /^([0-9a-f]{40,64})\t/.exec(listed)?.[1];
}

async function rejection(
  git: BoundGit,
  worktree: Worktree,
  {sent, request}: {readonly sent: GitResult; readonly request: PushRequest},
): Promise<SwitchyardError> {
  if (isRejected(sent)) await requireRoomNow(git, worktree, request);
  return pushFailure(worktree, sent);
}

/** A branch that somebody made upstream since the preparation may leave no room for ours. */
async function requireRoomNow(git: BoundGit, worktree: Worktree, request: PushRequest): Promise<void> {
  const {mirror, branch} = worktree;
  const listed = await listRemote(git, worktree, {request, branches: branchesAbove(branch)});
  const taken = /\trefs\/heads\/(\S+)$/m.exec(listed)?.[1];
  if (taken !== undefined) throw branchConflict(mirror, branch, taken);
}

async function listRemote(
  git: BoundGit,
  worktree: Worktree,
  {request, branches}: {readonly request: PushRequest; readonly branches: readonly string[]},
): Promise<string> {
  const names = branches.map(name => `refs/heads/${name}`);
  const args = ['ls-remote', '--quiet', worktree.mirror.repository.url, ...names];
  const result = await git(args, {
    signal: request.signal,
    deadlineMs: pushDeadlineMs,
    lateCode: 'repository_unreachable',
  });
  if (result.exitCode !== 0) throw pushFailure(worktree, result);
  return textOf(result.stdout);
}

async function isAncestor(git: BoundGit, ancestor: string, descendant: string): Promise<boolean> {
  return (await git(['merge-base', '--is-ancestor', ancestor, descendant])).exitCode === 0;
}

function isStale(result: GitResult): boolean {
  return (
    result.exitCode !== 0 &&
    /^!\t.*\[(?:rejected|remote rejected)\] \((?:stale info|fetch first|non-fast-forward|.*already exists.*|cannot lock ref.*)\)$/m.test(
      textOf(result.stdout),
    )
  );
}

function isRejected(result: GitResult): boolean {
  return /^!\t/m.test(textOf(result.stdout));
}

function pushFailure(worktree: Worktree, result: GitResult): SwitchyardError {
  const {repository} = worktree.mirror;
  const why = /^!\t.*$/m.exec(textOf(result.stdout))?.[0] ?? '';
  if (!isRejected(result)) return remoteFailure(repository, 'could not be reached for a push', result.stderr);
  const code = /hook declined|protected branch|GH\d{3}|not allowed|denied/i.test(why + result.stderr)
    ? 'push_refused'
    : 'git_failed';
  return new SwitchyardError(
    code,
    `${repository.id} refused ${worktree.branch}: ${shownError(`${why} ${result.stderr}`)}`,
  );
}
