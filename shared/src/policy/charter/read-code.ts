import {unseen} from './act.ts';
import {perhaps, runOf, type Read} from './program-acts.ts';
import {textOf, unknownWord} from './shell-tree.ts';

type ShellWord = 'plain' | 'setting' | 'command' | 'input' | 'unknown' | 'operand';

/** What a word is to a shell that is started, before its first operand. */
function kindOf(text: string): ShellWord {
  if (/^(?:--|-[eilux]+|--login|--norc|--noprofile|--posix)$/.test(text)) return 'plain';
  if (/^[-+][abd-z]*o$/.test(text)) return 'setting';
  if (/^-[a-zA-Z]*c[abd-nps-z]*$/.test(text)) return 'command';
  if (/^-[a-z]*s[a-z]*$|^-$/.test(text)) return 'input';
  return /^[-+]/.test(text) ? 'unknown' : 'operand';
}

/** A shell: its own words say where its commands come from. */
export const readShellProgram: Read = (words, reader) => {
  const inner = {...reader, through: [...reader.through, 'sh']};
  let isCommand = false;
  for (let at = 0; at < words.length; at += 1) {
    const text = textOf(words[at] ?? unknownWord('')) ?? '+';
    const kind = kindOf(text);
    if (kind === 'unknown') return [unseen('a shell is started in an unusual way'), ...perhaps(words, reader)];
    if (kind === 'operand' && isCommand) return reader.readScript(text, inner);
    if (kind === 'operand') return [runOf({program: 'sh', isTrusted: false, words: words.slice(at)}, reader)];
    if (kind === 'setting') at += 1;
    isCommand ||= kind === 'command';
  }
  // The command is missing, or it is read from the standard input.
  if (isCommand || reader.input === undefined) return [unseen('a shell runs what nobody sees')];
  return reader.readScript(reader.input, {...inner, input: undefined});
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
    const isCode = texts.some(text => text === undefined || inline.test(text));
    // Without a file the code comes from the standard input.
    const isInput = texts.every(text => text === undefined || (text.startsWith('-') && !/^-m|^--test/.test(text)));
    const isSeen = isAsked || (!isCode && !isInput);
    return isSeen
      ? [runOf({program, isTrusted: true, words}, reader)]
      : [unseen(`${program} runs code that is not read`), ...perhaps(words, reader)];
  };
}

/** A program or a word of the shell that changes what commands mean, or runs what is not read. */
export function notRead(program: string): Read {
  return (words, reader) => [
    unseen(`${program} changes what commands mean or runs what is not read`),
    ...perhaps(words, reader),
  ];
}
