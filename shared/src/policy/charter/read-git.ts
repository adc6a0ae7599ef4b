import type {GitAction} from './git-action.ts';
import {
  readBranchDeletion,
  readClean,
  readDiscard,
  readFetch,
  readReset,
  readRestore,
  readStash,
  readTree,
  readWorktree,
} from './git-local.ts';
import {readPush} from './git-push.ts';
import {textOf, type Word} from './shell-tree.ts';

export type GitReading =
  /** `verb` is the command of git, with the words behind it. */
  | {readonly kind: 'action'; readonly action: GitAction; readonly verb: string; readonly words: readonly Word[]}
  /** An alias given with the command itself: what git would run in its place. */
  | {readonly kind: 'alias'; readonly words: readonly Word[]; readonly script: string}
  | {readonly kind: 'unseen'; readonly why: string};

const valued = new Set(['-C', '--git-dir', '--work-tree', '--namespace', '--super-prefix', '--attr-source']);
const flags = new Set([
  ...[
    '-p',
    '-P',
    '--paginate',
    '--no-pager',
    '--no-replace-objects',
    '--bare',
    '--literal-pathspecs',
    '--no-lazy-fetch',
  ],
  ...['--glob-pathspecs', '--noglob-pathspecs', '--icase-pathspecs', '--no-optional-locks', '--no-advice', '--version'],
]);
/** Settings that change how something looks or who commits, and start no program. */
const harmlessSetting =
  /^(?:user\.(?:name|email)|color\..*|advice\..*|core\.(?:quotepath|autocrlf|abbrev)|init\.defaultbranch|commit\.gpgsign|log\..*|diff\.(?:renames|algorithm|context)|pull\.rebase|push\.default|protocol\.version)$/i;

/** What `git` with these words would do; `branch` is the one that is checked out. */
export function readGit(words: readonly Word[], branch: string | undefined): GitReading {
  const aliases = new Map<string, string>();
  let at = 0;
  for (; textAt(words, at)?.startsWith('-') === true; at += 1) {
    const option = readOption(words, at, aliases);
    if (typeof option === 'string') return {kind: 'unseen', why: option};
    at += option;
  }
  if (at >= words.length) return {kind: 'action', action: {kind: 'read'}, verb: '', words: []};
  const name = textAt(words, at);
  if (name === undefined) return {kind: 'unseen', why: 'the words of git depend on something unseen'};
  const rest = words.slice(at + 1);
  const alias = aliases.get(name.toLowerCase());
  if (alias === undefined) {
    const read = readSubcommand(name, rest, branch);
    return read.kind === 'unseen' ? read : {kind: 'action', action: read, verb: name, words: rest};
  }
  return {kind: 'alias', words: rest, script: alias.startsWith('!') ? alias.slice(1) : `git ${alias}`};
}

/** How many further words an option of git itself takes up, or why it cannot be followed. */
function readOption(words: readonly Word[], at: number, aliases: Map<string, string>): number | string {
  const text = textAt(words, at) ?? '';
  if (text === '-c') return readSetting(textAt(words, at + 1), aliases) ?? 1;
  if (valued.has(text)) return 1;
  const isKnown = flags.has(text) || valued.has(text.split('=')[0] ?? '');
  return isKnown ? 0 : `git ${text} is not known`;
}

function textAt(words: readonly Word[], at: number): string | undefined {
  const word = words[at];
  return word === undefined ? undefined : textOf(word);
}

/** A setting given with `-c`; answers why it cannot be followed. */
function readSetting(text: string | undefined, aliases: Map<string, string>): string | undefined {
  if (text === undefined) return 'a setting of git depends on something unseen';
  const [key = '', ...values] = text.split('=');
  const alias = /^alias\.(?<name>.+)$/i.exec(key)?.groups?.['name'];
  if (alias !== undefined) aliases.set(alias.toLowerCase(), values.join('='));
  else if (!harmlessSetting.test(key)) return `git -c ${key} may change what git runs`;
  return undefined;
}

type Read = GitAction | {readonly kind: 'unseen'; readonly why: string};
type ReadWords = (words: readonly Word[], branch: string | undefined) => GitAction;

const reading = new Set([
  ...['status', 'log', 'diff', 'show', 'rev-parse', 'rev-list', 'blame', 'annotate', 'ls-files', 'ls-tree', 'describe'],
  ...[
    'shortlog',
    'cat-file',
    'merge-base',
    'name-rev',
    'grep',
    'for-each-ref',
    'show-ref',
    'whatchanged',
    'count-objects',
  ],
  ...['diff-tree', 'diff-index', 'diff-files', 'check-ignore', 'check-attr', 'var', 'version', 'help', 'range-diff'],
]);
/** Options with which a command that reads writes a file or starts a program; git takes their beginnings too. */
const readingNoMore = [
  '--output',
  '--ext-diff',
  '--textconv',
  '--open-files-in-pager',
  '--exec',
  '--upload-pack',
  '--web',
];

