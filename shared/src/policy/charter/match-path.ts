import type {Condition} from './condition.ts';
import type {Act} from './act.ts';
import {isWithin, isVital, normalPath, type Place, type Scene} from './place.ts';
import {isHeldBy, matchesPath, mayMeet} from './path-pattern.ts';

/** Whether a rule is met: `maybe` where that depends on something unseen. */
export type Match = 'yes' | 'maybe' | 'no';

type PathAct = Extract<Act, {kind: 'read' | 'write' | 'delete' | 'names'}>;
type PathCondition = Extract<Condition, {kind: 'path'}>;

export function best(matches: readonly Match[]): Match {
  if (matches.includes('yes')) return 'yes';
  return matches.includes('maybe') ? 'maybe' : 'no';
}

/** A refusal is met by any path that the act may touch, also by what lies inside of a folder that is removed. */
export function refusesPath({access, paths, isRecursive}: PathCondition, act: PathAct, scene: Scene): Match {
  if (act.kind === 'names')
    return access.includes('read') || access.includes('write') ? namesOne(paths, act, scene) : 'no';
  if (!access.includes(act.kind)) return 'no';
  const depth = act.kind === 'delete' && isRecursive === true ? act.isRecursive : true;
  if (depth === false) return 'no';
  const met = best(paths.map(pattern => touches(pattern, act, scene)));
  return met === 'yes' && depth === undefined ? 'maybe' : met;
}

/** A name outside of the workspace is that of half of what a machine has: only what a rule names itself counts. */
function namesOne(paths: readonly string[], act: PathAct, scene: Scene): Match {
  const met = best(paths.filter(pattern => !pattern.startsWith('@')).map(pattern => touches(pattern, act, scene)));
  return met === 'yes' ? 'maybe' : met;
}

function touches(pattern: string, act: PathAct, scene: Scene): Match {
  const {place} = act;
  const isMeant = (path: string): boolean =>
    pattern.startsWith('@') ? isIn(pattern, path, scene) : matchesPath(pattern, path, {scene, ignoresCase: true});
  if (place.paths.some(isMeant)) return 'yes';
  const removes = act.kind === 'delete' && act.isRecursive !== false && !pattern.startsWith('@');
  if (removes && place.paths.some(path => isHeldBy(pattern, path, scene)))
    return act.isRecursive === true ? 'yes' : 'maybe';
  const maySpread =
    place.isPattern && place.paths.some(path => mayMeet(pattern, {folder: path, source: place.source, scene}));
  return place.isKnown && !maySpread ? 'no' : 'maybe';
}

/** An approval is met only when every path that the act may touch is meant. */
export function approvesPath({access, paths}: PathCondition, act: PathAct, scene: Scene): boolean {
  return act.kind !== 'names' && access.includes(act.kind) && isInside(act.place, paths, scene);
}

export function isInside({isKnown, paths}: Place, patterns: readonly string[], scene: Scene): boolean {
  const isMeant = (path: string): boolean =>
    patterns.some(pattern =>
      pattern.startsWith('@') ? isIn(pattern, path, scene) : matchesPath(pattern, path, {scene, ignoresCase: false}),
    );
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
