import {gitFailure, textOf} from './git.ts';
import type {Worktree, WorktreeContext} from './places.ts';
import {mirrorGit, type BoundGit} from './sealed-git.ts';

/** What two commits differ in, as git says it. Binary files are named only. */
export interface Difference {
  /** Where both sides parted: the change is what was done since then. */
  readonly fromSha: string;
  readonly toSha: string;
  /** `3 files changed, 10 insertions(+)`; empty where nothing differs. */
  readonly total: string;
  /** A line a file: lines added, lines taken away (`-` for a binary file), path. The first of them where there are too many. */
  readonly files: readonly string[];
  readonly filesMore: number;
  /** The unified difference, as far as it was asked for. */
  readonly patch: Uint8Array;
  /** Whether `patch` is not all of it. */
  readonly isCut: boolean;
}

export interface DifferenceRequest {
  /** A commit of the side that the change is to be merged into. */
  readonly againstSha: string;
  readonly filesMax: number;
  readonly patchBytesMax: number;
}

const listBytesMax = 16 * 1024 * 1024;
/** Attributes in the tree would let a change hide itself: a file that it marks `-diff` is shown as a binary one. */
const emptyTree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';
const common = [
  '-c',
  `attr.tree=${emptyTree}`,
  'diff-tree',
  '-r',
  '-M',
  '--no-color',
  '--no-ext-diff',
  '--no-textconv',
] as const;

/**
 * What the commit that a worktree began at brings, counted from where it left the other side; from that side itself where
 * both have nothing in common. Changes nothing and starts no program that the repository names. Throws `git_failed`.
 */
export async function readDifference(
  context: WorktreeContext,
  worktree: Worktree,
  {againstSha, filesMax, patchBytesMax}: DifferenceRequest,
): Promise<Difference> {
  const git = mirrorGit(context, worktree.mirror);
  const toSha = worktree.baseSha;
  const parted = await git(['merge-base', againstSha, toSha]);
  const fromSha = parted.exitCode === 0 ? textOf(parted.stdout) : againstSha;
  const sides = [fromSha, toSha];
  const total = textOf(await output(git, [...common, '--shortstat', ...sides], listBytesMax)).trim();
  const listed = textOf(await output(git, [...common, '--numstat', ...sides], listBytesMax));
  const files = listed.split('\n').filter(line => line !== '');
  const patch = await output(git, [...common, '-p', ...sides], patchBytesMax + 1);
  return {
    fromSha,
    toSha,
    total,
    files: files.slice(0, filesMax),
    filesMore: Math.max(0, files.length - filesMax),
    patch: patch.subarray(0, patchBytesMax),
    isCut: patch.byteLength > patchBytesMax,
  };
}

async function output(git: BoundGit, args: readonly string[], cutAtBytes: number): Promise<Uint8Array> {
  const result = await git(args, {cutAtBytes});
  if (result.exitCode !== 0) throw gitFailure(['diff-tree'], result);
  return result.stdout;
}
