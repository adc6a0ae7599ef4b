import {effectOfVariable} from './environment-rules.ts';
import {unseen, type Act, type Command} from './act.ts';
import {placeOf} from './place.ts';
import {namedPlaces} from './named-places.ts';
import type {Reader} from './reader.ts';
import {plainWord, textOf, type Word} from './shell-tree.ts';

/** How a program with these words is read; the words are those behind its name. */
export type Read = (words: readonly Word[], reader: Reader) => readonly Act[];

export type Named = {readonly program: string; readonly isTrusted: boolean; readonly words: readonly Word[]};

export function commandOf(named: Named, {folders, scene, through}: Reader): Command {
  return {...named, through, place: placeOf(plainWord('.'), folders, scene)};
}

export function runOf(named: Named, reader: Reader): Act {
  return {kind: 'run', command: commandOf(named, reader), isSure: true};
}

/** A variable that is set for a command, or for all that follow. */
export function readVariable(name: string): readonly Act[] {
  const effect = effectOfVariable(name);
  if (effect === 'decides') return [unseen(`the variable ${name} decides what runs`)];
  return effect === 'none' ? [] : [{kind: 'other', isSure: true}];
}

const wordsMax = 64;
/** What may stand before a command line in one word. */
const prefix = /^(?:(?:--?)?[\w.-]+=|-[A-Za-z](?=[^\w-])|-O|\+?!|@)+/;
/** A word that a shell would not take for one plain word. */
const commandText = /[\s;&|<>(){}$`*?]/;

/**
 * A program that is not known may run the words behind it, or one of them as a command line. What they would do is found,
 * so that a refused command cannot hide behind such a program; it only raises a question, because they may be mere text.
 */
export function perhaps(words: readonly Word[], reader: Reader): readonly Act[] {
  const {guessesLeft} = reader;
  const places = namedPlaces(words, reader);
  const hasText = words.some(({literal}) => commandText.test(literal));
  if (guessesLeft === 0)
    return hasText ? [...places, {...unseen('a text is hidden too deeply'), isSure: false}] : places;
  const guess = (left: number, isNamed: boolean): Reader => ({...reader, guessesLeft: left, isNamed});
  const acts = words.slice(0, wordsMax).flatMap((word, index) => {
    const text = textOf(word) ?? word.literal;
    const script = text.replace(prefix, '');
    const asProgram = /^[\w./]/.test(text) ? reader.readWords(words.slice(index), guess(0, true)) : [];
    const asScript = commandText.test(script) ? reader.readScript(script, guess(guessesLeft - 1, false)) : [];
    return [...asProgram, ...asScript];
  });
  return [...places, ...acts.flatMap(act => (act.kind === 'other' ? [] : [{...act, isSure: false}]))];
}
