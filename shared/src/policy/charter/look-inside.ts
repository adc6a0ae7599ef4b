import {limits} from '../limits.ts';
import {isWithin, normalPath, type Entry, type Scene} from './place.ts';

type Look = {
  readonly patterns: readonly string[];
  readonly isMeant: (path: string) => boolean;
  readonly inside: 'all' | 'shown' | 'tracked';
  readonly scene: Scene;
};

/**
 * Whether something that is meant lies in this folder at the moment, also behind links. A folder with more than can be
 * looked through may hold everything, and so may each where nobody can look. Folders of git and of installed packages are
 * passed over unless a pattern says their names: their files are no one's own.
 */
export function mayHold(folder: string, look: Look): boolean {
  return look.inside === 'tracked' ? mayTrack(folder, look) : mayContain(folder, look);
}

function mayTrack(folder: string, {isMeant, scene}: Look): boolean {
  const tracked = scene.tracked?.(folder);
  return tracked === undefined || tracked.some(path => isWithin(path, folder) && isMeant(path));
}

function mayContain(folder: string, {patterns, isMeant, inside, scene}: Look): boolean {
  const {entries, realPath = normalPath} = scene;
  const passed = ['.git', 'node_modules'].filter(name => !patterns.some(isAbout(name)));
  const isSeen = ({name}: Entry): boolean => !passed.includes(name) && !(inside === 'shown' && name.startsWith('.'));
  const folders = new Set([folder]);
  let left: number = limits.charterLookMax;
  for (const at of folders) {
    const found = entries?.(at, left + 1);
    left -= found?.length ?? 0;
    if (found === undefined || left < 0) return true;
    const seen = found.filter(isSeen);
    const pathOf = ({name}: Entry): string => (at === '/' ? `/${name}` : `${at}/${name}`);
    const inner = seen.filter(each => each.mayHold).map(each => normalPath(realPath(pathOf(each))));
    if ([...seen.map(pathOf), ...inner].some(isMeant)) return true;
    for (const path of inner) folders.add(path);
  }
  return false;
}

function isAbout(name: string): (pattern: string) => boolean {
  return pattern => pattern.split('/').includes(name);
}
