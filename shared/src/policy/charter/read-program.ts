import {unseen, type Act} from './act.ts';
import {readConnections} from './connections.ts';
import {commandOf, perhaps, readVariable, runOf, type Named, type Read} from './program-acts.ts';
import {effectsOf} from './program-effects.ts';
import {readExport, readFolderChange, readSet} from './read-builtin.ts';
import {interpreter, notRead, readEval, readShellProgram} from './read-code.ts';
import {readFind} from './read-find.ts';
import {readGitCommand} from './read-git-command.ts';
import type {Reader} from './reader.ts';
import {textOf, type Word} from './shell-tree.ts';
import {isNeutral, unwrap} from './wrapper.ts';

/** What a program with these words would do: the first word is its name. */
export function readProgram(words: readonly Word[], reader: Reader): readonly Act[] {
  const [first, ...rest] = words;
  const written = first === undefined ? undefined : textOf(first);
  if (written === undefined)
    return [unseen(`which program runs is not known: ${first?.source ?? ''}`), ...perhaps(rest, reader)];
  if (!/^[\w./~+@%][\w./~+@%:-]*$|^[:[]$/.test(written))
    return [unseen(`the name of a program is unusual: ${written}`), ...perhaps(rest, reader)];
  const named = {
    program: written.slice(written.lastIndexOf('/') + 1).toLowerCase(),
    isTrusted: isTrustedName(written),
    words: rest,
  };
  const read = readers.get(named.program);
  const acts = read === undefined ? readUnlisted(named, reader) : read(rest, reader);
  // Whatever has the name of something known may be anything in another folder.
  return named.isTrusted ? acts : [...acts, runOf(named, reader)];
}

/** A name for the PATH to find, or one in a folder that belongs to the system. */
function isTrustedName(name: string): boolean {
  return name === name.toLowerCase() && /^(?:(?:\/usr(?:\/local)?|\/opt\/homebrew)?\/s?bin\/)?[^/~]+$/.test(name);
}

function readUnlisted(named: Named, reader: Reader): readonly Act[] {
  const {program, words} = named;
  const unwrapped = unwrap(program, words);
  if (unwrapped === undefined) return readPlain(named, reader);
  if ('unknown' in unwrapped) return [unseen(unwrapped.unknown), ...perhaps(words, reader)];
  const variables = unwrapped.assigned.flatMap(readVariable);
  if (unwrapped.words.length === 0) return [...variables, runOf(named, reader)];
  const inner = {...reader, through: [...reader.through, program]};
  const acts = reader.readWords(unwrapped.words, inner);
  reader.folders = inner.folders;
  return [...variables, ...acts];
}

function readPlain(named: Named, reader: Reader): readonly Act[] {
  const {program, words} = named;
  const command = commandOf(named, reader);
  const known = effectsOf(program, words, reader);
  const hosts = readConnections(program, words);
  const connections = hosts.map((host): Act => ({kind: 'connect', host, command, isSure: true}));
  if (known === undefined) return [runOf(named, reader), ...connections, ...perhaps(words, reader)];
  const isWhole = known.isWhole && reader.through.every(isNeutral);
  return [
    ...(isWhole ? [] : [runOf(named, reader)]),
    ...known.effects.map((effect): Act => ({...effect, command, isSure: true})),
    ...connections,
  ];
}

/** `command -v` only says where a program is. */
const readCommand: Read = (words, reader) =>
  /^-[vV]$/.test(words[0]?.source ?? '') ? [] : readUnlisted({program: 'command', isTrusted: true, words}, reader);

function each(names: string, read: (name: string) => Read): readonly (readonly [string, Read])[] {
  return names.split(' ').map(name => [name, read(name)] as const);
}

/** Programs and words of the shell that are read in a way of their own. */
const readers: ReadonlyMap<string, Read> = new Map([
  ...each('sh bash dash zsh ksh ash rbash mksh yash', () => readShellProgram),
  ...each('eval', () => readEval),
  ...each('cd chdir', () => readFolderChange),
  ...each('find gfind', () => readFind),
  ...each('git', () => readGitCommand),
  ...each('set', () => readSet),
  ...each('export', () => readExport),
  ...each('command', () => readCommand),
  ...each('type which', () => () => []),
  ...each('node nodejs', name =>
    interpreter(name, /^(?:-[a-z]*[epr]|--(?:eval|print|require|import|loader|experimental-|env-file).*|-)$/),
  ),
  ...each('deno', name => interpreter(name, /^(?:eval|repl|-)$/)),
  ...each('bun', name => interpreter(name, /^(?:-e|--eval.*|-p|--print.*|-)$/)),
  ...each('python python2 python3 pypy pypy3', name => interpreter(name, /^(?:-[a-zA-Z]*c.*|-)$/)),
  ...each('perl ruby', name => interpreter(name, /^(?:-[a-zA-Z0-9]*[eEpni].*|-)$/)),
  ...each('php', name => interpreter(name, /^(?:-r.*|--run.*|-)$/)),
  ...each(
    'lua luajit osascript pwsh powershell fish tclsh expect r rscript awk gawk mawk nawk ed ex vi vim nvim emacs m4 csh tcsh elvish nu xonsh',
    notRead,
  ),
  ...each(
    '. source alias unalias trap hash enable shopt setopt unsetopt bind complete declare typeset local readonly let unset read mapfile readarray getopts pushd popd autoload zmodload emulate fc history parallel crontab at batch',
    notRead,
  ),
]);
