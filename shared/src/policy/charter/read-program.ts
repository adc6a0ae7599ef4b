import {unseen, type Act} from './act.ts';
import {readConnections} from './connections.ts';
import {commandOf, perhaps, readVariable, runOf, type Named, type Read} from './program-acts.ts';
import {effectsOf} from './program-effects.ts';
import {readExport, readFolderChange, readSet} from './read-builtin.ts';
import {interpreter, notRead, readEval, readShellProgram} from './read-code.ts';
import {readFind} from './read-find.ts';
import {isGitCommand} from './read-git.ts';
import {readGitCommand} from './read-git-command.ts';
import {namedPlaces} from './named-places.ts';
import {placeOf} from './place.ts';
import {projectScripts} from './project-scripts.ts';
import type {Reader} from './reader.ts';
import {runsFile} from './script-file.ts';
import {blindly, evaluates} from './hidden-code.ts';
import {plainWord, textOf, unknownWord, type Word} from './shell-tree.ts';
import {outputs, wholeFolders} from './whole-folders.ts';
import {isNeutral, unwrap} from './wrapper.ts';

/** What a program with these words would do: the first word is its name. */
export function readProgram(words: readonly Word[], reader: Reader): readonly Act[] {
  const [first, ...rest] = words;
  const written = first?.source === '[' ? first.source : first && textOf(first);
  if (written === undefined)
    return [unseen(`which program runs is not known: ${first?.source ?? ''}`), ...perhaps(rest, reader)];
  if (!/^[\w./~+@%][\w./~+@%:-]*$|^[:[]$/.test(written))
    return [unseen(`the name of a program is unusual: ${written}`), ...perhaps(rest, reader)];
  const named = {
    program: written.slice(written.lastIndexOf('/') + 1).toLowerCase(),
    isTrusted: isTrustedName(written),
    words: rest,
  };
  const read = readerOf(named.program);
  const acts = read === undefined ? readUnlisted(named, reader) : read(rest, reader);
  // Whatever has the name of something known may be anything in another folder.
  if (named.isTrusted || first === undefined) return acts;
  const file = placeOf(first, reader.folders, reader.scene);
  return [...acts, ...runsFile(commandOf(named, reader), file, reader)];
}

/** A program may carry its version in its name, and one of git its own. */
function readerOf(program: string): Read | undefined {
  const verb = /^git-(?<verb>.+)$/.exec(program)?.groups?.['verb'];
  if (verb !== undefined && isGitCommand(verb))
    return (words, reader) => readGitCommand([plainWord(verb), ...words], reader);
  return readers.get(program) ?? readers.get(program.replace(/-?\d[\d.]*$/, ''));
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
  return [...variables, ...ownActs(named, unwrapped.words[0], reader), ...acts];
}

/** What a program that starts another one does by itself: what its options name, and that it is used at all. */
function ownActs(named: Named, inner: Word | undefined, reader: Reader): readonly Act[] {
  const at = inner === undefined ? -1 : named.words.indexOf(inner);
  const options = at === -1 ? named.words : named.words.slice(0, at);
  // With a command it prints nothing.
  const itself = named.program === 'env' ? [] : [runOf(named, reader)];
  return [...itself.map((act): Act => ({...act, isSure: false})), ...namedPlaces(options, reader)];
}

function readPlain(named: Named, reader: Reader): readonly Act[] {
  const {program, words} = named;
  const command = commandOf(named, reader);
  const known = effectsOf(program, words, reader);
  const hosts = readConnections(program, words);
  const connections = hosts.map((host): Act => ({kind: 'connect', host, command, isSure: true}));
  const whole = [
    ...wholeFolders(program, words, reader),
    ...(evaluates(named) ? [unseen('a subscript may run commands')] : []),
  ];
  if (known === undefined)
    return [
      runOf(named, reader),
      ...blindly(named),
      ...connections,
      ...whole,
      ...outputs(words, reader),
      ...projectScripts(program, words, reader),
      ...perhaps(words, reader),
    ];
  const isWhole = known.isWhole && reader.through.every(isNeutral);
  // An option may be given a file that is none of the operands.
  const mayName = !isWhole || reader.isValue || words.some(({literal}) => /^--[\w-]+=/.test(literal));
  return [
    ...(isWhole ? [] : [runOf(named, reader)]),
    ...(known.isBlind === true ? [unseen(`${program} may run what is not read`), ...perhaps(words, reader)] : []),
    ...(mayName ? namedPlaces(words, reader) : []),
    ...known.effects.map((effect): Act => ({...effect, command, isSure: true})),
    ...whole,
    ...connections,
  ];
}

/** `command -v` only says where a program is. */
const readCommand: Read = (words, reader) =>
  /^-[vV]$/.test(words[0]?.source ?? '') ? [] : readUnlisted({program: 'command', isTrusted: true, words}, reader);

/** What `fd` finds stands behind the command that it is given. */
function readFd(program: string): Read {
  return (words, reader) => {
    const at = words.findIndex(word => /^(?:-[xX]|--exec(?:-batch)?)$/.test(word.literal));
    const started = at === -1 ? [] : reader.readWords([...words.slice(at + 1), unknownWord('<fd>')], reader);
    return [...readUnlisted({program, isTrusted: true, words}, reader), ...started];
  };
}

/** Where a runner of scripts takes them from, and what runs them, are settings of its own. */
function scriptRunner(program: string, elsewhere: RegExp): Read {
  return (words, reader) => {
    const isElsewhere = elsewhere.test(words.map(({literal}) => literal).join(' '));
    const acts = readUnlisted({program, isTrusted: true, words}, reader);
    return isElsewhere ? [unseen(`${program} is told of other scripts`), ...acts] : acts;
  };
}

/** Of its many verbs only some take a file of code. */
function readBun(program: string): Read {
  const asInterpreter = interpreter(program, /^(?:-e|--eval.*|-p|--print.*|-)$/);
  return (words, reader) => {
    const isVerb = /^(?:x|a|i|exec|run|add|install|test|build|create|link|publish|remove|update|pm|init|deploy)$/.test(
      words[0]?.literal ?? '',
    );
    return isVerb ? readUnlisted({program, isTrusted: true, words}, reader) : asInterpreter(words, reader);
  };
}

/** In a container the folders of this machine have other names. */
function readContainer(program: string): Read {
  const mounts = /^(?:-v|--volume|--mount|--device|--privileged|--pid|--userns)(?:=|$)|^-v./;
  return (words, reader) => {
    const acts = readUnlisted({program, isTrusted: true, words}, reader);
    const isOpen = words.some(({literal}) => mounts.test(literal));
    return isOpen ? [unseen(`${program} gives a container what is on this machine`), ...acts] : acts;
  };
}

function each(names: string, read: (name: string) => Read): readonly (readonly [string, Read])[] {
  return names.split(' ').map(name => [name, read(name)] as const);
}

/** Programs and words of the shell that are read in a way of their own. */
const readers: ReadonlyMap<string, Read> = new Map([
  ...each('sh bash dash zsh ksh ash rbash mksh yash', () => readShellProgram),
  ...each('eval', () => readEval),
  ...each('cd chdir', () => readFolderChange),
  ...each('find gfind', () => readFind),
  ...each('fd fdfind', readFd),
  ...each('npm pnpm yarn', name => scriptRunner(name, /script-shell/i)),
  ...each('make gmake', name =>
    scriptRunner(name, /(?:^| )(?:(?:-f|--(?:make)?file=?) ?(?:-|\/dev\/\S+|\/proc\/\S+)(?: |$)|-E|--ev)/),
  ),
  ...each('git hub', () => readGitCommand),
  ...each('set', () => readSet),
  ...each('export', () => readExport),
  ...each('command', () => readCommand),
  ...each('type which', () => () => []),
  ...each('docker podman nerdctl', readContainer),
  ...each('node nodejs', name =>
    interpreter(name, /^(?:-[a-z]*[epr]|--(?:eval|print|require|import|loader|experimental-|env-file).*|-)$/),
  ),
  ...each('deno', name => interpreter(name, /^(?:eval|repl|-)$/)),
  ...each('bun', readBun),
  ...each('python python2 python3 pypy pypy3', name => interpreter(name, /^(?:-[a-zA-Z]*c.*|-)$/)),
  ...each('perl ruby', name => interpreter(name, /^(?:-[a-zA-Z0-9]*[eEpni].*|-)$/)),
  ...each('php', name => interpreter(name, /^(?:-[rS].*|--run.*|-)$/)),
  ...each(
    'ftp lftp nsenter unshare chroot setpriv systemd-run runuser su flock strace ltrace chrt taskset catchsegv script socat watch entr gdb lldb bc dc gnuplot octave ghci jshell irb iex guile tclsh8.6 wish proot fakeroot bwrap firejail runcon parallel-ssh busctl dbus-send',
    notRead,
  ),
  ...each(
    'lua luajit osascript pwsh powershell fish tclsh expect r rscript awk gawk mawk nawk ed ex vi vim nvim emacs m4 csh tcsh elvish nu xonsh',
    notRead,
  ),
  ...each(
    '. source alias unalias trap hash enable shopt setopt unsetopt bind complete declare typeset local readonly let unset read mapfile readarray getopts pushd popd autoload zmodload emulate fc history parallel crontab at batch',
    notRead,
  ),
]);
