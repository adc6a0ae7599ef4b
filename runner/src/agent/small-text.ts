import {closeSync, constants, fstatSync, openSync, readFileSync} from 'node:fs';
import {limits} from '@switchyard/shared/policy/limits.ts';

/**
 * The bytes of a plain file; undefined for one that is not there, cannot be read or is longer. Agents put there what they
 * like: a pipe is neither waited for nor opened twice.
 */
export function plainBytes(path: string, bytesMax: number): Buffer | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const info = fstatSync(file);
    return info.isFile() && info.size <= bytesMax ? readFileSync(file) : undefined;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** The same as text, no longer than a script usually is. */
export function smallText(path: string): string | undefined {
  return plainBytes(path, limits.shellCommandCharactersMax)?.toString('utf8');
}