const subcommands: Readonly<Record<string, ReadWords | GitAction['kind']>> = {
  push: readPush,
  'send-pack': readPush,
  reset: readReset,
  clean: readClean,
  checkout: readDiscard,
  switch: readDiscard,
  restore: readRestore,
  stash: readStash,
  branch: readBranchDeletion,
  add: 'commit',
  commit: readCommit,
  fetch: readFetch,
  pull: 'fetch',
  clone: 'fetch',
  'ls-remote': 'fetch',
  rebase: 'rewrite',
  worktree: readWorktree,
  'read-tree': readTree,
  'filter-branch': 'rewrite',
  'filter-repo': 'rewrite',
  replace: 'rewrite',
  reflog: words =>
    textAt(words, 0) === 'expire' || textAt(words, 0) === 'delete' ? {kind: 'rewrite'} : {kind: 'read'},
  'update-ref': 'rewrite',
};
/** Known, and neither of the above. */
const others = new Set([
  ...[
    'am',
    'apply',
    'archive',
    'bisect',
    'bundle',
    'cherry-pick',
    'difftool',
    'format-patch',
    'fsck',
    'gc',
    'hash-object',
  ],
  ...[
    'init',
    'lfs',
    'maintenance',
    'merge',
    'merge-tree',
    'mergetool',
    'mv',
    'notes',
    'prune',
    'repack',
    'revert',
    'rm',
  ],
  ...['sparse-checkout', 'submodule', 'symbolic-ref', 'tag', 'update-index', 'write-tree'],
]);

/** Whether git itself has a command of this name. */
export function isGitCommand(name: string): boolean {
  return (
    name === 'config' || name === 'remote' || Object.hasOwn(subcommands, name) || reading.has(name) || others.has(name)
  );
}

function bringsSettings(word: Word): boolean {
  return /^(?:-c|-u|--c(?:o.*)?|--te.*|--up.*)$|^--(?:config|template|upload-pack)=/.test(textOf(word) ?? '');
}

const listing = /^(?:--get(?:-all|-regexp|-urlmatch|-color|-colorbool)?|--list|-l|list|get)$/;

/** A setting that lasts can name the program that git runs at its next call. */
function readConfig(words: readonly Word[]): Read {
  const texts = words.map(textOf);
  if (texts.some(text => listing.test(text ?? ''))) return {kind: 'read'};
  const key = texts.find(text => text !== undefined && /^[^-].*\./.test(text));
  const isKnown = key !== undefined && harmlessSetting.test(key) && !texts.includes(undefined);
  return isKnown ? {kind: 'config'} : {kind: 'unseen', why: `git config ${key ?? ''} may change what git runs`};
}

function readRemote(words: readonly Word[]): Read {
  // Every push to it is then one of all branches, by force.
  if (words.some(word => word.literal.startsWith('--mi')))
    return {kind: 'unseen', why: 'git remote may decide what a push changes'};
  return words.every(word => /^(?:-v|--verbose|show)$/.test(textOf(word) ?? '')) ? {kind: 'read'} : {kind: 'config'};
}

function readSubcommand(name: string, words: readonly Word[], branch: string | undefined): Read {
  if (name === 'config') return readConfig(words);
  if (name === 'remote') return readRemote(words);
  if ((name === 'clone' || name === 'init') && words.some(bringsSettings))
    return {kind: 'unseen', why: `git ${name} takes settings that may change what git runs`};
  const read = Object.hasOwn(subcommands, name) ? subcommands[name] : undefined;
  if (typeof read === 'function') return read(words, branch);
  if (reading.has(name)) return words.every(onlyReads) ? {kind: 'read'} : {kind: 'other', name};
  switch (read) {
    case 'commit':
    case 'fetch':
    case 'config':
    case 'rewrite':
      return {kind: read};
    default:
      return others.has(name)
        ? {kind: 'other', name}
        : {kind: 'unseen', why: `git ${name} is not known and may be an alias`};
  }
}

function onlyReads(word: Word): boolean {
  const text = textOf(word);
  if (text === undefined) return false;
  const [name = ''] = text.split('=');
  return (
    !/^-[A-Za-z]*O/.test(name) &&
    (name === '--' || !readingNoMore.some(option => name.startsWith('--') && option.startsWith(name)))
  );
}

function readCommit(words: readonly Word[]): GitAction {
  return words.some(word => textOf(word)?.startsWith('--am')) ? {kind: 'rewrite'} : {kind: 'commit'};
}
