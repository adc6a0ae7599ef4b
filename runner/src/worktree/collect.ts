import {stat, statfs} from 'node:fs/promises';
import {join} from 'node:path';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {adminPath, type Worktree, type WorktreeContext} from './places.ts';
import {listWorktrees} from './record.ts';
import {removeWorktree} from './remove.ts';

export interface CollectLimits {
  readonly ageMsMax: number;
  /** Trees kept at most, the active ones included. */
  readonly countMax: number;
  readonly diskPercentMax: number;
  readonly inodePercentMax: number;
  /** Trees taken in one pass while the disk is too full: what is deleted shows in the figures only later. */
  readonly pressureBatch: number;
}

export const defaultCollectLimits: CollectLimits = {
  ageMsMax: 7 * 24 * 60 * 60_000,
  countMax: 50,
  diskPercentMax: 90,
  inodePercentMax: 90,
  pressureBatch: 5,
};

export interface CollectState<T> {
  readonly trees: readonly {readonly tree: T; readonly lastUsedAtMs: number; readonly isActive: boolean}[];
  readonly diskPercent: number;
  /** Undefined where the file system does not count inodes. */
  readonly inodePercent: number | undefined;
}

export type CollectReason = 'age' | 'count' | 'disk' | 'inodes';

/** Which trees to remove and why, the longest unused first. A tree in use is never among them. */
export function decideCollect<T>(
  state: CollectState<T>,
  limits: CollectLimits,
  nowMs: number,
): {tree: T; reason: CollectReason}[] {
  const idle = state.trees.filter(({isActive}) => !isActive).toSorted((a, b) => a.lastUsedAtMs - b.lastUsedAtMs);
  const surplus = state.trees.length - limits.countMax;
  const isDiskFull = state.diskPercent > limits.diskPercentMax;
  const areInodesUsed = state.inodePercent !== undefined && state.inodePercent > limits.inodePercentMax;
  return idle.flatMap(({tree, lastUsedAtMs}, index): {tree: T; reason: CollectReason}[] => {
    if (nowMs - lastUsedAtMs > limits.ageMsMax) return [{tree, reason: 'age'}];
    if (index < surplus) return [{tree, reason: 'count'}];
    if (isDiskFull && index < limits.pressureBatch) return [{tree, reason: 'disk'}];
    if (areInodesUsed && index < limits.pressureBatch) return [{tree, reason: 'inodes'}];
    return [];
  });
}

export interface Collected {
  readonly worktree: Worktree;
  readonly reason: CollectReason;
  /** Why it could not be removed; it is tried again by the next pass. */
  readonly error?: SwitchyardError | undefined;
}

/** One pass of the collector over all trees of the root. A tree that cannot be removed does not stop the others. */
export async function collect(
  context: WorktreeContext,
  how: {
    limits?: CollectLimits | undefined;
    isActive: (worktree: Worktree) => boolean;
    signal?: AbortSignal | undefined;
  },
): Promise<Collected[]> {
  const trees = await Promise.all(
    (await listWorktrees(context)).map(async tree => ({
      tree,
      isActive: how.isActive(tree),
      lastUsedAtMs: await lastUse(tree),
    })),
  );
  const decided = decideCollect(
    {trees, ...(await readFullness(context.root))},
    how.limits ?? defaultCollectLimits,
    context.now(),
  );
  const done: Collected[] = [];
  for (const {tree, reason} of decided) {
    how.signal?.throwIfAborted();
    if (how.isActive(tree)) continue;
    try {
      await removeWorktree(context, tree, how.signal);
      done.push({worktree: tree, reason});
    } catch (error) {
      how.signal?.throwIfAborted();
      done.push({
        worktree: tree,
        reason,
        error:
          error instanceof SwitchyardError
            ? error
            : new SwitchyardError('git_failed', `${tree.path} could not be removed`, {cause: error}),
      });
    }
  }
  return done;
}

/** How full the file system of a path is, as df(1) counts it: what only the administrator may use counts as used. */
export async function readFullness(path: string): Promise<{diskPercent: number; inodePercent: number | undefined}> {
  const {blocks, bfree, bavail, files, ffree} = await statfs(path);
  const used = blocks - bfree;
  return {
    diskPercent: used + bavail === 0 ? 100 : (100 * used) / (used + bavail),
    inodePercent: files === 0 ? undefined : (100 * (files - ffree)) / files,
  };
}

/** Git writes the index at every commit and most other commands. */
async function lastUse(worktree: Worktree): Promise<number> {
  const info = await stat(join(adminPath(worktree), 'index')).catch(() => undefined);
  return Math.max(worktree.createdAtMs, info?.mtimeMs ?? 0);
}
