import {unseen, type Act} from './act.ts';
import {placeOf} from './place.ts';
import {commandOf, type Read} from './program-acts.ts';
import type {Reader} from './reader.ts';
import {plainWord, textOf, type Word} from './shell-tree.ts';

/** What find reads, removes, writes and starts. */
export const readFind: Read = (words, reader) => {
  const {folders, scene} = reader;
  const command = commandOf({program: 'find', isTrusted: true, words}, reader);
  const places = rootsOf(words).map(word => placeOf(word, folders, scene));
  const acts: Act[] = places.map(place => ({kind: 'read', place, command, isSure: true}));
  for (const [index, word] of words.entries()) {
    const text = textOf(word);
    const next = words.slice(index + 1);
    if (text === undefined) acts.push(mayBeOption(word) ? unseen('the words of find are not all seen') : other);
    else if (text === '-delete')
      acts.push(
        ...places.map((place): Act => ({
          kind: 'delete',
          place: {...place, isPattern: true},
          isRecursive: true,
          command,
          isSure: true,
        })),
      );
    else if (/^-(?:exec|execdir|ok|okdir)$/.test(text)) acts.push(...readStarted(text, foundBy(next), reader));
    else if (/^-f(?:print|ls)/.test(text))
      acts.push({kind: 'write', place: placeOf(next[0] ?? plainWord('.'), folders, scene), command, isSure: true});
    else if (text === '-f' || text.startsWith('-files0-from')) acts.push(unseen('the folders of find are not seen'));
  }
  return acts;
};

/** `-execdir` starts the command beside the file that was found. */
function readStarted(test: string, words: readonly Word[], reader: Reader): readonly Act[] {
  return reader.readWords(words, test.endsWith('dir') ? {...reader, folders: [undefined]} : reader);
}

const other: Act = {kind: 'other', isSure: true};

function mayBeOption({literal, unknownAt}: Word): boolean {
  return unknownAt === 0 || literal.startsWith('-');
}

/** The folders before the first test. */
function rootsOf(words: readonly Word[]): readonly Word[] {
  const isOption = ({literal}: Word): boolean => /^-(?:[HLPE]+|O\d|D)$/.test(literal);
  const end = words.findIndex(word => /^[-(!]/.test(word.literal) && !isOption(word));
  const roots = words.slice(0, end === -1 ? words.length : end).filter(word => !isOption(word));
  return roots.length === 0 ? [plainWord('.')] : roots;
}

/** The command of `-exec` up to its end; `{}` is a path that nobody has seen, and never an option. */
function foundBy(words: readonly Word[]): readonly Word[] {
  const end = words.findIndex(word => textOf(word) === ';' || textOf(word) === '+');
  return words.slice(0, end === -1 ? words.length : end).map(word => {
    const at = word.literal.indexOf('{}');
    if (at === -1) return word;
    return {...word, literal: at === 0 ? `./${word.literal}` : word.literal, unknownAt: at === 0 ? 2 : at};
  });
}
