import {readFileSync, statSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';

/** More than any repository has files of this many bytes of names. */
const indexBytesMax = 33_554_432;
const headerBytes = 12;
const entryBytes = 62;

/**
 * The files that git keeps of the repository around a folder, with their whole paths, from its index
 * (https://git-scm.com/docs/index-format); none where there is no repository, undefined where the index cannot be read.
 */
export function trackedFiles(folder: string): readonly string[] | undefined {
  const repository = repositoryOf(folder);
  if (repository === undefined) return [];
  try {
    const index = join(repository.gitFolder, 'index');
    const info = statSync(index, {throwIfNoEntry: false});
    // Nothing was ever added.
    if (info === undefined) return [];
    if (info.size > indexBytesMax) return undefined;
    return namesIn(readFileSync(index))?.map(name => join(repository.root, name));
  } catch {
    return undefined;
  }
}

function repositoryOf(folder: string): {readonly root: string; readonly gitFolder: string} | undefined {
  const git = join(folder, '.git');
  const kind = statSync(git, {throwIfNoEntry: false});
  if (kind?.isDirectory() === true) return {root: folder, gitFolder: git};
  const named = kind?.isFile() === true ? /^gitdir: (?<path>.+)\n?$/.exec(readFileSync(git, 'utf8')) : null;
  const path = named?.groups?.['path'];
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
