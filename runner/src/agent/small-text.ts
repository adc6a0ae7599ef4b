import {readFileSync, statSync} from 'node:fs';
import {limits} from '@switchyard/shared/policy/limits.ts';

/** A plain file as text; undefined for one that is not there, cannot be read or is longer than a script usually is. */
export function smallText(path: string): string | undefined {
  try {
    const info = statSync(path);
    return info.isFile() && info.size <= limits.shellCommandCharactersMax ? readFileSync(path, 'utf8') : undefined;
  } catch {
    return undefined;
  }
}
