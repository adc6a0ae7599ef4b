import {limits} from '../policy/limits.ts';

/**
 * The value that a text of JSON states; undefined, which JSON cannot state, when it is none or nests deeper than
 * `levelsMax`. For texts of strangers: most of what follows a value does so by recursion.
 */
export function parseJson(text: string, levelsMax: number = limits.jsonLevelsMax): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return nestsDeeper(value, levelsMax) ? undefined : value;
}

/** Whether a value of JSON nests deeper than so many levels; looks no deeper itself. A list of numbers has one level. */
export function nestsDeeper(value: unknown, levelsMax: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levelsMax === 0 || Object.values(value).some(each => nestsDeeper(each, levelsMax - 1));
}
