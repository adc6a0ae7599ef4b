import {limits} from '../limits.ts';
import {placeWords, type Condition} from './condition.ts';
import type {Act} from './act.ts';
import {isWithin, isVital, normalPath, type Place, type Scene} from './place.ts';
import {mayHold} from './look-inside.ts';
import {isHeldBy, matchesPath, mayMeet} from './path-pattern.ts';

/** Whether a rule is met: `maybe` where that depends on something unseen. */
export type Match = 'yes' | 'maybe' | 'no';

type PathAct = Extract<Act, {kind: 'read' | 'write' | 'delete' | 'names'}>;
type PathCondition = Extract<Condition, {kind: 'path'}>;

export function best(matches: readonly Match[]): Match {
  if (matches.includes('yes')) return 'yes';
  return matches.includes('maybe') ? 'maybe' : 'no';
}

/** A refusal is met by any path that the act may touch, also by what lies inside of a folder that is meant as a whole. */
export function refusesPath({access, paths, isRecursive}: PathCondition, act: PathAct, scene: Scene): Match {
  if (act.kind === 'names')
    return access.includes('read') || access.includes('write') ? namesOne(paths, act, scene) : 'no';
  if (!access.includes(act.kind)) return 'no';
  const depth = act.kind === 'delete' && isRecursive === true ? act.isRecursive : true;
  if (depth === false) return 'no';
  const met = touches(paths, act, scene);
  return met === 'yes' && depth === undefined ? 'maybe' : met;
}

/** A name outside of the workspace is that of half of what a machine has: only what a rule names itself counts. */
function namesOne(paths: readonly string[], act: PathAct, scene: Scene): Match {
  const met = touches(parted(paths).patterns, act, scene);
  return met === 'yes' ? 'maybe' : met;
}

type Parted = {readonly words: readonly string[]; readonly patterns: readonly string[]};

const known = new WeakMap<readonly string[], Parted>();

/** The words of `placeWords` and the patterns of a condition. */
function parted(paths: readonly string[]): Parted {
  const parts = known.get(paths) ?? {
    words: paths.filter(path => Object.hasOwn(placeWords, path)),
    patterns: paths.filter(path => !Object.hasOwn(placeWords, path)),
  };
  known.set(paths, parts).set(parts.patterns, {words: [], patterns: parts.patterns});
  return parts;
}

function touches(given: readonly string[], act: PathAct, scene: Scene): Match {
  const {words, patterns} = parted(given);
  const {paths, source, isKnown, isPattern} = act.place;
  const isMeant = (path: string): boolean =>
    words.some(word => isIn(word, path, scene)) || matchesPath(patterns, path, {scene, ignoresCase: true});
  if (paths.some(isMeant)) return 'yes';
  const inside = touchesInside(patterns, act, {isMeant, scene});
  if (inside !== 'no' || !isKnown) return inside === 'yes' ? 'yes' : 'maybe';
  return isPattern && paths.some(folder => maySpread(patterns, folder, {source, isMeant, scene})) ? 'maybe' : 'no';
}

type Look = {readonly source: string; readonly isMeant: (path: string) => boolean; readonly scene: Scene};

/** Whether a pattern of the shell may name what is meant: by what lies there, where it is about one folder. */
function maySpread(patterns: readonly string[], folder: string, {source, isMeant, scene}: Look): boolean {
  const isDeep = source.slice(source.search(/[*?[]/)).includes('/');
  if (!patterns.some(pattern => mayMeet(pattern, {folder, source, scene}))) return false;
  if (isDeep || scene.entries === undefined) return true;
  const entries = scene.entries(folder, limits.charterLookMax);
  return (
    entries === undefined ||
    entries.length >= limits.charterLookMax ||
    entries.some(({name}) => isMeant(normalPath(`${folder}/${name}`)))
  );
}

/** What lies in a folder that is meant as a whole. */
function touchesInside(patterns: readonly string[], act: PathAct, {isMeant, scene}: Omit<Look, 'source'>): Match {
  const {paths} = act.place;
  if (act.kind === 'names') return 'no';
  const isHeld = (): boolean => patterns.some(pattern => paths.some(path => isHeldBy(pattern, path, scene)));
  if (act.kind === 'delete') {
    if (act.isRecursive === false || !isHeld()) return 'no';
    return act.isRecursive === true ? 'yes' : 'maybe';
  }
  const {inside} = act;
  if (inside === undefined || patterns.length === 0) return 'no';
  if (act.kind === 'write') return isHeld() ? 'maybe' : 'no';
  return paths.some(path => mayHold(path, {patterns, isMeant, inside, scene})) ? 'maybe' : 'no';
}

/** An approval is met only when every path that the act may touch is meant. */
export function approvesPath({access, paths}: PathCondition, act: PathAct, scene: Scene): boolean {
  if (act.kind === 'names' || !access.includes(act.kind)) return false;
  // Among what is written there could be a file that decides what agents run.
  const isWhole = act.kind === 'write' && act.inside !== undefined;
  const usable = isWhole ? paths.filter(path => path !== '@workspace') : paths;
  return isInside(act.place, usable, scene);
}

export function isInside({isKnown, paths}: Place, given: readonly string[], scene: Scene): boolean {
  const {words, patterns} = parted(given);
  const isMeant = (path: string): boolean =>
    words.some(word => isIn(word, path, scene)) || matchesPath(patterns, path, {scene, ignoresCase: false});
  return isKnown && paths.length > 0 && paths.every(isMeant);
}

/** Folders and files of the workspace that decide what git and agents run. */
const inner = new Set(['.git', '.claude', '.mcp.json', '.codex', '.gemini']);

function isIn(word: string, path: string, scene: Scene): boolean {
  const workspace = normalPath(scene.workspace);
  const realWorkspace = scene.realPath === undefined ? workspace : normalPath(scene.realPath(workspace));
  const isWork = isWithin(path, workspace) || isWithin(path, realWorkspace);
  switch (word) {
    case '@workspace':
      return isWork && !path.split('/').some(part => inner.has(part.toLowerCase()));
    case '@outside':
      return !isWork;
    default:
      return isVital(path, scene);
  }
}
