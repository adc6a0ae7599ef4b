import {lstat, mkdir, unlink} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {requireRoomUpstream} from './branch-conflict.ts';
import {branchOfAttempt} from './branch-name.ts';
import {awaitNobodyInside} from './inside.ts';
import {gitFailure, textOf, type GitResult} from './git.ts';
import {
  adminPath,
  isFullSha,
  lockPath,
  salvageRef,
  worktreeName,
  worktreePath,
  type Mirror,
  type Worktree,
  type WorktreeContext,
} from './places.ts';
import {restorePointers} from './pointers.ts';
import {hasRecordFile, readRecord, removeRecord, writeRecord} from './record.ts';
import {discard, removeWorktree, type Removal} from './remove.ts';
import {mirrorGit, worktreeGit} from './sealed-git.ts';

const checkoutDeadlineMs = 10 * 60_000;

export interface AddRequest {
  readonly mirror: Mirror;
  readonly task: string;
  readonly epoch: number;
  /** A full commit id: any other start point makes git write to the shared configuration, which fails under load. */
  readonly baseSha: string;
}

/**
 * The tree of an attempt on its own branch, locked against pruning. A second call for the same attempt returns the same
 * tree, repaired if its data was lost; what an interrupted call left behind is cleared first.
 * Throws `git_failed`, `branch_conflict`, `worktree_busy`, `disk_full`, `invalid_request`.
 */
export async function addWorktree(
  context: WorktreeContext,
  request: AddRequest,
  signal?: AbortSignal,
): Promise<{worktree: Worktree; isNew: boolean}> {
  const {mirror, task, epoch, baseSha} = request;
  if (!isFullSha(baseSha))
    throw new SwitchyardError(
      'invalid_request',
      `The base ${JSON.stringify(baseSha.slice(0, 80))} is not a full commit id.`,
    );
  const name = worktreeName(task, epoch);
  const path = worktreePath(context.root, mirror.repository, name);
  await mkdir(dirname(path), {recursive: true});
  return context.locks.hold(
    lockPath({path}),
    async () => {
      const known = await readRecord(context, mirror.repository.directory, name);
      if (known !== undefined && (await isDirectory(known.path))) {
        await restore(context, known);
        return {worktree: known, isNew: false};
      }
      const worktree = known ?? {
        mirror,
        path,
        task,
        epoch,
        branch: branchOfAttempt(task, epoch),
        baseSha,
        createdAtMs: context.now(),
      };
      if (known === undefined) await requireRoomUpstream(mirrorGit(context, mirror), mirror, worktree.branch);
      await clearRemains(context, worktree, signal);
      const start = known === undefined ? baseSha : ((await tipOf(context, worktree)) ?? baseSha);
      await register(context, worktree, start, signal);
      const git = worktreeGit(context, worktree);
      const args = ['reset', '--hard', '--quiet'];
      const checkedOut = await git(args, {deadlineMs: checkoutDeadlineMs, signal});
      if (checkedOut.exitCode !== 0) throw gitFailure(args, checkedOut);
      await writeRecord(context, worktree);
      return {worktree, isNew: true};
    },
    {signal},
  );
}

/** The tree of an attempt if it is complete; undefined also for one whose directory is gone. */
export async function findWorktree(
  context: WorktreeContext,
  mirror: Mirror,
  task: string,
  epoch: number,
): Promise<Worktree | undefined> {
  const worktree = await readRecord(context, mirror.repository.directory, worktreeName(task, epoch));
  return worktree !== undefined && (await isDirectory(worktree.path)) ? worktree : undefined;
}

/** What is known of a tree without its record. */
type Place = Pick<Worktree, 'mirror' | 'path' | 'task' | 'epoch' | 'branch'>;

/**
 * Takes away whatever there is of the tree of an attempt. A complete one, and one whose removal was interrupted, as
 * `removeWorktree` does; of an interrupted add, in whose tree no agent ever worked, only the commits of its branch are
 * kept. Throws what `removeWorktree` throws, and can be repeated.
 */
export async function removeAttempt(
  context: WorktreeContext,
  {mirror, task, epoch}: Omit<AddRequest, 'baseSha'>,
  signal?: AbortSignal,
): Promise<Removal> {
  const name = worktreeName(task, epoch);
  const path = worktreePath(context.root, mirror.repository, name);
  const known = await readRecord(context, mirror.repository.directory, name);
  if (known !== undefined) return removeWorktree(context, known, signal);
  // A record that cannot be read is left, with its tree, to a person; without a mirror nothing was begun.
  if ((await hasRecordFile({path})) || !(await isDirectory(mirror.path))) return {salvaged: undefined};
  const place = {mirror, path, task, epoch, branch: branchOfAttempt(task, epoch)};
  return context.locks.hold(
    lockPath({path}),
    async () => {
      await clearPlace(context, place, signal);
      await removeRecord(place);
      const tip = await tipOf(context, place);
      if (tip === undefined) return {salvaged: undefined};
      const git = mirrorGit(context, mirror);
      const own = await git(['rev-list', '--max-count=1', tip, '--not', '--remotes=origin']);
      if (own.exitCode !== 0 || textOf(own.stdout) !== '') await keepTip(context, place, tip);
      await git(['update-ref', '-d', `refs/heads/${place.branch}`]);
      return {salvaged: undefined};
    },
    {signal},
  );
}

