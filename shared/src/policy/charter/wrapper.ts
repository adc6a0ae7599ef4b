import {plainWord, textOf, unknownWord, type Word} from './shell-tree.ts';

/**
 * How a program that starts another one takes its own options. Those that change the folder, write a file or run a text
 * are left out: with them the command is not understood.
 */
type Wrapper = {
  /** Letters whose value follows, in the same word or the next. */
  readonly valued: string;
  /** Letters and names without a value. */
  readonly flags: string;
  readonly longValued?: readonly string[];
  readonly longFlags?: readonly string[];
  /** Words of its own before the command: the duration of `timeout`. */
  readonly operands?: number;
  /** `NAME=value` before the command. */
  readonly takesAssignments?: boolean;
  /** Adds words that nobody has seen. */
  readonly appends?: boolean;
};

const wrappers: Readonly<Record<string, Wrapper>> = {
  sudo: {
    valued: 'CghpTtUu',
    flags: 'AbBEeHKklNnPSVv',
    longValued: ['user', 'group', 'host', 'prompt', 'command-timeout', 'other-user'],
    longFlags: ['askpass', 'background', 'preserve-env', 'set-home', 'non-interactive', 'stdin'],
    takesAssignments: true,
  },
  doas: {valued: 'aCu', flags: 'Lns'},
  env: {
    valued: 'u',
    flags: 'i0v',
    longValued: ['unset'],
    longFlags: ['ignore-environment', 'null', 'debug', 'list-signal-handling'],
    takesAssignments: true,
  },
  nohup: {valued: '', flags: ''},
  time: {
    valued: 'f',
    flags: 'pqvV',
    longValued: ['format'],
    longFlags: ['portability', 'verbose', 'quiet'],
  },
  timeout: {
    valued: 'ks',
    flags: 'vfp',
    longValued: ['kill-after', 'signal'],
    longFlags: ['foreground', 'preserve-status', 'verbose'],
    operands: 1,
  },
  nice: {valued: 'n', flags: '0123456789', longValued: ['adjustment']},
  ionice: {valued: 'cn', flags: 't', longValued: ['class', 'classdata'], longFlags: ['ignore']},
  setsid: {valued: '', flags: 'cfw', longFlags: ['ctty', 'fork', 'wait']},
  stdbuf: {valued: 'eio', flags: '', longValued: ['input', 'output', 'error']},
  caffeinate: {valued: 'tw', flags: 'dimsu'},
  command: {valued: '', flags: 'p'},
  builtin: {valued: '', flags: ''},
  exec: {valued: 'a', flags: 'cl'},
  npx: {valued: '', flags: 'yq', longFlags: ['yes', 'no-install', 'no', 'quiet']},
  bunx: {valued: '', flags: ''},
  uvx: {valued: '', flags: ''},
  busybox: {valued: '', flags: ''},
  toybox: {valued: '', flags: ''},
  xargs: {
    valued: 'adEILnPs',
    flags: '0oprtx',
    longValued: ['arg-file', 'delimiter', 'max-lines', 'max-args', 'max-procs', 'max-chars', 'replace', 'eof'],
    longFlags: ['null', 'open-tty', 'interactive', 'no-run-if-empty', 'verbose', 'exit', 'show-limits'],
    appends: true,
  },
};

/** Run a program of the packages of a project, or one that they fetch. */
const launcher: Wrapper = {
  valued: '',
  flags: 'yq',
  longFlags: ['yes', 'no-install', 'no', 'quiet', 'silent', 'offline'],
};

/** Programs that are launchers with one of these words. */
const launchers: Readonly<Record<string, readonly string[]>> = {
  npm: ['exec', 'x'],
  pnpm: ['exec', 'dlx'],
  yarn: ['exec', 'dlx'],
  bun: ['x'],
  uv: ['run'],
  poetry: ['run'],
  pdm: ['run'],
  pipenv: ['run'],
  bundle: ['exec'],
};

/** Whether the words are those of a launcher: the first of them then belongs to it. */
export function isLauncher(program: string, word: string | undefined): boolean {
  return word !== undefined && Object.hasOwn(launchers, program) && launchers[program]?.includes(word) === true;
}

