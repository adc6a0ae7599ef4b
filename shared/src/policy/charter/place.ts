import type {Word} from './shell-tree.ts';

/** Where a call would happen. */
export type Scene = {
  /** Absolute; the folder that the attempt works in. */
  readonly workspace: string;
  /** Absolute; where the call starts, the workspace when absent. */
  readonly cwd?: string | undefined;
  /** What `~` means to the shell of the agent. */
  readonly home?: string | undefined;
  /** That of the owner of the machine, where agents have one of their own. A charter means both. */
  readonly ownerHome?: string | undefined;
  /** The branch that is checked out, where the caller knows it. */
  readonly branch?: string | undefined;
  /** Follows symbolic links on the disk of the agent, the path itself where there is none. Paths are taken as written when absent. */
  readonly realPath?: ((path: string) => string) | undefined;
  /** A file of the disk of the agent as text; undefined for one that is not there, is too large or no text. */
  readonly readText?: ((path: string) => string | undefined) | undefined;
  /**
   * What lies in a folder, at most so much; nothing for what is no folder or cannot be read, undefined where nobody has
   * looked. Unknown when absent.
   */
  readonly entries?: ((folder: string, entriesMax: number) => readonly Entry[] | undefined) | undefined;
  /** The files that git keeps of the repository around a folder; undefined where that cannot be read. Unknown when absent. */
  readonly tracked?: ((folder: string) => readonly string[] | undefined) | undefined;
};

/** `mayHold`: a folder or a link, which may lead to one. */
export type Entry = {readonly name: string; readonly mayHold: boolean};

/** A path that a call touches, in every form that it could have. */
export type Place = {
  readonly source: string;
  /** Absolute and normalised, without a slash at the end. */
  readonly paths: readonly string[];
  /** False when a part of it depends on something unseen. */
  readonly isKnown: boolean;
  /** The files inside are meant, by a pattern. */
  readonly isPattern: boolean;
};

/** An absolute path without `.`, `..` and double slashes. */
export function normalPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** The folders that a relative path may start from; undefined stands for one that nobody knows. */
export type Folders = readonly (string | undefined)[];

export function placeOf(word: Word, folders: Folders, scene: Scene): Place {
  const {source, unknownAt, globAt} = word;
  const {base, stepsUp} = knownPart(word);
  const starts = base.startsWith('/') ? ['/'] : folders;
  const written = starts.flatMap(start => (start === undefined ? [] : [`${start}/${base}`]));
  // Of a path that goes on unseen only the beginning is known, and it may lead back.
  const isSeen = unknownAt === undefined && !stepsUp;
  return {
    source,
    paths: isSeen ? [...new Set(written.flatMap(path => realForms(path, scene)))] : [],
    isKnown: isSeen && !starts.includes(undefined) && !written.some(leadsElsewhere),
    isPattern: globAt !== undefined,
  };
}

/** The beginning of a path that is sure, and whether what follows in a pattern steps up again. */
function knownPart({literal, unknownAt, globAt}: Word): {readonly base: string; readonly stepsUp: boolean} {
  if (unknownAt === undefined && globAt === undefined) return {base: literal, stepsUp: false};
  const known = literal.slice(0, Math.min(unknownAt ?? literal.length, globAt ?? literal.length));
  const base = known.slice(0, known.lastIndexOf('/') + 1);
  return {base, stepsUp: globAt !== undefined && literal.slice(base.length).split('/').includes('..')};
}

/** Links that every process has of its own: to the root, and to folders and files that nobody can look up from here. */
const ownLink = /^\/proc\/[^/]+(?:\/task\/[^/]+)?\/(?:(?<root>root)|cwd|fd|exe|map_files)(?=\/|$)/;

/** Without double slashes and single dots; what steps up through a link leads elsewhere than its words. */
const plain = (path: string): string => path.replaceAll(/\/(?:\.?\/)+/g, '/');

function leadsElsewhere(path: string): boolean {
  const link = ownLink.exec(plain(path));
  return link !== null && link.groups?.['root'] === undefined;
}

/** The path as written and the one that its links lead to. */
function realForms(written: string, {realPath}: Scene): readonly string[] {
  const isRoot = ownLink.exec(plain(written))?.groups?.['root'] !== undefined;
  const path = isRoot ? `/${plain(written).replace(ownLink, '')}` : written;
  const normal = normalPath(path);
  return realPath === undefined ? [normal] : [normal, normalPath(realPath(path)), normalPath(realPath(normal))];
}

export function isWithin(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`);
}

/** How many folders a path is away from the root. */
function depthOf(path: string): number {
  return path.split('/').filter(part => part !== '').length;
}

const temporary = new Set(['/tmp', '/var/tmp', '/private/tmp']);

/**
 * The root, what lies directly in it, the home of a person and what the workspace or that home lies in: to remove one of
 * these is to remove the machine or a person's work.
 */
export function isVital(path: string, {home, ownerHome, workspace}: Scene): boolean {
  const isFirstLevel = depthOf(path) <= 1 || /^\/(?:home|Users|root|private)(?:\/[^/]*)?$/i.test(path);
  const isLinkToRoot = /^\/proc\/[^/]+\/(?:root|cwd)(?:\/|$)/i.test(path);
  const holdsHome = [home, ownerHome].some(each => each !== undefined && isWithin(normalPath(each), path));
  const holdsWork = path !== normalPath(workspace) && isWithin(normalPath(workspace), path);
  return (isFirstLevel && !temporary.has(path)) || isLinkToRoot || holdsHome || holdsWork;
}
