import type {GitAction} from './git-action.ts';
import {textOf, type Word} from './shell-tree.ts';

const nothing = (name: string): GitAction => ({kind: 'other', name});

/** Whether one of the words is this option: by its letter, also among others, or by its name or a beginning of it. */
function hasOption(words: readonly Word[], letter: string | undefined, name: string | undefined): boolean | undefined {
  const end = words.findIndex(word => textOf(word) === '--');
  const before = end === -1 ? words : words.slice(0, end);
  const isThis = (text: string): boolean =>
    (name !== undefined && text.length > 2 && name.startsWith(text.split('=')[0] ?? '')) ||
    (letter !== undefined && /^-[^-]/.test(text) && text.includes(letter));
  if (before.some(word => isThis(textOf(word) ?? ''))) return true;
  const mayBeOption = (word: Word): boolean =>
    textOf(word) === undefined && (word.unknownAt === 0 || word.literal.startsWith('-'));
  return before.some(mayBeOption) ? undefined : false;
}

/** The weaker of two answers wins: a sure yes over a perhaps over a no. */
function either(...answers: readonly (boolean | undefined)[]): boolean | undefined {
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
}

function discarding(answer: boolean | undefined, name: string): GitAction {
  return answer === false ? nothing(name) : {kind: 'discard', isSure: answer === true};
}

export function readReset(words: readonly Word[]): GitAction {
  const discards = either(...['--hard', '--merge', '--keep'].map(name => hasOption(words, undefined, name)));
  // Another commit than the newest one: those after it are no longer of the branch.
  const isBack = words.some(word => /^[^-].*[~^]|^[^-].*@\{|^[0-9a-f]{7,}$/.test(textOf(word) ?? ''));
  return discards === false && isBack ? {kind: 'rewrite'} : discarding(discards, 'reset');
}

/** Without force or with a dry run git removes nothing, but a setting may say otherwise. */
export function readClean(words: readonly Word[]): GitAction {
  return {kind: 'discard', isSure: hasOption(words, 'f', '--force') === true};
}

/** A path and no branch: names of branches end in no slash and hold neither of these. */
const pathLike = /^(?:\.{1,2}|:.*|.*\/|\.{1,2}\/.*|.*[*?[].*)$/s;

/** checkout and switch: with force, with paths or over a branch they overwrite what is not committed. */
export function readDiscard(words: readonly Word[]): GitAction {
  const operands = words.filter(word => !word.literal.startsWith('-'));
  const makes = words.some(word => /^-[A-Za-z]*[bc]$|^--orphan|^--cr|^-[A-Za-z]*[BC]$/.test(textOf(word) ?? ''));
  const hasPaths =
    words.some(word => textOf(word) === '--') ||
    operands.some(({literal}) => pathLike.test(literal)) ||
    (operands.length > 1 && !makes);
  const byForce = either(hasOption(words, 'f', '--force'), hasOption(words, undefined, '--discard-changes'));
  if (!hasPaths && byForce === false && words.some(word => /^-[A-Za-z]*[BC]$|^--force-c/.test(textOf(word) ?? '')))
    return {kind: 'delete-branch', isSure: true, branches: operands.map(textOf)};
  return discarding(hasPaths ? true : byForce, 'checkout');
}

/** Everything that it is given, but for what only the index loses. */
export function readRestore(words: readonly Word[]): GitAction {
  const isStaged = hasOption(words, 'S', '--staged') === true;
  return discarding(!isStaged || hasOption(words, 'W', '--worktree') !== false, 'restore');
}

export function readTree(words: readonly Word[]): GitAction {
  return discarding(hasOption(words, undefined, '--reset'), 'read-tree');
}

export function readWorktree(words: readonly Word[]): GitAction {
  const [verb] = words.map(textOf);
  return discarding(verb === 'remove' ? hasOption(words, 'f', '--force') : false, 'worktree');
}

/** With a plus or by force a branch of this repository is overwritten. */
export function readFetch(words: readonly Word[]): GitAction {
  const [, ...refspecs] = words.filter(word => !word.literal.startsWith('-'));
  const local = refspecs.map(textOf).filter(text => text?.includes(':') === true && !text.includes(':refs/remotes/'));
  const isForced = hasOption(words, 'f', '--force') === true || local.some(text => text?.startsWith('+') === true);
  return local.length > 0 && isForced ? {kind: 'delete-branch', isSure: true, branches: local} : {kind: 'fetch'};
}

export function readStash(words: readonly Word[]): GitAction {
  const [first] = words;
  const verb = first === undefined ? '' : textOf(first);
  return discarding(verb === undefined ? undefined : verb === 'drop' || verb === 'clear', 'stash');
}

export function readBranchDeletion(words: readonly Word[]): GitAction {
  const deletes = either(hasOption(words, 'D', '--delete'), hasOption(words, 'd', undefined));
  const moves = either(
    hasOption(words, 'M', '--move'),
    hasOption(words, 'C', '--copy'),
    hasOption(words, 'f', '--force'),
  );
  const operands = words.filter(word => !word.literal.startsWith('-')).map(textOf);
  if (deletes !== false || moves === true)
    return {kind: 'delete-branch', isSure: deletes === true || moves === true, branches: operands};
  const lists = operands.length === 0 && moves === false && words.every(word => isListing(textOf(word)));
  return lists ? {kind: 'read'} : nothing('branch');
}

function isListing(text: string | undefined): boolean {
  return text !== undefined && /^(?:-[arvl]+|--(?:list|all|remotes|show-current|verbose))$/.test(text);
}
