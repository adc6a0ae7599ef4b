import type {Act} from './act.ts';
import type {Folders, Scene} from './place.ts';
import type {Word} from './shell-tree.ts';

/** Everything that is known while the commands of one call are read, in order. */
export type Reader = {
  readonly scene: Scene;
  readonly variables: ReadonlyMap<string, string>;
  /** Grows with every `cd`: the command may have failed, so the folder before it stays possible. */
  folders: Folders;
  /** The programs that start what is read, outermost first. */
  readonly through: readonly string[];
  /** The text on the standard input of the command that is read, where it is known. */
  readonly input: string | undefined;
  readonly levelsLeft: number;
  /** How often words of an unknown program may still be read as if it ran them. */
  readonly guessesLeft: number;
  /** Shared by all readers of one call. */
  readonly budget: {left: number};
  readonly isLoop: boolean;
  /** What is printed becomes a word of another command. */
  readonly isValue: boolean;
  /** The places that these words mean were found already, when they were those of another program. */
  readonly isNamed: boolean;
  /** Reads a text inside of another command. */
  readonly readScript: (text: string, reader: Reader) => readonly Act[];
  /** Reads one program with its words, as if the shell had started it. */
  readonly readWords: (words: readonly Word[], reader: Reader) => readonly Act[];
};
