import {readlinkSync, realpathSync} from 'node:fs';
import {basename, dirname, join, resolve} from 'node:path';
import {smallText} from './small-text.ts';

/** More links in one path than any system follows. */
const linksMax = 40;

/**
 * Where a path leads: links are followed as far as there is something on the disk, also one that leads to nothing yet,
 * because whoever writes there makes what it leads to. What has more links than a system follows is taken as written.
 */
export function nearestRealPath(path: string, linksLeft: number = linksMax): string {
  if (path === dirname(path)) return path;
  const known = lookedUp(() => realpathSync(path));
  if (known !== undefined) return known;
  const parent = nearestRealPath(dirname(path), linksLeft);
  const here = join(parent, basename(path));
  const target = linksLeft > 0 ? lookedUp(() => readlinkSync(here)) : undefined;
  return target === undefined ? here : nearestRealPath(resolve(parent, target), linksLeft - 1);
}

function lookedUp(look: () => string): string | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

/** What a charter may look up of the disk that agents of this machine work on. */
export const diskOfAgents = {realPath: (path: string): string => nearestRealPath(path), readText: smallText};
