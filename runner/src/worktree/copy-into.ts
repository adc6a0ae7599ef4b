import {constants} from 'node:fs';
import {copyFile, lstat, mkdir, realpath} from 'node:fs/promises';
import {join, sep} from 'node:path';
import {errnoOf} from '../state/errno.ts';

const fileBytesMax = 10 * 1024 * 1024;
const filesMax = 200;

type SkipReason = 'unsafe-path' | 'missing' | 'not-a-file' | 'outside' | 'too-large' | 'exists' | 'too-many';

export interface CopyReport {
  readonly copied: readonly string[];
  readonly skipped: readonly {readonly path: string; readonly why: SkipReason}[];
}

/**
 * Copies listed files that git does not carry (`.mcp.json`, local settings) from a directory of the owner into a tree.
 * A tree is written by strangers: no link in it is followed and no file of it is replaced. A link in the source may
 * point only to a place inside the source.
 */
export async function copyInto(treePath: string, sourcePath: string, paths: readonly string[]): Promise<CopyReport> {
  const copied: string[] = [];
  const skipped: CopyReport['skipped'][number][] = [];
  const sourceRoot = await realpath(sourcePath);
  for (const [index, path] of paths.entries()) {
    const why = index >= filesMax ? 'too-many' : await copyOne(treePath, sourceRoot, path);
    if (why === undefined) copied.push(path);
    else skipped.push({path, why});
  }
  return {copied, skipped};
}

async function copyOne(treePath: string, sourceRoot: string, path: string): Promise<SkipReason | undefined> {
  const parts = path.split('/');
  if (!parts.every(isSafePart)) return 'unsafe-path';
  const source = await realpath(join(sourceRoot, path)).catch(() => undefined);
  if (source === undefined) return 'missing';
  if (!source.startsWith(sourceRoot + sep)) return 'outside';
  const info = await lstat(source);
  if (!info.isFile()) return 'not-a-file';
  if (info.size > fileBytesMax) return 'too-large';
  if (!(await makeDirectories(treePath, parts.slice(0, -1)))) return 'outside';
  try {
    // COPYFILE_EXCL refuses an existing name of any kind, a dangling link included.
    await copyFile(source, join(treePath, path), constants.COPYFILE_EXCL);
    return undefined;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return 'exists';
    throw error;
  }
}

function isSafePart(part: string): boolean {
  return !['', '.', '..'].includes(part) && part.toLowerCase() !== '.git' && !/\p{Cc}|\\/u.test(part);
}

/** False when something on the way is not a directory itself. */
async function makeDirectories(treePath: string, parts: readonly string[]): Promise<boolean> {
  let directory = treePath;
  for (const part of parts) {
    directory = join(directory, part);
    await mkdir(directory).catch(() => undefined);
    const info = await lstat(directory).catch(() => undefined);
    if (info?.isDirectory() !== true) return false;
  }
  return true;
}