/**
 * Makes the tree usable again after git's data about it was lost (pruned by hand, a mirror made anew, a rewritten `.git`).
 * No file of the tree changes. False when the tree itself is gone.
 */
export async function repairWorktree(context: WorktreeContext, worktree: Worktree): Promise<boolean> {
  return context.locks.hold(lockPath(worktree), async () => {
    if (!(await isDirectory(worktree.path))) return false;
    await restore(context, worktree);
    return true;
  });
}

async function restore(context: WorktreeContext, worktree: Worktree): Promise<void> {
  const {wasLost} = await context.locks.hold(lockPath(worktree.mirror), () => restorePointers(context, worktree));
  const isBranchGone = (await tipOf(context, worktree)) === undefined;
  if (!wasLost && !isBranchGone) return;
  if (isBranchGone) {
    const args = ['update-ref', `refs/heads/${worktree.branch}`, worktree.baseSha];
    const result = await mirrorGit(context, worktree.mirror)(args);
    if (result.exitCode !== 0) throw gitFailure(args, result);
  }
  const args = ['reset', '--mixed', '--quiet'];
  const result = await worktreeGit(context, worktree)(args, {deadlineMs: checkoutDeadlineMs});
  if (result.exitCode !== 0) throw gitFailure(args, result);
}

/**
 * Only the registration needs the lock of the mirror, and it takes milliseconds; the files are written outside of it, so
 * that attempts on one repository prepare in parallel.
 */
async function register(
  context: WorktreeContext,
  worktree: Worktree,
  start: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const args = ['update-ref', `refs/heads/${worktree.branch}`, start];
  await context.locks.hold(
    lockPath(worktree.mirror),
    async () => {
      const git = mirrorGit(context, worktree.mirror);
      let result: GitResult = await git(args, {signal});
      if (result.exitCode !== 0) {
        await displaceRefs(context, worktree);
        result = await git(args, {signal});
      }
      if (result.exitCode !== 0) throw gitFailure(args, result);
      await mkdir(worktree.path);
      await restorePointers(context, worktree);
    },
    {signal},
  );
}

/** Commits that an unknown earlier life of this branch holds are kept under the salvage refs. */
async function clearRemains(
  context: WorktreeContext,
  worktree: Worktree,
  signal: AbortSignal | undefined,
): Promise<void> {
  await clearPlace(context, worktree, signal);
  const tip = await tipOf(context, worktree);
  if (tip !== undefined && tip !== worktree.baseSha) await keepTip(context, worktree, tip);
}

/** The place of a tree of which there is no record: what lies there, and what git knows of it. */
async function clearPlace(context: WorktreeContext, worktree: Place, signal: AbortSignal | undefined): Promise<void> {
  if (await isDirectory(worktree.path)) {
    // The git process of a runner that was killed may still write; it ends by itself.
    await awaitNobodyInside(worktree.path, {deadlineMs: 60_000, signal});
  }
  await discard(context, worktree.path);
  await context.locks.hold(lockPath(worktree.mirror), () => clearRegistration(context, worktree), {signal});
}

async function keepTip(context: WorktreeContext, worktree: Place, tip: string): Promise<void> {
  const ref = `${salvageRef(worktree.task, worktree.epoch)}-branch`;
  await mirrorGit(context, worktree.mirror)(['update-ref', ref, tip]);
}

/** Needs the lock of the mirror and a tree that is not at its place. */
async function clearRegistration(context: WorktreeContext, worktree: Place): Promise<void> {
  if (!(await isDirectory(adminPath(worktree)))) return;
  await unlink(join(adminPath(worktree), 'locked')).catch(() => undefined);
  await mirrorGit(context, worktree.mirror)(['worktree', 'prune']);
  if (await isDirectory(adminPath(worktree))) await discard(context, adminPath(worktree));
}

/** A branch such as `switchyard`, which an agent can make, would leave no room for `switchyard/<task>/e1`. */
async function displaceRefs(context: WorktreeContext, worktree: Worktree): Promise<void> {
  const git = mirrorGit(context, worktree.mirror);
  const below = await git(['for-each-ref', '--format=%(refname)', `refs/heads/${worktree.branch}/`]);
  const blocking = [
    'refs/heads/switchyard',
    `refs/heads/switchyard/${worktree.task}`,
    ...textOf(below.stdout)
      .split('\n')
      .filter(name => name !== ''),
  ];
  for (const name of blocking) {
    const tip = await git(['rev-parse', '--verify', '--quiet', name]);
    if (tip.exitCode !== 0) continue;
    await git(['update-ref', `refs/salvage/displaced/${context.randomHex()}`, textOf(tip.stdout)]);
    await git(['update-ref', '-d', name]);
  }
}

async function tipOf(context: WorktreeContext, worktree: Place): Promise<string | undefined> {
  const result = await mirrorGit(
    context,
    worktree.mirror,
  )(['rev-parse', '--verify', '--quiet', `refs/heads/${worktree.branch}^{commit}`]);
  return result.exitCode === 0 ? textOf(result.stdout) : undefined;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() === true;
}
