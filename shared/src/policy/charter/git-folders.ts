import type {Act} from './act.ts';
import {placeOf, type Place} from './place.ts';
import type {Reader} from './reader.ts';
import {plainWord, type Word} from './shell-tree.ts';

/** Put into the worktree or the index what a file or their own words say. */
const filling = new Set(['apply', 'am', 'read-tree', 'checkout-index', 'update-index']);
/** Make a worktree where their words say. */
const making = new Set(['clone', 'init', 'worktree', 'submodule']);
/** Print what tracked files hold or held: always, or with such a word. */
const printing: Readonly<Record<string, RegExp>> = {
  grep: /^/,
  archive: /^/,
  'format-patch': /^/,
  bundle: /^create$/,
  'cat-file': /^--batch/,
  log: /^-(?:p|u|c|L.*|G.*)$|^--(?:patch.*|cc)$/,
  stash: /^-(?:p|u)$|^--patch/,
  reflog: /^-p$|^--patch/,
  // Between two commits there may be everything.
  diff: /^[0-9a-f]{7,}(?:\.\.|$)/,
  'diff-tree': /^-p$|^--(?:patch|cc)/,
};

/**
 * Folders that a command of git fills, empties or prints as a whole. What it finds in commits is not looked up, so that
 * these acts raise a question and refuse nothing. A command that only brings in what others have committed is none.
 */
export function gitFolders(verb: string, words: readonly Word[], reader: Reader): readonly Act[] {
  const parts = partsOf(words);
  const {operands, paths} = parts;
  const here = [plainWord('.')];
  if (filling.has(verb)) return filled(here, reader);
  if (making.has(verb) || takesFromCommit(verb, parts)) return filled(operands, reader);
  const placesOf = (given: readonly Word[]): readonly Place[] =>
    (given.length === 0 ? here : given).map(word => placeOf(word, reader.folders, reader.scene));
  if (verb === 'clean')
    return placesOf(operands).map(place => ({kind: 'delete', place, isRecursive: true, isSure: false}));
  return prints(verb, words)
    ? placesOf(paths).map(place => ({kind: 'read', place, inside: 'tracked', isSure: false}))
    : [];
}

/** `paths` stand behind `--`, `before` in front of it. */
type Parts = {
  readonly before: readonly Word[];
  readonly paths: readonly Word[];
  readonly operands: readonly Word[];
};

function partsOf(words: readonly Word[]): Parts {
  const end = words.findIndex(({literal}) => literal === '--');
  const [before, paths] = end === -1 ? [words, []] : [words.slice(0, end), words.slice(end + 1)];
  return {before, paths, operands: [...before.filter(isOperand), ...paths]};
}

function isOperand({literal}: Word): boolean {
  return !literal.startsWith('-') && !literal.includes('://');
}

function filled(words: readonly Word[], {folders, scene}: Reader): readonly Act[] {
  return words.map(word => ({kind: 'write', place: placeOf(word, folders, scene), inside: 'all', isSure: false}));
}

/** Files of another commit than the newest one come into the worktree. */
function takesFromCommit(verb: string, {before, paths, operands}: Parts): boolean {
  if (verb === 'restore') return before.some(({literal}) => /^(?:-[A-Za-z]*s|--so)/.test(literal));
  return verb === 'checkout' && (paths.length === 0 ? operands.length > 1 : before.some(isOperand));
}

function prints(verb: string, words: readonly Word[]): boolean {
  const word = Object.hasOwn(printing, verb) ? printing[verb] : undefined;
  return word !== undefined && (word.test('') || words.some(({literal}) => word.test(literal)));
}
