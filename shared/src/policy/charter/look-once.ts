import {limits} from '../limits.ts';
import type {Scene} from './place.ts';

/**
 * The same scene for one call: every reading of it sees the same disk, and all of them together look through no more of
 * it than a few searches would. What nobody has looked at after that is not known.
 */
export function lookedUpOnce(scene: Scene): Scene {
  const {realPath, readText, entries, tracked} = scene;
  let left = limits.charterLookMax * searchesMax;
  function counted<T>(found: readonly T[] | undefined): readonly T[] | undefined {
    left -= 1 + (found?.length ?? 0);
    return left < 0 ? undefined : found;
  }
  const namesOf = tracked === undefined ? undefined : once(tracked);
  return {
    ...scene,
    realPath: realPath === undefined ? undefined : once(realPath),
    readText: readText === undefined ? undefined : once(readText),
    entries: entries && ((folder, entriesMax) => (left < 0 ? undefined : counted(entries(folder, entriesMax)))),
    tracked: namesOf && (folder => (left < 0 ? undefined : counted(namesOf(folder)))),
  };
}

const searchesMax = 4;

function once<T>(look: (path: string) => T): (path: string) => T {
  const known = new Map<string, {readonly found: T}>();
  return path => {
    const {found} = known.get(path) ?? {found: look(path)};
    known.set(path, {found});
    return found;
  };
}
