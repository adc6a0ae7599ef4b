import {unseen} from './act.ts';
import {namedPlaces} from './named-places.ts';
import {placeOf} from './place.ts';
import {commandOf, perhaps, type Read} from './program-acts.ts';
import {isOwnInput, readScriptFile} from './script-file.ts';
import {textOf, type Word} from './shell-tree.ts';

type ShellWord = 'plain' | 'setting' | 'command' | 'input' | 'unknown' | 'operand';

/** What a word is to a shell that is started, before its first operand. */
function kindOf(text: string): ShellWord {
  if (/^(?:--|-[eilux]+|--login|--norc|--noprofile|--posix)$/.test(text)) return 'plain';
  if (/^[-+][abd-z]*o$/.test(text)) return 'setting';
  if (/^-[a-zA-Z]*c[abd-nps-z]*$/.test(text)) return 'command';
  if (/^-[a-z]*s[a-z]*$|^-$/.test(text)) return 'input';
  return /^[-+]/.test(text) ? 'unknown' : 'operand';
}

/** Where a shell that is started takes its commands from. */
type Source =
  | {readonly kind: 'text'; readonly text: string}
  | {readonly kind: 'file'; readonly words: readonly Word[]}
  | {readonly kind: 'input' | 'unseen' | 'unknown'};

/** A word that is not seen is none that is known. */
function textAt(words: readonly Word[], at: number): string {
  const word = words[at];
  return (word === undefined ? undefined : textOf(word)) ?? '+';
}

function sourceOf(words: readonly Word[]): Source {
  let mode: 'command' | 'input' | undefined;
  for (let at = 0; at < words.length; at += 1) {
    const kind = kindOf(textAt(words, at));
    if (kind === 'unknown') return {kind};
    if (kind === 'operand') return operandSource(words.slice(at), mode);
    if (kind === 'setting') at += 1;
    if (kind === 'command' || kind === 'input') mode = mode === 'command' ? mode : kind;
  }
  // Of a command that is missing nobody knows what the shell makes.
  return {kind: mode === 'command' ? 'unseen' : 'input'};
}

function operandSource(words: readonly Word[], mode: 'command' | 'input' | undefined): Source {
  const text = textAt(words, 0);
  if (mode === 'command') return {kind: 'text', text};
  return mode === 'input' || isOwnInput(text) ? {kind: 'input'} : {kind: 'file', words};
}

/** A shell: its own words say where its commands come from. */
export const readShellProgram: Read = (words, reader) => {
  const inner = {...reader, through: [...reader.through, 'sh']};
  const source = sourceOf(words);
  switch (source.kind) {
    case 'unknown':
      return [unseen('a shell is started in an unusual way'), ...perhaps(words, reader)];
    case 'text':
      return reader.readScript(source.text, inner);
    case 'file':
      return readScriptFile(source.words, inner);
    default:
      return source.kind === 'unseen' || reader.input === undefined
        ? [unseen('a shell runs what nobody sees')]
        : reader.readScript(reader.input, {...inner, input: undefined});
  }
};

export const readEval: Read = (words, reader) => {
  const texts = words.map(textOf);
  if (texts.includes(undefined))
    return [unseen('eval runs a text that depends on something unseen'), ...perhaps(words, reader)];
  return reader.readScript(texts.join(' '), reader);
};

/** A program that runs the code of its own language, which is not read. */
export function interpreter(program: string, inline: RegExp): Read {
  return (words, reader) => {
    const texts = words.map(textOf);
    const isAsked = texts.length === 1 && /^(?:-v|-V|--version|--help)$/.test(texts[0] ?? '');
    const isCode = texts.some(text => text === undefined || inline.test(text) || isOwnInput(text)) || runsText(texts);
    // Without a file the code comes from the standard input.
    const isInput = texts.every(text => text === undefined || (text.startsWith('-') && !/^-m|^--test/.test(text)));
    const isSeen = isAsked || (!isCode && !isInput);
    const file = words.find(word => !word.literal.startsWith('-'));
    const place = file === undefined ? undefined : placeOf(file, reader.folders, reader.scene);
    const command = commandOf({program, isTrusted: true, words}, reader);
    return isSeen
      ? [{kind: 'run', command, file: place, isSure: true}, ...namedPlaces(words, reader)]
      : [unseen(`${program} runs code that is not read`), ...perhaps(words, reader)];
  };
}

/** Modules of Python that run a text or a file which they are given, or hand out or pack a whole folder. */
function runsText(texts: readonly (string | undefined)[]): boolean {
  const at = texts.findIndex(text => text?.startsWith('-m') === true);
  const module = texts[at] === '-m' ? texts[at + 1] : texts[at]?.slice(2);
  return (
    at !== -1 &&
    /^(?:timeit|pdb|c?Profile|profile|trace|code|runpy|idlelib.*|bdb|doctest|http\.server|SimpleHTTPServer|zipfile|tarfile|shutil)$/.test(
      module ?? '',
    )
  );
}

/** A program or a word of the shell that changes what commands mean, or runs what is not read. */
export function notRead(program: string): Read {
  return (words, reader) => [
    unseen(`${program} changes what commands mean or runs what is not read`),
    ...perhaps(words, reader),
  ];
}
