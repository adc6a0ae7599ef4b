import {access, lstat, mkdir, readFile, rename, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {adminPath, type Worktree, type WorktreeContext} from './places.ts';

/**
 * The files by which a tree and its mirror know one another (gitrepository-layout(5), "worktrees"):
 *
 *   <tree>/.git                    -> mirror/worktrees/<name>
 *   mirror/worktrees/<name>/gitdir -> tree/.git, and commondir, HEAD, locked
 *
 * `locked` keeps every prune away from the tree, whoever runs it.
 */
export function lockReason(worktree: Pick<Worktree, 'task' | 'epoch'>): string {
  return `switchyard:${worktree.task}:${worktree.epoch}`;
}

/** Puts back what is missing or was changed, and says whether git's data about the tree had been lost altogether. The mirror must be there. */
export async function restorePointers(context: WorktreeContext, worktree: Worktree): Promise<{wasLost: boolean}> {
  const admin = adminPath(worktree);
  await access(join(worktree.mirror.path, 'HEAD'));
  await mkdir(admin, {recursive: true});
  const head = await readFile(join(admin, 'HEAD'), 'utf8').catch(() => '');
  const wasLost = !/^(?:ref: refs\/|[0-9a-f]{40})/.test(head);
  const expected: (readonly [string, string])[] = [
    [join(worktree.path, '.git'), `gitdir: ${admin}\n`],
    [join(admin, 'gitdir'), `${join(worktree.path, '.git')}\n`],
    [join(admin, 'commondir'), '../..\n'],
    [join(admin, 'locked'), lockReason(worktree)],
  ];
  if (wasLost) expected.push([join(admin, 'HEAD'), `ref: refs/heads/${worktree.branch}\n`]);
  for (const [path, content] of expected) await restoreFile(context, path, content);
  return {wasLost};
}

async function restoreFile(context: WorktreeContext, path: string, content: string): Promise<void> {
  const info = await lstat(path).catch(() => undefined);
  if (info?.isFile() === true && (await readFile(path, 'utf8')).trimEnd() === content.trimEnd()) return;
  if (info?.isDirectory() === true) await rename(path, `${path}.${context.randomHex()}`);
  const draftPath = `${path}.${context.randomHex()}`;
  await writeFile(draftPath, content, {flag: 'wx'});
  await rename(draftPath, path);
}