/** The command inside, the assignments before it, or why it cannot be found. */
export type Unwrapped =
  | {readonly words: readonly Word[]; readonly assigned: readonly string[]}
  | {readonly unknown: string};

/** Takes a wrapper off; undefined for a program that is none. `words` are those behind its name. */
export function unwrap(program: string, words: readonly Word[]): Unwrapped | undefined {
  const isOne = isLauncher(program, textAt(words, 0));
  const wrapper = isOne ? launcher : Object.hasOwn(wrappers, program) ? wrappers[program] : undefined;
  if (wrapper === undefined) return undefined;
  let at = isOne ? 1 : 0;
  let replaced: string | undefined;
  while (at < words.length) {
    const text = textAt(words, at);
    if (text === undefined) return {unknown: `the words of ${program} depend on something unseen`};
    if (text === '--') {
      at += 1;
      break;
    }
    if (!/^-./.test(text)) break;
    const taken = optionWords(wrapper, text);
    if (taken === undefined) return {unknown: `${program} ${text} is not known`};
    if (wrapper.appends === true) replaced = replacedBy(text, textAt(words, at + 1)) ?? replaced;
    at += taken;
  }
  return inner(wrapper, words.slice(at), {name: program, replaced});
}

/** The text in whose place xargs puts what it reads. */
function replacedBy(option: string, next: string | undefined): string | undefined {
  if (option === '-I' || option === '-J' || option === '--replace') return next;
  return /^(?:-[IJi]|--replace=)(?<text>.+)$/.exec(option)?.groups?.['text'];
}

function unknownFrom(word: Word, text: string): Word {
  const at = word.literal.indexOf(text);
  const literal = word.literal.replaceAll(text, '');
  return at === -1 ? word : {...word, literal, unknownAt: Math.min(at, word.unknownAt ?? at)};
}

function textAt(words: readonly Word[], at: number): string | undefined {
  const word = words[at];
  return word === undefined ? undefined : textOf(word);
}

/** How many words an option takes up, itself included. */
function optionWords({valued, flags, longValued = [], longFlags = []}: Wrapper, text: string): number | undefined {
  if (text.startsWith('--')) {
    const [name = ''] = text.slice(2).split('=');
    if (longFlags.includes(name)) return 1;
    if (!longValued.includes(name)) return undefined;
    return text.includes('=') ? 1 : 2;
  }
  const letters = text.slice(1).split('');
  for (const [index, letter] of letters.entries()) {
    if (valued.includes(letter)) return index === letters.length - 1 ? 2 : 1;
    if (!flags.includes(letter)) return undefined;
  }
  return 1;
}

function inner(
  {operands = 0, takesAssignments = false, appends = false}: Wrapper,
  words: readonly Word[],
  {name, replaced}: {readonly name: string; readonly replaced: string | undefined},
): Unwrapped {
  const assigned: string[] = [];
  let at = operands;
  for (; takesAssignments; at += 1) {
    const text = textAt(words, at);
    const variable = /^(?<name>[^=]+)=/.exec(text ?? '')?.groups?.['name'];
    if (variable === undefined) break;
    assigned.push(variable);
  }
  const command = words.slice(at);
  return {words: appends ? withInput(command, {name, replaced}) : command, assigned};
}

/** A command with the words that its starter reads and nobody has seen: in the place of a text, else at its end. */
function withInput(
  command: readonly Word[],
  {name, replaced}: {readonly name: string; readonly replaced: string | undefined},
): readonly Word[] {
  if (replaced !== undefined) return command.map(word => unknownFrom(word, replaced));
  return [...(command.length === 0 ? [plainWord('echo')] : command), unknownWord(`<${name}>`)];
}

const neutral = new Set(['time', 'timeout', 'nice', 'ionice', 'nohup', 'stdbuf', 'env', 'command', 'sh', 'caffeinate']);

/** Whether a program gives the command that it starts nothing: no rights, no words, no other program of that name. */
export function isNeutral(program: string): boolean {
  return neutral.has(program);
}
