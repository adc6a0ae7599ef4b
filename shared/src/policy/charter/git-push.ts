import type {GitAction, PushTarget} from './git-action.ts';
import {textOf, unknownWord, type Word} from './shell-tree.ts';

type Options = {
  force: boolean | undefined;
  everything: 'force' | 'all' | undefined;
  isDelete: boolean;
  readonly operands: Word[];
};

/** Options whose value is the next word. */
const valued = ['--repo', '--receive-pack', '--exec', '--push-option'];

/** Which branches of the remote a push changes, and whether by force. Deleting is the strongest force. */
export function readPush(words: readonly Word[], branch: string | undefined): GitAction {
  const options = readOptions(words);
  // What stands on the standard input is not seen.
  if (words.some(word => textOf(word) === '--stdin'))
    options.operands.push(unknownWord('remote'), unknownWord('branches'));
  const [remote, ...refspecs] = options.operands;
  const force = options.isDelete ? true : options.force;
  const targets = refspecs.map(word => readRefspec(word, force, branch));
  if (refspecs.length === 0)
    targets.push({
      branch: options.everything === undefined ? undefined : '*',
      isForced: options.everything === 'force' || force,
    });
  else if (options.everything !== undefined)
    targets.push({branch: '*', isForced: options.everything === 'force' || force});
  // Without a refspec the settings decide, and they may name more than the branch that is checked out.
  if (refspecs.length === 0 && branch !== undefined) targets.push({branch, isForced: force});
  return {kind: 'push', targets, remote: remote === undefined ? undefined : textOf(remote)};
}

function readOptions(words: readonly Word[]): Options {
  const options: Options = {force: false, everything: undefined, isDelete: false, operands: []};
  let isOver = false;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at];
    if (word === undefined) continue;
    const text = textOf(word);
    if (isOver || (text !== undefined && (!text.startsWith('-') || text === '-'))) options.operands.push(word);
    else if (text === undefined) readUnseen(word, options);
    else if (text === '--') isOver = true;
    else if (text.startsWith('--')) at += readLong(text, options);
    else at += readShort(text, options);
  }
  return options;
}

/** A word that may be an option as well as a refspec. */
function readUnseen(word: Word, options: Options): void {
  if (options.force === false && (word.unknownAt === 0 || word.literal.startsWith('-'))) options.force = undefined;
  options.operands.push(word);
}

/** Git takes the beginning of a name for the name. Answers how many further words belong to it. */
function readLong(text: string, options: Options): number {
  const [name = ''] = text.split('=');
  const means = (option: string): boolean => option.startsWith(name) || name === option;
  if (means('--force') || means('--force-with-lease')) options.force = true;
  if (means('--mirror') || means('--prune')) options.everything = 'force';
  else if (means('--all') || means('--branches')) options.everything ??= 'all';
  if (means('--delete')) options.isDelete = true;
  return valued.includes(name) && !text.includes('=') ? 1 : 0;
}

function readShort(text: string, options: Options): number {
  for (const [index, letter] of text.split('').entries()) {
    if (letter === 'f') options.force = true;
    if (letter === 'd') options.isDelete = true;
    if (letter === 'o') return index === text.length - 1 ? 1 : 0;
  }
  return 0;
}

function readRefspec(word: Word, force: boolean | undefined, branch: string | undefined): PushTarget {
  const {literal, unknownAt} = word;
  const isForced = literal.startsWith('+') || force;
  // An unseen word may begin with a plus. A star in a refspec is git's own, whatever the shell makes of it; every other
  // pattern is the shell's, and a file may have the name of a refspec.
  if (unknownAt === 0) return {branch: undefined, isForced: isForced || undefined};
  if (unknownAt !== undefined || isOfTheShell(word)) return {branch: undefined, isForced};
  const [source = '', target = source, ...more] = literal.replace(/^\+/, '').split(':');
  // A lone colon pushes what both sides have.
  const isAll = target === '' || more.length > 0;
  return {branch: isAll ? '*' : branchNamed(target, branch), isForced: (source === '' && target !== '') || isForced};
}

function isOfTheShell({literal, globAt}: Word): boolean {
  return globAt !== undefined && /[?[]/.test(literal);
}

function branchNamed(name: string, current: string | undefined): string | undefined {
  if (name === 'HEAD' || name === '@') return current;
  const branch = name.replace(/^(?:refs\/)?heads\//, '');
  // A pattern above the branches means all of them.
  return branch === name && /^r[^*]*\*/.test(name) && !/^refs\/(?!h)[^*]/.test(name) ? '*' : branch;
}
