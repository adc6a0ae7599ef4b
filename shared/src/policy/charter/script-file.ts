import type {Act, Command} from './act.ts';
import {placeOf, type Place} from './place.ts';
import {commandOf} from './program-acts.ts';
import type {Reader} from './reader.ts';
import {unknownWord, type Word} from './shell-tree.ts';

/** The names under which a program finds its own input. */
export function isOwnInput(path: string): boolean {
  return /^\/(?:dev\/(?:stdin|fd\/\d+)|proc\/[^/]+\/fd\/\d+)$/.test(path);
}

/** A shell that reads its commands from a file: the first word is its name. */
export function readScriptFile(words: readonly Word[], reader: Reader): readonly Act[] {
  const file = placeOf(words[0] ?? unknownWord(''), reader.folders, reader.scene);
  const command = commandOf({program: 'sh', isTrusted: false, words}, reader);
  return [...runsFile(command, file, reader), {kind: 'read', place: file, command, isSure: true}];
}

/** A program that is a file of its own and none of the system's. */
export function runsFile(command: Command, file: Place, reader: Reader): readonly Act[] {
  return [{kind: 'run', command, file, isSure: true}, ...commandsIn(file, reader)];
}

/**
 * What a file of commands holds at this moment. It may be another one when it runs, and what is not understood of it is
 * no more than usual, so that it raises a question and refuses nothing.
 */
function commandsIn({paths, isKnown, isPattern}: Place, reader: Reader): readonly Act[] {
  const {readText} = reader.scene;
  if (readText === undefined || !isKnown || isPattern || reader.guessesLeft === 0) return [];
  return [...new Set(paths)].flatMap(path => {
    const text = readText(path);
    return text === undefined || !isOfAShell(text) ? [] : supposed(text, reader);
  });
}

/** Commands of which it is not sure that they run. */
export function supposed(text: string, reader: Reader): readonly Act[] {
  const inner = {...reader, guessesLeft: reader.guessesLeft - 1};
  return reader.readScript(text, inner).flatMap(act => (act.kind === 'other' ? [] : [{...act, isSure: false}]));
}

function isOfAShell(text: string): boolean {
  return !text.startsWith('#!') || /^#!\S*(?:\/|env\s+(?:-\S+\s+)*)(?:ba|da|z|k|a)?sh\b/.test(text);
}
