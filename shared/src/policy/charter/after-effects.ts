import {unseen, type Act} from './act.ts';
import {isWithin, type Place} from './place.ts';

/** Files from which git, shells and this runner learn what to run; a repository's own are those of every later call. */
const deciding =
  /(?:\.git(?:\/|$)|\/\.(?:gitconfig|bashrc|bash_\w+|profile|z(?:shrc|shenv|profile|login|logout)|envrc|npmrc|yarnrc(?:\.yml)?|pnp\.c?js)$|\/(?:orchestrator-)?charter\.yaml$|\/\.config\/(?:git|fish)\/)/i;

/** Change who may use a file, and not what is in it. */
const keepsContent = new Set(['chmod', 'chown', 'chgrp', 'setfacl', 'chattr', 'chflags', 'xattr', 'touch']);

type Whole = {
  readonly hasConnection: boolean;
  /** Files that the call makes, and the links among them. */
  readonly made: readonly Place[];
  readonly links: readonly string[];
};

/**
 * What the acts of one call mean for each other. A file that the call itself makes or fetches is not seen before it runs,
 * and a path through a link that the call makes leads to a place that nobody can look up before.
 */
export function withAfterEffects(acts: readonly Act[]): readonly Act[] {
  const writes = acts.flatMap(act => (act.kind === 'write' && act.isSure ? [act] : []));
  const whole: Whole = {
    hasConnection: acts.some(({kind, isSure}) => kind === 'connect' && isSure),
    made: writes.filter(({command}) => !keepsContent.has(command?.program ?? '')).map(({place}) => place),
    links: writes.filter(({command}) => command?.program === 'ln').flatMap(({place}) => place.paths),
  };
  return acts.flatMap(act => [throughLinks(act, whole), ...runsLater(act, whole), ...runsMade(act, whole)]);
}

function runsLater(act: Act, {hasConnection}: Whole): readonly Act[] {
  // What is fetched goes where its program is told, in words that only it understands.
  const mayWrite = (act.kind === 'write' && act.isSure) || (act.kind === 'names' && hasConnection);
  return mayWrite && act.place.paths.some(path => deciding.test(path))
    ? [unseen(`${act.place.source} decides what runs later`)]
    : [];
}

function runsMade(act: Act, {hasConnection, made}: Whole): readonly Act[] {
  if (act.kind !== 'run' || !act.isSure || act.file === undefined) return [];
  const {paths} = act.file;
  const isMade = hasConnection || made.some(place => place.paths.some(path => paths.includes(path)));
  return isMade ? [unseen('it runs a file that the same call may have made')] : [];
}

function throughLinks(act: Act, {links}: Whole): Act {
  const isPath = act.kind === 'read' || act.kind === 'write' || act.kind === 'delete' || act.kind === 'names';
  if (!isPath) return act;
  // To write or to remove a link itself touches nothing else.
  const isMade = act.kind !== 'names' && act.command?.program === 'ln';
  const isItself =
    isMade ||
    ((act.kind === 'write' || act.kind === 'delete') && !act.place.isPattern && !/\/\.?$/.test(act.place.source));
  const isThrough = act.place.paths.some(path =>
    links.some(link => isWithin(path, link) && !(isItself && path === link)),
  );
  return isThrough ? {...act, place: {...act.place, isKnown: false}} : act;
}
