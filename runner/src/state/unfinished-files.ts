import {lstatSync, readdirSync, unlinkSync} from 'node:fs';
import {join} from 'node:path';
import {limits} from '@switchyard/shared/policy/limits.ts';

/** Where a file is written that is to replace another as a whole: beside it, under a name that no other writer has. */
export const unfinishedPath = (path: string, randomHex: string): string => `${path}.${randomHex}.new`;

/** With the twelve digits that a writer takes. */
const unfinishedName = /^.+\.[0-9a-f]{12}\.new$/;

/**
 * Removes what writers that were killed left in a folder of ours: plain files with such a name that nobody has written to
 * for a while, because commands may write there right now. Follows no link, enters no folder, and keeps what it cannot
 * remove: such a file is in nobody's way.
 */
export function removeUnfinished(directory: string, nowMs: number): void {
  for (const name of namesIn(directory)) {
    if (!unfinishedName.test(name)) continue;
    const path = join(directory, name);
    try {
      const found = lstatSync(path);
      if (found.isFile() && nowMs - found.mtimeMs > limits.unfinishedFileKeptMs) unlinkSync(path);
    } catch {
      // Somebody else removed it, or it is not ours to remove.
    }
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
