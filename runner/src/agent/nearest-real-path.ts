import {existsSync, realpathSync} from 'node:fs';
import {basename, dirname, join} from 'node:path';

/** Where a path leads: links are followed as far as there is something on the disk. */
export function nearestRealPath(path: string): string {
  if (path === dirname(path)) return path;
  return existsSync(path) ? realpathSync(path) : join(nearestRealPath(dirname(path)), basename(path));
}
