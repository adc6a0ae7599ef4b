import type {GitAction} from './git-action.ts';
import type {Place} from './place.ts';
import type {Word} from './shell-tree.ts';

/** One program with its words, as it would be started. */
export type Command = {
  /** The name without its folder, in small letters: some file systems do not tell them apart. */
  readonly program: string;
  /** Found on the PATH or in a folder of the system, so that the name means what it says. */
  readonly isTrusted: boolean;
  /** The words behind the name. */
  readonly words: readonly Word[];
  /** The programs that start it, outermost first: `sudo`, `env`, `xargs`. */
  readonly through: readonly string[];
  /** The folder it starts in. */
  readonly place: Place;
};

type Deed =
  /** A program runs, and what it does is not known from its words. */
  | {
      readonly kind: 'run';
      readonly command: Command;
      /** The file that holds what runs, where it is none of the system's. */
      readonly file?: Place | undefined;
    }
  | {
      readonly kind: 'read' | 'write';
      readonly place: Place;
      /** With what the folder holds: all, all but hidden files, or what git keeps of it. */
      readonly inside?: 'all' | 'shown' | 'tracked' | undefined;
      readonly command?: Command | undefined;
    }
  /** A word that is the name of a place, for a program of which nobody knows whether it reads or writes there. */
  | {readonly kind: 'names'; readonly place: Place}
  | {
      readonly kind: 'delete';
      readonly place: Place;
      /** With everything inside; undefined when an unseen word decides. */
      readonly isRecursive: boolean | undefined;
      readonly command?: Command | undefined;
    }
  | {readonly kind: 'git'; readonly action: GitAction; readonly command: Command}
  /** `host` is undefined where the words do not show it. */
  | {readonly kind: 'connect'; readonly host: string | undefined; readonly command?: Command | undefined}
  /** Something that no rule but one for the whole tool describes. */
  | {readonly kind: 'other'}
  /** It cannot be said what happens. */
  | {readonly kind: 'unseen'; readonly why: string};

/** One thing that a call would do. */
export type Act = Deed & {
  /** False for what a program does with its words only perhaps: such an act can raise a question and refuses nothing. */
  readonly isSure: boolean;
};

/** What an agent asks to do: a tool by name with its input. */
export type ToolCall = {readonly tool: string; readonly input: Readonly<Record<string, unknown>>};

export function unseen(why: string): Act {
  return {kind: 'unseen', why, isSure: true};
}
