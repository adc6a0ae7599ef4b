import {access, lstat, mkdir, readFile, rename, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {adminPath, type Worktree, type WorktreeContext} from './places.ts';

const createAttemptsMax = 20;

/**
 * The files by which a tree and its mirror know one another (gitrepository-layout(5), "worktrees"):
 *
 *   <tree>/.git                    -> mirror/worktrees/<name>
 *   mirror/worktrees/<name>/gitdir -> tree/.git, and commondir, HEAD, locked
 *
 * `locked` keeps every prune away from the tree, whoever runs it.
 */
function lockReason(worktree: Pick<Worktree, 'task' | 'epoch'>): string {
  return `switchyard:${worktree.task}:${worktree.epoch}`;
}

/**
 * Puts back what is missing or was changed, and says whether git's data about the tree had been lost altogether. Mirror
 * and tree must be there.
 */
export async function restorePointers(context: WorktreeContext, worktree: Worktree): Promise<{wasLost: boolean}> {
  const admin = adminPath(worktree);
  await access(join(worktree.mirror.path, 'HEAD'));
  await restoreFile(context, join(worktree.path, '.git'), `gitdir: ${admin}\n`);
  const head = await readFile(join(admin, 'HEAD'), 'utf8').catch(() => '');
  const wasLost = !/^(?:ref: refs\/|[0-9a-f]{40})/.test(head);
  const content = {
    locked: lockReason(worktree),
    gitdir: `${join(worktree.path, '.git')}\n`,
    commondir: '../..\n',
    ...(wasLost ? {HEAD: `ref: refs/heads/${worktree.branch}\n`} : {}),
  };
  const isThere = (await lstat(admin).catch(() => undefined))?.isDirectory() === true;
  if (isThere) for (const [name, text] of Object.entries(content)) await restoreFile(context, join(admin, name), text);
  else await createAdmin(context, admin, content);
  return {wasLost};
}

/**
 * The directory appears complete and locked. `git worktree add` makes it first and locks it then, and a prune that
 * somebody runs in between takes it away: measured twice in a row with one pruning loop beside ten adds.
 */
async function createAdmin(
  context: WorktreeContext,
  admin: string,
  content: Readonly<Record<string, string>>,
): Promise<void> {
  const parent = dirname(admin);
  const draftPath = join(dirname(parent), `adding.${context.randomHex()}`);
  await mkdir(draftPath);
  for (const [name, text] of Object.entries(content)) await writeFile(join(draftPath, name), text, {flag: 'wx'});
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mkdir(parent, {recursive: true});
      await rename(draftPath, admin);
      return;
    } catch (error) {
      // A prune removes the parent while it is empty.
      if (attempt === createAttemptsMax) throw error;
    }
  }
}

async function restoreFile(context: WorktreeContext, path: string, content: string): Promise<void> {
  const info = await lstat(path).catch(() => undefined);
  if (info?.isFile() === true && (await readFile(path, 'utf8')).trimEnd() === content.trimEnd()) return;
  if (info?.isDirectory() === true) await rename(path, `${path}.${context.randomHex()}`);
  const draftPath = `${path}.${context.randomHex()}`;
  await writeFile(draftPath, content, {flag: 'wx'});
  await rename(draftPath, path);
}
