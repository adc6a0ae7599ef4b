import {lstat, readdir, readFile, rename, unlink, writeFile} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import * as z from 'zod';
import {isAttemptBranch} from './branch-name.ts';
import {isFullSha, mirrorOf, worktreeName, worktreePath, type Worktree, type WorktreeContext} from './places.ts';
import {parseRepository} from './repository-url.ts';

/** Lies beside the tree and is written last: a tree without a record is the remains of an interrupted add. */
const recordSchema = z.strictObject({
  version: z.literal(1),
  repository: z.string(),
  task: z.string(),
  epoch: z.int().positive(),
  branch: z.string().refine(isAttemptBranch),
  baseSha: z.string().refine(isFullSha),
  createdAtMs: z.number(),
});

export async function writeRecord(context: WorktreeContext, worktree: Worktree): Promise<void> {
  const {mirror, task, epoch, branch, baseSha, createdAtMs} = worktree;
  const record = {
    version: 1,
    repository: mirror.repository.url,
    task,
    epoch,
    branch,
    baseSha,
    createdAtMs,
  } satisfies z.infer<typeof recordSchema>;
  const draftPath = `${recordPath(worktree)}.${context.randomHex()}`;
  await writeFile(draftPath, JSON.stringify(record), {flag: 'wx', mode: 0o600, flush: true});
  await rename(draftPath, recordPath(worktree));
}

/** Undefined when there is none, or when it does not describe the tree that it lies beside. */
export async function readRecord(
  context: WorktreeContext,
  directory: string,
  name: string,
): Promise<Worktree | undefined> {
  try {
    const text = await readFile(join(context.root, 'worktrees', directory, `${name}.json`), 'utf8');
    const {version: _, repository: reference, ...record} = recordSchema.parse(JSON.parse(text));
    const repository = parseRepository(reference);
    if (repository.directory !== directory || worktreeName(record.task, record.epoch) !== name) return undefined;
    return {...record, mirror: mirrorOf(context.root, repository), path: worktreePath(context.root, repository, name)};
  } catch {
    return undefined;
  }
}

/** Whether a file is there, readable as a record or not. */
export async function hasRecordFile(worktree: Pick<Worktree, 'path'>): Promise<boolean> {
  return (await lstat(recordPath(worktree)).catch(() => undefined)) !== undefined;
}

/** With the drafts of one that was never finished. */
export async function removeRecord(worktree: Pick<Worktree, 'path'>): Promise<void> {
  const folder = dirname(recordPath(worktree));
  const name = basename(recordPath(worktree));
  for (const each of await readdir(folder).catch(() => []))
    if (each === name || each.startsWith(`${name}.`)) await unlink(join(folder, each)).catch(() => undefined);
}

/** Every complete worktree under the root, of one repository or of all. */
export async function listWorktrees(context: WorktreeContext, directory?: string): Promise<Worktree[]> {
  const base = join(context.root, 'worktrees');
  const directories = directory === undefined ? await readdir(base).catch(() => []) : [directory];
  const found: Worktree[] = [];
  for (const each of directories) {
    for (const file of await readdir(join(base, each)).catch(() => [])) {
      if (!file.endsWith('.json')) continue;
      const worktree = await readRecord(context, each, file.slice(0, -'.json'.length));
      if (worktree !== undefined) found.push(worktree);
    }
  }
  return found;
}

function recordPath(worktree: Pick<Worktree, 'path'>): string {
  return `${worktree.path}.json`;
}
