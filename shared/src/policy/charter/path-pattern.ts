import {isWithin, normalPath, type Scene} from './place.ts';

type How = {readonly scene: Scene; readonly ignoresCase: boolean};

/** What the patterns of a condition mean on one machine; conditions live as long as their charter. */
const compiled = new WeakMap<readonly string[], Map<string, RegExp>>();

/**
 * Path patterns of a charter: `*` and `?` within a part of a path, `**` across parts. Without a slash the pattern means a
 * file or folder of that name anywhere; `~` begins at home, that of the owner of the machine and that of the agent;
 * everything else that is not absolute begins at the workspace. What lies inside a folder that is meant is meant too.
 */
export function matchesPath(patterns: readonly string[], path: string, {scene, ignoresCase}: How): boolean {
  if (patterns.length === 0) return false;
  const known = compiled.get(patterns) ?? new Map<string, RegExp>();
  const key = [ignoresCase ? 'i' : '', scene.workspace, scene.home, scene.ownerHome].join('\n');
  const expression = known.get(key) ?? compile(patterns, {scene, ignoresCase});
  // One machine has a workspace for each attempt.
  if (known.size >= scenesMax) known.clear();
  compiled.set(patterns, known.set(key, expression));
  return expression.test(path);
}

const scenesMax = 64;

/** A path that is meant as a whole or above, and a name that is meant wherever it stands, each by one alternative. */
function compile(patterns: readonly string[], {scene, ignoresCase}: How): RegExp {
  const all = patterns.flatMap(pattern => absolutePatterns(pattern, scene));
  const names = all.filter(isAnywhere).map(pattern => sourceOf(pattern.slice(anywhere.length)));
  const paths = all.filter(pattern => !isAnywhere(pattern)).map(sourceOf);
  const sources = [
    ...(paths.length === 0 ? [] : [`^(?:${paths.join('|')})(?=/|$)`]),
    ...(names.length === 0 ? [] : [`/(?:${names.join('|')})(?=/|$)`]),
  ];
  // Without a home nothing lies in it.
  return new RegExp(sources.length === 0 ? '$.' : sources.join('|'), ignoresCase ? 'isu' : 'su');
}

const anywhere = '/**/';

function isAnywhere(pattern: string): boolean {
  return pattern.startsWith(anywhere) && !pattern.slice(anywhere.length).includes('/');
}

/** Whether what is meant lies inside of this folder by its name: then to remove the folder removes it. */
export function isHeldBy(pattern: string, folder: string, scene: Scene): boolean {
  return absolutePatterns(pattern, scene).some(full => {
    const isLiteral = !/[*?]/.test(full);
    const literal = isLiteral ? full : full.slice(0, full.search(/[*?]/)).replace(/[^/]*$/, '');
    return isWithin(normalPath(literal), folder);
  });
}

function absolutePatterns(pattern: string, {home, ownerHome, workspace}: Scene): readonly string[] {
  if (pattern.startsWith('/')) return [normalPath(pattern)];
  if (/^~(?:\/|$)/.test(pattern)) {
    const homes = new Set([home, ownerHome].flatMap(each => (each === undefined ? [] : [normalPath(each)])));
    return [...homes].map(each => normalPath(`${each}${pattern.slice(1)}`));
  }
  const bare = pattern.replace(/^\.\//, '').replace(/\/$/, '');
  const isName = !bare.includes('/') && bare !== '**' && !pattern.startsWith('./');
  return [isName ? `/**/${bare}` : normalPath(`${workspace}/${bare}`)];
}

function sourceOf(pattern: string): string {
  const parts = pattern.split(/(\/\*\*(?=\/|$)|\*\*|\*|\?)/).map(part => {
    if (part === '/**') return '(?:/[^/]+)*';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    return part.replaceAll(/[$()+.[\\\]^{|}]/g, String.raw`\$&`);
  });
  return parts.join('');
}

/**
 * Whether a pattern of the shell, whose first part is `folder`, may name something that is meant. Only what their ends
 * rule out is ruled out: `*.ts` never names a `*.pem`, and a star no name that begins with a dot.
 */
export function mayMeet(
  pattern: string,
  {folder, source, scene}: {readonly folder: string; readonly source: string; readonly scene: Scene},
): boolean {
  return absolutePatterns(pattern, scene).some(full => {
    const literal = full.slice(0, full.search(/[*?]|$/)).replace(/[^/]*$/, '');
    const known = normalPath(literal);
    if (!isWithin(folder, known) && !isWithin(known, folder)) return false;
    // Of what lies deeper the first part has to be named.
    const [below = ''] = isWithin(known, folder) ? known.slice(folder.length).replace(/^\//, '').split('/') : [];
    const part = source.split('/').find(each => /[*?[]/.test(each)) ?? '';
    if (below !== '' && !endsMeet(below, part)) return false;
    const [meant, named] = [full, source].map(text => text.slice(text.lastIndexOf('/') + 1));
    return meant === undefined || named === undefined || meant === '**' || endsMeet(meant, named);
  });
}

function endsMeet(meant: string, named: string): boolean {
  if (/^[*?[]/.test(named) && meant.startsWith('.')) return false;
  const head = (text: string): string => text.slice(0, text.search(/[*?[{$]|$/));
  const tail = (text: string): string => /[^*?\]})]*$/.exec(text)?.[0] ?? '';
  const meet = (one: string, other: string, at: 'startsWith' | 'endsWith'): boolean => one[at](other) || other[at](one);
  return meet(head(meant), head(named), 'startsWith') && meet(tail(meant), tail(named), 'endsWith');
}
