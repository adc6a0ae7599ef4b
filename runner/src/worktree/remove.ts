import {spawn} from 'node:child_process';
import {lstat, mkdir, readdir, realpath, rename, unlink} from 'node:fs/promises';
import {basename, dirname, join, sep} from 'node:path';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {busy, processesInside} from './inside.ts';
import {adminPath, lockPath, pushedRef, rebaseRef, type Worktree, type WorktreeContext} from './places.ts';
import {removeRecord} from './record.ts';
import {salvage, type Salvaged} from './salvage.ts';
import {mirrorGit} from './sealed-git.ts';
import {errnoOf} from '../state/errno.ts';

/**
 * The only module that deletes trees. A tree is renamed into `trash/`, which takes a moment at any size, and is deleted
 * by a process of its own at idle priority; what is left after a crash is deleted by `emptyTrash` at the next start.
 */

/** Makes directories deletable (some tools write them read-only), then deletes. Follows no symbolic link. */
const deleteScript = `command -v ionice >/dev/null 2>&1 && ionice -c 3 -p $$
find "$@" -type d ! -perm -700 -exec chmod u+rwx {} + 2>/dev/null
exec rm -rf -- "$@"`;

export interface Removal {
  readonly salvaged: Salvaged | undefined;
}

/**
 * Saves what is not upstream under the salvage ref of the attempt, then removes its tree, its branch and its record.
 * The caller has seen the end of the attempt. Throws `worktree_busy` while a process works inside; whatever it throws,
 * nothing was lost and the call can be repeated.
 */
export async function removeWorktree(
  context: WorktreeContext,
  worktree: Worktree,
  signal?: AbortSignal,
): Promise<Removal> {
  return context.locks.hold(
    lockPath(worktree),
    async () => {
      const pids = await processesInside(worktree.path);
      if (pids.length > 0) throw busy(worktree.path, pids);
      const hasMirror = await exists(worktree.mirror.path);
      const salvaged = hasMirror ? await salvage(context, worktree, signal) : undefined;
      await discard(context, worktree.path);
      if (hasMirror) await forget(context, worktree, signal);
      await removeRecord(worktree);
      return {salvaged};
    },
    {signal},
  );
}

/** Git's data about the tree, and the refs of the attempt: what they hold is upstream or under the salvage ref. */
async function forget(context: WorktreeContext, worktree: Worktree, signal: AbortSignal | undefined): Promise<void> {
  const git = mirrorGit(context, worktree.mirror);
  await context.locks.hold(
    lockPath(worktree.mirror),
    async () => {
      await unlink(join(adminPath(worktree), 'locked')).catch(() => undefined);
      await git(['worktree', 'prune'], {signal});
    },
    {signal},
  );
  const {task, epoch} = worktree;
  const names = [`refs/heads/${worktree.branch}`, pushedRef(task, epoch), rebaseRef(task, epoch)];
  await git(['update-ref', '--stdin'], {input: names.map(name => `delete ${name}\n`).join(''), signal});
}

/** Takes a file or a tree out of the way at once and deletes it in the background. Nothing happens when it is not there. */
export async function discard(context: Pick<WorktreeContext, 'root' | 'randomHex'>, path: string): Promise<void> {
  if (!(await exists(path))) return;
  await checkInsideRoot(context.root, path);
  const trashPath = join(context.root, 'trash');
  await mkdir(trashPath, {recursive: true});
  const target = join(trashPath, `${basename(path)}.${context.randomHex()}`);
  try {
    await rename(path, target);
  } catch (error) {
    // On another file system than the trash there is nothing to rename to: it is deleted where it is.
    if (errnoOf(error) !== 'EXDEV') throw error;
    deleteInBackground([path]);
    return;
  }
  deleteInBackground([target]);
}

/** Deletes what earlier runs left in the trash. */
export async function emptyTrash(context: Pick<WorktreeContext, 'root'>): Promise<{entries: number}> {
  const trashPath = join(context.root, 'trash');
  const info = await lstat(trashPath).catch(() => undefined);
  if (info?.isDirectory() !== true) return {entries: 0};
  const names = await readdir(trashPath);
  if (names.length > 0) deleteInBackground(names.map(name => join(trashPath, name)));
  return {entries: names.length};
}

function deleteInBackground(paths: readonly string[]): void {
  const child = spawn('nice', ['-n', '19', 'sh', '-c', deleteScript, 'sh', ...paths], {
    cwd: '/',
    detached: true,
    stdio: 'ignore',
    env: {PATH: '/usr/bin:/bin', LC_ALL: 'C'},
  });
  child.on('error', () => undefined);
  child.unref();
}

/** The path must be two levels below the root or deeper, reached without any symbolic link, and not the root of the trash. */
async function checkInsideRoot(root: string, path: string): Promise<void> {
  const parent = dirname(path);
  const isBelow =
    parent.startsWith(root + sep) && (await realpath(root)) === root && (await realpath(parent)) === parent;
  if (!isBelow || path.includes(`${sep}..`) || basename(path) === '..') {
    throw new SwitchyardError('internal', `${path} is not inside ${root}: it was left alone.`);
  }
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}
