import {unseen, type Act} from './act.ts';
import {placeOf} from './place.ts';
import type {Reader} from './reader.ts';
import {plainWord, type Word} from './shell-tree.ts';

const wordsMax = 256;
/** What may stand before a path in one word: an option, a name, and what programs read as "the content of". */
const before = [
  /^-{1,2}[\w-]+=/,
  /^-[A-Za-z]/,
  /^-[A-Za-z]+(?=[.~/])/,
  /^[\w.-]+=/,
  /^[^@]*@/,
  /^file:(?:\/\/)?/i,
  /^.*:/,
];

/**
 * The places that words may mean to a program of which nothing is known. It may read there, write there or only print the
 * name, so they raise a question and refuse nothing. What a variable holds was named where it was set.
 */
export function namedPlaces(words: readonly Word[], {folders, scene, isNamed}: Reader): readonly Act[] {
  if (isNamed) return [];
  const seen = words.filter(({unknownAt}) => unknownAt !== 0);
  const acts = seen
    .slice(0, wordsMax)
    .flatMap(word =>
      formsOf(word).map((form): Act => ({kind: 'names', place: placeOf(form, folders, scene), isSure: false})),
    );
  return seen.length > wordsMax ? [...acts, unseen('the command has too many words')] : acts;
}

/** The word with and without what may stand before a path in it, and what code in it puts in quotes. */
export function formsOf(word: Word): readonly Word[] {
  const starts = before.flatMap(pattern => pattern.exec(word.literal)?.[0].length ?? []);
  const inQuotes = [...word.literal.matchAll(/['"`]([^'"`\s]+)['"`]/g)].flatMap(([, text = '']) => plainWord(text));
  return [...[0, ...new Set(starts)].map(at => behind(word, at)), ...inQuotes].filter(
    ({literal}) => literal !== '' && literal !== '-',
  );
}

/** The same word without its first characters. */
function behind(word: Word, at: number): Word {
  const left = (place: number | undefined): number | undefined =>
    place === undefined ? undefined : Math.max(0, place - at);
  return {...word, literal: word.literal.slice(at), unknownAt: left(word.unknownAt), globAt: left(word.globAt)};
}
