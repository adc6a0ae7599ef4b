import {isWithin, normalPath, type Scene} from './place.ts';

/**
 * Path patterns of a charter: `*` and `?` within a part of a path, `**` across parts. Without a slash the pattern means a
 * file or folder of that name anywhere; `~/` begins at home; everything else that is not absolute begins at the workspace.
 * What lies inside a folder that is meant is meant too.
 */
export function matchesPath(
  pattern: string,
  path: string,
  {scene, ignoresCase}: {readonly scene: Scene; readonly ignoresCase: boolean},
): boolean {
  const full = absolutePattern(pattern, scene);
  return full !== undefined && new RegExp(sourceOf(full), ignoresCase ? 'isu' : 'su').test(path);
}

/** Whether what is meant lies inside of this folder: then to remove the folder removes it. */
export function isHeldBy(pattern: string, folder: string, scene: Scene): boolean {
  const full = absolutePattern(pattern, scene);
  if (full === undefined) return false;
  const isLiteral = !/[*?]/.test(full);
  const literal = isLiteral ? full : full.slice(0, full.search(/[*?]/)).replace(/[^/]*$/, '');
  return isWithin(normalPath(literal), folder);
}

function absolutePattern(pattern: string, {home, workspace}: Scene): string | undefined {
  if (pattern.startsWith('/')) return pattern;
  if (pattern.startsWith('~/')) return home === undefined ? undefined : `${normalPath(home)}/${pattern.slice(2)}`;
  const bare = pattern.replace(/^\.\//, '').replace(/\/$/, '');
  const isName = !bare.includes('/') && bare !== '**' && !pattern.startsWith('./');
  return isName ? `/**/${bare}` : `${normalPath(workspace)}/${bare}`;
}

function sourceOf(pattern: string): string {
  const parts = pattern.split(/(\/\*\*(?=\/|$)|\*\*|\*|\?)/).map(part => {
    if (part === '/**') return '(?:/[^/]+)*';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    return part.replaceAll(/[$()+.[\\\]^{|}]/g, String.raw`\$&`);
  });
  return `^${parts.join('')}(?:/.*)?$`;
}

/**
 * Whether a pattern of the shell, whose first part is `folder`, may name something that is meant. Only what their ends
 * rule out is ruled out: `*.ts` never names a `*.pem`, and a star no name that begins with a dot.
 */
export function mayMeet(
  pattern: string,
  {folder, source, scene}: {readonly folder: string; readonly source: string; readonly scene: Scene},
): boolean {
  const full = pattern.startsWith('@') ? undefined : absolutePattern(pattern, scene);
  if (full === undefined) return false;
  const literal = full.slice(0, full.search(/[*?]|$/)).replace(/[^/]*$/, '');
  if (!isWithin(folder, normalPath(literal)) && !isWithin(normalPath(literal), folder)) return false;
  const [meant, named] = [full, source].map(text => text.slice(text.lastIndexOf('/') + 1));
  return meant === undefined || named === undefined || meant === '**' || endsMeet(meant, named);
}

function endsMeet(meant: string, named: string): boolean {
  if (/^[*?[]/.test(named) && meant.startsWith('.')) return false;
  const head = (text: string): string => text.slice(0, text.search(/[*?[{$]|$/));
  const tail = (text: string): string => /[^*?\]})]*$/.exec(text)?.[0] ?? '';
  const meet = (one: string, other: string, at: 'startsWith' | 'endsWith'): boolean => one[at](other) || other[at](one);
  return meet(head(meant), head(named), 'startsWith') && meet(tail(meant), tail(named), 'endsWith');
}
