import type {Condition} from './condition.ts';
import {knownRules, smallWords, type KnownRule} from './known-rules.ts';
import {literalConditions} from './literal-command.ts';

export type Side = 'refusal' | 'approval';

/** What an entry of a charter means; undefined where no rule understands it. */
export function conditionsOf(entry: string, side: Side): readonly Condition[] | undefined {
  for (const rule of knownRules) {
    if (rule.side !== side && rule.side !== 'both') continue;
    const names = namesIn(entry, rule);
    if (names !== undefined) return rule.means(names);
  }
  return literalConditions(entry, side);
}

/** The sentences that are most like an entry, the best first. */
export function nearest(entry: string, side: Side): readonly string[] {
  const own = pairsOf(entry);
  return knownRules
    .filter(rule => rule.side === side || rule.side === 'both')
    .map(({says}) => ({says, likeness: likeness(own, pairsOf(says))}))
    .toSorted((one, other) => other.likeness - one.likeness)
    .slice(0, 3)
    .map(({says}) => says);
}

/** The names behind `to`, none where the rule takes none; undefined when it is another sentence. */
function namesIn(entry: string, rule: KnownRule): readonly string[] | undefined {
  const text = entry.trim().replace(/[.!]$/, '');
  if (rule.takesNames !== true) return isAbout(text, rule) ? [] : undefined;
  const parts = /^(?<head>.*?) (?:to|onto|on) (?<tail>.+)$/i.exec(text)?.groups;
  if (parts === undefined || !isAbout(parts['head'] ?? '', rule)) return undefined;
  const names = (parts['tail'] ?? '')
    .replace(/^the /i, '')
    .replace(/ branch(?:es)?$/i, '')
    .split(/(?:, ?| )(?:and |or )|, ?/i);
  return names.every(name => /^[\w./*-]+$/.test(name) && !generic.has(name.toLowerCase())) ? names : undefined;
}

/** Words that stand for a branch and are no name of one. */
const generic = new Set([
  'remote',
  'remotes',
  'origin',
  'github',
  'production',
  'protected',
  'shared',
  'default',
  'public',
]);

function isAbout(text: string, {needs, may = ''}: KnownRule): boolean {
  const words = wordsOf(text);
  const groups = needs.map(group => new Set(group.split('|').map(stem)));
  const known = new Set([...may.split(/[ |]/), ...smallWords.split(' ')].map(stem));
  return (
    groups.every(group => words.some(word => group.has(word))) &&
    words.every(word => known.has(word) || groups.some(group => group.has(word)))
  );
}

function wordsOf(text: string): readonly string[] {
  return text
    .toLowerCase()
    .split(/[\s,]+/)
    .flatMap(word => (word === 'force-push' || word === 'force-pushes' ? ['force', 'push'] : [word]))
    .filter(word => word !== '')
    .map(stem);
}

/** One form for `push`, `pushes` and `pushing`. */
function stem(word: string): string {
  return word
    .replace(/ies$/, 'y')
    .replace(/(?:(?<=sh|ch|ss|x)es|(?<!s)s)$/, '')
    .replace(/(?<=\w{3})(?:ing|ed)$/, '')
    .replace(/(?<=\w{3})e$/, '')
    .replace(/(\w)\1$/, '$1');
}

function pairsOf(text: string): ReadonlySet<string> {
  const plain = text.toLowerCase();
  return new Set(Array.from({length: Math.max(plain.length - 1, 0)}, (_, at) => plain.slice(at, at + 2)));
}

/** Dice's coefficient over pairs of letters. */
function likeness(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  const shared = [...one].filter(pair => other.has(pair)).length;
  return (2 * shared) / Math.max(one.size + other.size, 1);
}
