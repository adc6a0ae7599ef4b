import {access, copyFile, lstat, readdir, readlink, unlink} from 'node:fs/promises';
import {constants} from 'node:fs';
import {join} from 'node:path';
import {bytePath, readChanges, type Changes} from './changes.ts';
import {readTip} from './evidence.ts';
import {gitFailure, shownPath, textOf} from './git.ts';
import {adminPath, lockPath, pushedRef, salvageRef, type Worktree, type WorktreeContext} from './places.ts';
import {restorePointers} from './pointers.ts';
import {mirrorGit, worktreeGit, type BoundCall, type BoundGit} from './sealed-git.ts';

const fileBytesMax = 100 * 1024 * 1024;
const nestedFilesMax = 10_000;
const saveDeadlineMs = 10 * 60_000;
const author = {name: 'Switchyard', email: 'switchyard@localhost'};

export interface Salvaged {
  readonly ref: string;
  readonly sha: string;
  /** False when everything was committed and only not pushed yet. */
  readonly wasDirty: boolean;
  /** Untracked files that were too large or unreadable to be saved. */
  readonly skipped: readonly string[];
}

/**
 * Keeps under `refs/salvage/<task>/e<epoch>` of the mirror what exists only in this tree: uncommitted and untracked files
 * byte for byte (without line-end conversion or filters; ignored files are not kept) and commits that are not upstream.
 * Neither the branch nor the index of the attempt changes. Undefined when there is nothing to keep. Works for a tree that
 * is gone: then only commits are looked at.
 */
export async function salvage(
  context: WorktreeContext,
  worktree: Worktree,
  signal?: AbortSignal,
): Promise<Salvaged | undefined> {
  const mirror = mirrorGit(context, worktree.mirror);
  const hasTree = (await lstat(worktree.path).catch(() => undefined))?.isDirectory() === true;
  const tips = await readTips(context, worktree, {hasTree, signal});
  const [parent = worktree.baseSha, ...others] = tips;
  const saved = hasTree
    ? await saveTree(context, worktree, {parent, signal})
    : {tree: await must(mirror, ['rev-parse', `${parent}^{tree}`], {signal}), isDirty: false, skipped: []};
  if (!saved.isDirty && !(await hasUnpushed(mirror, worktree, [parent, ...others]))) return undefined;

  const input = `Salvage of ${worktree.task}, attempt ${worktree.epoch}\n`;
  const args = ['commit-tree', saved.tree, ...[parent, ...others].flatMap(sha => ['-p', sha]), '-F', '-'];
  const sha = saved.isDirty || others.length > 0 ? await must(mirror, args, {input, author, signal}) : parent;
  const ref = salvageRef(worktree.task, worktree.epoch);
  await must(mirror, ['update-ref', ref, sha], {signal});
  return {ref, sha, wasDirty: saved.isDirty, skipped: saved.skipped};
}

/** The commit that is checked out and the tip of the branch of the attempt, once if they are the same. */
async function readTips(
  context: WorktreeContext,
  worktree: Worktree,
  how: {hasTree: boolean; signal: AbortSignal | undefined},
): Promise<Set<string>> {
  const tips = new Set<string>();
  if (how.hasTree) {
    await context.locks.hold(lockPath(worktree.mirror), () => restorePointers(context, worktree), {signal: how.signal});
    const args = ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'];
    const head = await worktreeGit(context, worktree)(args, {signal: how.signal});
    if (head.exitCode === 0) tips.add(textOf(head.stdout));
  }
  const branchTip = await readTip(mirrorGit(context, worktree.mirror), worktree.branch);
  if (branchTip !== undefined) tips.add(branchTip);
  return tips;
}

interface SavedTree {
  readonly tree: string;
  readonly isDirty: boolean;
  readonly skipped: readonly string[];
}

type Origin = {readonly parent: string; readonly signal: AbortSignal | undefined};

/** A tree object of everything on disk. The common case, a clean tree, is found out without writing anything. */
async function saveTree(context: WorktreeContext, worktree: Worktree, from: Origin): Promise<SavedTree> {
  const git = worktreeGit(context, worktree);
  const call: BoundCall = {deadlineMs: saveDeadlineMs, signal: from.signal};
  const [changes, staged, tree] = await Promise.all([
    readChanges(git, worktree.path, call).catch(() => undefined),
    git(['diff-index', '--cached', '--quiet', '--no-ext-diff', from.parent], call),
    must(git, ['rev-parse', `${from.parent}^{tree}`], call),
  ]);
  const isClean = changes !== undefined && [...changes.present, ...changes.absent, ...changes.nested].length === 0;
  if (isClean && staged.exitCode === 0) return {tree, isDirty: false, skipped: []};
  const saved = await writeTree(context, worktree, {...from, changes});
  return {...saved, isDirty: saved.tree !== tree};
}

