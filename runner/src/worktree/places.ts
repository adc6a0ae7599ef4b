import {join} from 'node:path';
import {checkEpoch, checkTaskId} from './branch-name.ts';
import type {Git} from './git.ts';
import type {MirrorLocks} from './mirror-lock.ts';
import type {Repository} from './repository-url.ts';

/**
 * Where things lie under the root, which belongs to one runner:
 *
 *   mirrors/<repository>            bare repository, shared by all attempts; beside it .config
 *   worktrees/<repository>/<name>   the tree of one attempt; beside it .json (its record)
 *   trash/                          trees that wait to be deleted
 */
export interface WorktreeContext {
  /** Absolute, without a symbolic link in it. */
  readonly root: string;
  readonly git: Git;
  readonly locks: MirrorLocks;
  readonly now: () => number;
  /** At least 64 random bits as hex, for names of temporary files. */
  readonly randomHex: () => string;
}

export interface Mirror {
  readonly repository: Repository;
  readonly path: string;
}

/** The tree of one attempt. `baseSha` is where its branch began. */
export interface Worktree {
  readonly mirror: Mirror;
  readonly path: string;
  readonly task: string;
  readonly epoch: number;
  readonly branch: string;
  readonly baseSha: string;
  readonly createdAtMs: number;
}

export function mirrorOf(root: string, repository: Repository): Mirror {
  return {repository, path: join(root, 'mirrors', repository.directory)};
}

/** Names the lock that is held around every change of the list of worktrees of a mirror, or of one worktree. */
export function lockPath(place: Pick<Mirror | Worktree, 'path'>): string {
  return `${place.path}.lock`;
}

export function worktreeName(task: string, epoch: number): string {
  return `${checkTaskId(task)}-e${checkEpoch(epoch)}`;
}

export function worktreePath(root: string, repository: Repository, name: string): string {
  return join(root, 'worktrees', repository.directory, name);
}

/** Where git keeps its data about one worktree. Derived, never read from the tree: the agent can rewrite what is there. */
export function adminPath(worktree: Pick<Worktree, 'mirror' | 'task' | 'epoch'>): string {
  return join(worktree.mirror.path, 'worktrees', worktreeName(worktree.task, worktree.epoch));
}

export function salvageRef(task: string, epoch: number): string {
  return `refs/salvage/${checkTaskId(task)}/e${checkEpoch(epoch)}`;
}

/** What the runner pushed last for an attempt: the value that a later push expects to find. */
export function pushedRef(task: string, epoch: number): string {
  return `refs/switchyard/pushed/${checkTaskId(task)}/e${checkEpoch(epoch)}`;
}

/** What the work of an attempt is put on top of: decided once, so that a runner that starts over does not decide anew. */
export function rebaseRef(task: string, epoch: number): string {
  return `refs/switchyard/onto/${checkTaskId(task)}/e${checkEpoch(epoch)}`;
}

export function isFullSha(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}
