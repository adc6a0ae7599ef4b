import {opendirSync, readlinkSync, realpathSync} from 'node:fs';
import {homedir} from 'node:os';
import {basename, dirname, join, resolve} from 'node:path';
import type {Entry, Scene} from '@switchyard/shared/policy/charter/place.ts';
import {smallText} from './small-text.ts';
import {trackedFiles} from './tracked-files.ts';

/** More links in one path than any system follows. */
const linksMax = 40;

/**
 * Where a path leads: links are followed as far as there is something on the disk, also one that leads to nothing yet,
 * because whoever writes there makes what it leads to. What has more links than a system follows is taken as written.
 */
export function nearestRealPath(path: string, linksLeft: number = linksMax): string {
  if (path === dirname(path)) return path;
  const known = lookedUp(() => realpathSync.native(path));
  if (known !== undefined) return known;
  const parent = nearestRealPath(dirname(path), linksLeft);
  const here = join(parent, basename(path));
  const target = linksLeft > 0 ? lookedUp(() => readlinkSync(here)) : undefined;
  return target === undefined ? here : nearestRealPath(resolve(parent, target), linksLeft - 1);
}

function lookedUp<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

/** At most so much of what lies in a folder: whoever makes a folder of a million files costs no more. */
function entriesOf(folder: string, entriesMax: number): readonly Entry[] {
  const found = lookedUp(() => {
    using directory = opendirSync(folder, {bufferSize: 256});
    const entries: Entry[] = [];
    for (let entry = directory.readSync(); entry !== null && entries.length < entriesMax; entry = directory.readSync())
      entries.push({name: entry.name, mayHold: !entry.isFile()});
    return entries;
  });
  return found ?? [];
}

/** What a charter may look up of the disk that agents of this machine work on. */
export const diskOfAgents = {
  ownerHome: homedir(),
  realPath: (path: string): string => nearestRealPath(path),
  readText: smallText,
  entries: entriesOf,
  tracked: trackedFiles,
} satisfies Partial<Scene>;