/** Works with an index of its own: a copy of the one that is there, or one made from the commit where that is broken. */
async function writeTree(
  context: WorktreeContext,
  worktree: Worktree,
  from: Origin & {changes: Changes | undefined},
): Promise<{tree: string; skipped: string[]}> {
  const git = worktreeGit(context, worktree);
  const indexFile = join(adminPath(worktree), `index.${context.randomHex()}`);
  const call: BoundCall = {indexFile, deadlineMs: saveDeadlineMs, signal: from.signal};
  try {
    const isCopied = await copyFile(join(adminPath(worktree), 'index'), indexFile).then(
      () => from.changes !== undefined,
      () => false,
    );
    if (!isCopied) await must(git, ['read-tree', from.parent], call);
    const changes = isCopied && from.changes ? from.changes : await readChanges(git, worktree.path, call);
    const skipped: string[] = [];
    const paths = [...changes.present];
    for (const directory of changes.nested) await walkNested(worktree.path, directory, paths);
    const removed = changes.absent.map(path => `0 ${'0'.repeat(from.parent.length)}\t${path}`);
    const hashed = await hashFiles(git, worktree.path, {paths, call, skipped});
    const input = Buffer.from([...removed, ...hashed].map(line => `${line}\0`).join(''), 'latin1');
    await must(git, ['update-index', '-z', '--index-info'], {...call, input});
    return {tree: await must(git, ['write-tree'], call), skipped};
  } finally {
    await unlink(indexFile).catch(() => undefined);
  }
}

/** Index lines of the files, whose content is stored as it is. A link is stored as what it points to. */
async function hashFiles(
  git: BoundGit,
  treePath: string,
  work: {paths: readonly string[]; call: BoundCall; skipped: string[]},
): Promise<string[]> {
  const lines: string[] = [];
  const regular: {path: string; mode: string}[] = [];
  for (const path of new Set(work.paths)) {
    const full = bytePath(treePath, path);
    const info = await lstat(full).catch(() => undefined);
    if (info?.isSymbolicLink() === true) {
      const input = await readlink(full, 'buffer');
      lines.push(`120000 ${await must(git, ['hash-object', '-w', '--stdin'], {...work.call, input})}\t${path}`);
    } else if (info?.isFile() === true) {
      const isReadable = await access(full, constants.R_OK).then(
        () => true,
        () => false,
      );
      if (!isReadable || info.size > fileBytesMax) work.skipped.push(shownPath(path));
      else regular.push({path, mode: (info.mode & 0o100) === 0 ? '100644' : '100755'});
    }
  }
  if (regular.length === 0) return lines;
  const input = Buffer.from(regular.map(({path}) => `${quoted(path)}\n`).join(''), 'latin1');
  const hashes = (await must(git, ['hash-object', '-w', '--no-filters', '--stdin-paths'], {...work.call, input})).split(
    '\n',
  );
  return [...lines, ...regular.map(({path, mode}, n) => `${mode} ${hashes[n] ?? ''}\t${path}`)];
}

/** Git reads one path per line and takes a leading quote for C quoting, so every path is quoted. */
function quoted(path: string): string {
  return `"${path.replace(/[^ !#-[\]-~]/g, char => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)}"`;
}

/** A repository that the agent made inside the tree: its files are kept, its own history is not. */
async function walkNested(treePath: string, directory: string, into: string[]): Promise<void> {
  const queue = [directory.replace(/\/$/, '')];
  for (let next = queue.pop(); next !== undefined && into.length < nestedFilesMax; next = queue.pop()) {
    const names = await readdir(bytePath(treePath, next), {withFileTypes: true, encoding: 'buffer'}).catch(() => []);
    for (const entry of names) {
      const name = Buffer.from(entry.name).toString('latin1');
      if (name.toLowerCase() === '.git') continue;
      if (entry.isDirectory()) queue.push(`${next}/${name}`);
      else into.push(`${next}/${name}`);
    }
  }
}

async function hasUnpushed(git: BoundGit, worktree: Worktree, tips: readonly string[]): Promise<boolean> {
  const pushed = await git(['rev-parse', '--verify', '--quiet', pushedRef(worktree.task, worktree.epoch)]);
  const known = pushed.exitCode === 0 ? [textOf(pushed.stdout)] : [];
  return (
    (await must(git, [
      'rev-list',
      '--max-count=1',
      ...tips,
      '--not',
      worktree.baseSha,
      ...known,
      '--remotes=origin',
    ])) !== ''
  );
}

async function must(git: BoundGit, args: readonly string[], call: BoundCall = {}): Promise<string> {
  const result = await git(args, call);
  if (result.exitCode !== 0) throw gitFailure(args, result);
  return textOf(result.stdout);
}
