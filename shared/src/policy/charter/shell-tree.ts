/**
 * What the shell makes of one word, as far as the text alone says. `literal` holds the characters that are sure; from
 * `unknownAt` on the word depends on something that only the shell sees (a variable, the output of a command, a brace).
 */
export type Word = {
  /** As it was written. */
  readonly source: string;
  readonly literal: string;
  readonly unknownAt: number | undefined;
  /** Where the first character stands that the shell matches against file names. */
  readonly globAt: number | undefined;
  /** Without quotes, escapes and expansions: only such a word can be reserved or an assignment. */
  readonly isPlain: boolean;
  /** The commands that run while the word is made: command and process substitutions. */
  readonly scripts: readonly ShellNode[];
  /** The variables whose values nobody sees. */
  readonly variables: readonly string[];
};

export type Redirect = {
  readonly operator: string;
  readonly target: Word;
  /** The text that a here-document or here-string gives to the command. */
  readonly body: Word | undefined;
};

export type Assignment = {readonly name: string; readonly value: Word};

export type SimpleCommand = {
  readonly kind: 'command';
  readonly assignments: readonly Assignment[];
  readonly words: readonly Word[];
  readonly redirects: readonly Redirect[];
};

/**
 * Commands that belong together: a list, a pipeline, a subshell, a condition or a loop. Which of them may be skipped does
 * not matter here: every one of them might run.
 */
export type CommandGroup = {
  readonly kind: 'group';
  readonly nodes: readonly ShellNode[];
  readonly redirects: readonly Redirect[];
  /** May run more than once, so that what depends on the step before is unknown. */
  readonly isLoop: boolean;
};

export type ShellNode = SimpleCommand | CommandGroup;

/** The word as the shell hands it to the program; undefined where that depends on something unseen. */
export function textOf({literal, unknownAt, globAt}: Word): string | undefined {
  return unknownAt === undefined && globAt === undefined ? literal : undefined;
}

/** A word that stands for itself. */
export function plainWord(text: string): Word {
  return {
    source: text,
    literal: text,
    unknownAt: undefined,
    globAt: undefined,
    isPlain: true,
    scripts: [],
    variables: [],
  };
}

/** Words of which nothing is known, as many as there may be. */
export function unknownWord(source: string): Word {
  return {source, literal: '', unknownAt: 0, globAt: undefined, isPlain: false, scripts: [], variables: []};
}
