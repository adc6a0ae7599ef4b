import {statSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {plainBytes, smallText} from './small-text.ts';

/** More than any repository has files of this many bytes of names. */
const indexBytesMax = 33_554_432;
const headerBytes = 12;
const entryBytes = 62;

/**
 * The files that git keeps of the repository around a folder, with their whole paths, from its index
 * (https://git-scm.com/docs/index-format); none where there is no repository, undefined where the index cannot be read.
 */
export function trackedFiles(folder: string): readonly string[] | undefined {
  try {
    const repository = repositoryOf(folder);
    const index = repository === undefined ? undefined : join(repository.gitFolder, 'index');
    // Without an index nothing was ever added.
    if (repository === undefined || index === undefined || !isThere(index)) return [];
    const bytes = plainBytes(index, indexBytesMax);
    return bytes && namesIn(bytes)?.map(name => join(repository.root, name));
  } catch {
    return undefined;
  }
}

function isThere(path: string): boolean {
  return statSync(path, {throwIfNoEntry: false}) !== undefined;
}

function repositoryOf(folder: string): {readonly root: string; readonly gitFolder: string} | undefined {
  const git = join(folder, '.git');
  if (statSync(git, {throwIfNoEntry: false})?.isDirectory() === true) return {root: folder, gitFolder: git};
  const path = /^gitdir: (?<path>.+)\n?$/.exec(smallText(git) ?? '')?.groups?.['path'];
  if (path !== undefined) return {root: folder, gitFolder: resolve(folder, path)};
  return folder === dirname(folder) ? undefined : repositoryOf(dirname(folder));
}

/** Undefined for an index in which names are shortened, or that is none. */
function namesIn(index: Buffer): readonly string[] | undefined {
  const version = index.readUInt32BE(4);
  if (index.toString('latin1', 0, 4) !== 'DIRC' || version < 2 || version > 3) return undefined;
  const names: string[] = [];
  let at = headerBytes;
  for (let left = index.readUInt32BE(8); left > 0; left -= 1) {
    const isExtended = (index.readUInt16BE(at + entryBytes - 2) & 0x4000) !== 0;
    const from = at + entryBytes + (isExtended ? 2 : 0);
    const end = index.indexOf(0, from);
    if (end === -1) return undefined;
    names.push(index.toString('utf8', from, end));
    // Each entry is filled up to eight bytes with at least one zero.
    at += Math.floor((end - at) / 8 + 1) * 8;
  }
  return names;
}
