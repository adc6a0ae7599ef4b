import type {Redirect, ShellNode, Word} from './shell-tree.ts';

/** The text holds something of which this reader cannot say what a shell would do. It never leaves the parser. */
export class NotUnderstood extends Error {
  override readonly name = 'NotUnderstood';
}

export type HereDocument = {
  readonly delimiter: string;
  readonly isLiteral: boolean;
  readonly isIndented: boolean;
  readonly redirects: Redirect[];
  readonly index: number;
};

/** Where a reader stands in a text. One cursor is shared by all that read the same text. */
export type Cursor = {
  readonly text: string;
  at: number;
  /** Here-documents whose bodies begin at the next line. */
  pending: HereDocument[];
  /** How many levels of nesting may still be opened. */
  levelsLeft: number;
  /** Variables whose value is sure. */
  readonly variables: ReadonlyMap<string, string>;
  /** Reads commands up to the closing parenthesis; the cursor then stands behind it. */
  readonly readNested: (cursor: Cursor) => readonly ShellNode[];
  /** Reads a text of its own, with the same variables and one level less. */
  readonly readText: (text: string, cursor: Cursor) => readonly ShellNode[];
};

export function startsWith(cursor: Cursor, text: string): boolean {
  return cursor.text.startsWith(text, cursor.at);
}

/** What a sticky pattern finds here; the cursor moves behind it. */
export function take(cursor: Cursor, pattern: RegExp): string | undefined {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.text)?.[0];
  if (found !== undefined) cursor.at += found.length;
  return found;
}

/** The character here; the cursor moves behind it. */
export function next(cursor: Cursor): string {
  const character = cursor.text[cursor.at];
  if (character === undefined) throw new NotUnderstood('the command ends in the middle of a word');
  cursor.at += 1;
  return character;
}

/** Collects a word piece by piece. */
export class WordBuilder {
  literal = '';
  isPlain = true;
  #unknownAt: number | undefined;
  #globAt: number | undefined;
  #hasWholeBrace = false;
  readonly #scripts: ShellNode[] = [];
  readonly #variables: string[] = [];

  add(text: string): void {
    this.literal += text;
  }

  addQuoted(text: string): void {
    this.isPlain = false;
    this.literal += text;
  }

  addGlob(character: string): void {
    this.#globAt ??= this.literal.length;
    this.literal += character;
  }

  /** A brace that stands for itself, as far as it goes. */
  addWholeBrace(text: string): void {
    this.#hasWholeBrace = true;
    this.add(text);
  }

  /** Bash pairs an opening brace with the first closing one behind a comma: `{a},b}` is two words. */
  addClosingBrace(): void {
    if (this.#hasWholeBrace) this.addUnknown();
    else this.add('}');
  }

  addUnknown(scripts: readonly ShellNode[] = []): void {
    this.isPlain = false;
    this.#unknownAt ??= this.literal.length;
    this.#scripts.push(...scripts);
  }

  addVariable(name: string): void {
    this.addUnknown();
    this.#variables.push(name);
  }

  word(source: string): Word {
    return {
      source,
      literal: this.literal,
      unknownAt: this.#unknownAt,
      globAt: this.#globAt,
      isPlain: this.isPlain,
      scripts: this.#scripts,
      variables: this.#variables,
    };
  }
}
