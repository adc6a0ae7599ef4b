import {existsSync, mkdirSync} from 'node:fs';
import {dirname} from 'node:path';

/**
 * Makes a folder for its owner alone, with those above it; one that is there stays as it is. `mkdir` of Node with `recursive`
 * never ends where a file system says of a folder that is there that it is not, as /proc does of what it will not hold.
 */
export function makeFolders(path: string): void {
  const parent = dirname(path);
  if (parent !== path && !existsSync(parent)) makeFolders(parent);
  try {
    mkdirSync(path, {mode: 0o700});
  } catch (cause) {
    // What is no folder has nothing in it, not even itself.
    if (!existsSync(`${path}/.`)) throw cause;
  }
}
