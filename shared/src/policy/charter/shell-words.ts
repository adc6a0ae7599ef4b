import {next, NotUnderstood, startsWith, take, WordBuilder, type Cursor} from './shell-cursor.ts';
import type {Word} from './shell-tree.ts';

/** Ends a word unless it is quoted. */
const metacharacters = new Set([' ', '\t', '\n', ';', '&', '|', '<', '>', '(', ')']);

/** The word at the cursor; the empty word where none begins. */
export function readWord(cursor: Cursor): Word {
  const from = cursor.at;
  const word = new WordBuilder();
  // Zsh takes `=name` for the path of a program.
  if (startsWith(cursor, '=')) word.addUnknown();
  while (cursor.at < cursor.text.length) {
    const isSubstitution = take(cursor, /[<>]\(/y) !== undefined;
    if (isSubstitution) {
      word.addUnknown(cursor.readNested(cursor));
      continue;
    }
    if (metacharacters.has(cursor.text[cursor.at] ?? '')) break;
    readPiece(cursor, word);
  }
  return word.word(cursor.text.slice(from, cursor.at));
}

function readPiece(cursor: Cursor, word: WordBuilder): void {
  const character = next(cursor);
  switch (character) {
    case '\\':
      return readEscape(cursor, word);
    case "'":
      return word.addQuoted(readUntilQuote(cursor));
    case '"':
      word.addQuoted('');
      readExpandable(cursor, word, '"');
      return;
    case '$':
      return readDollar(cursor, word, false);
    case '`':
      return readBackticks(cursor, word);
    case '*':
    case '?':
    case '[':
      return word.addGlob(character);
    case '{':
      return readBrace(cursor, word);
    case '}':
      return word.addClosingBrace();
    case '~':
      return readTilde(cursor, word);
    default:
      return word.add(character);
  }
}

function readEscape(cursor: Cursor, word: WordBuilder): void {
  const escaped = next(cursor);
  // It may join two parts to a name, a number or an operator that neither is.
  if (escaped === '\n') throw new NotUnderstood('a word goes on in the next line');
  word.addQuoted(escaped);
}

function readUntilQuote(cursor: Cursor): string {
  const end = cursor.text.indexOf("'", cursor.at);
  if (end === -1) throw new NotUnderstood('a single quote is not closed');
  const text = cursor.text.slice(cursor.at, end);
  cursor.at = end + 1;
  return text;
}

/** Text in which `$` and backticks work: up to the double quote, or to the end for a here-document. */
export function readExpandable(cursor: Cursor, word: WordBuilder, end: '"' | undefined): void {
  while (cursor.at < cursor.text.length) {
    const character = next(cursor);
    if (character === end) return;
    if (character === '$') readDollar(cursor, word, true);
    else if (character === '`') readBackticks(cursor, word);
    else if (character === '\\') word.addQuoted(readQuotedEscape(cursor, end));
    else word.addQuoted(character);
  }
  if (end !== undefined) throw new NotUnderstood('a double quote is not closed');
}

function readQuotedEscape(cursor: Cursor, end: '"' | undefined): string {
  const escaped = next(cursor);
  if (escaped === '\n') return '';
  return escaped === '$' || escaped === '`' || escaped === '\\' || escaped === end ? escaped : `\\${escaped}`;
}

function readDollar(cursor: Cursor, word: WordBuilder, isQuoted: boolean): void {
  if (startsWith(cursor, '((') || startsWith(cursor, '[')) throw new NotUnderstood('arithmetic may run commands');
  if (take(cursor, /\(/y) !== undefined) return word.addUnknown(cursor.readNested(cursor));
  const name = take(cursor, /\{(?:[A-Za-z_]\w*|[0-9@*#?$!-])\}|[A-Za-z_]\w*|[0-9@*#?$!-]/y);
  if (name !== undefined) return addVariable(cursor, word, {name: name.replaceAll(/[{}]/g, ''), isQuoted});
  if (startsWith(cursor, '{')) throw new NotUnderstood('an expansion with an operator may run commands');
  if (!isQuoted && take(cursor, /'/y) !== undefined) return word.addQuoted(readAnsiQuoted(cursor));
  // A translated string, or an expansion that only some shells know.
  const isAlone = /[\s;&|<>()/.]|$/y;
  isAlone.lastIndex = cursor.at;
  if (isAlone.test(cursor.text) || (isQuoted && startsWith(cursor, '"'))) return word.addQuoted('$');
  word.addUnknown();
}

function addVariable(
  cursor: Cursor,
  word: WordBuilder,
  {name, isQuoted}: {readonly name: string; readonly isQuoted: boolean},
): void {
  const value = cursor.variables.get(name);
  if (startsWith(cursor, '\\\n')) throw new NotUnderstood('a name goes on in the next line');
  const isOneWord = value !== undefined && (isQuoted || /^[\w@%+=:,./-]+$/.test(value));
  if (isOneWord) word.addQuoted(value);
  else word.addVariable(name);
}

function readBackticks(cursor: Cursor, word: WordBuilder): void {
  let text = '';
  for (let character = next(cursor); character !== '`'; character = next(cursor)) {
    const escaped = character === '\\' ? next(cursor) : undefined;
    text += escaped === undefined ? character : '`\\$'.includes(escaped) ? escaped : `\\${escaped}`;
  }
  word.addUnknown(cursor.readText(text, cursor));
}

/** `{}` and `@{1}` stand for themselves; a brace with a comma or dots becomes several words. */
function readBrace(cursor: Cursor, word: WordBuilder): void {
  const inner = take(cursor, /[\w-]*\}/y);
  if (inner === undefined) word.addUnknown();
  else word.addWholeBrace(`{${inner}`);
}

function readTilde(cursor: Cursor, word: WordBuilder): void {
  const isFirst = word.literal === '' && word.isPlain;
  const isAlone = /[\s;&|<>()/]|$/y;
  isAlone.lastIndex = cursor.at;
  if (isFirst && isAlone.test(cursor.text)) return addVariable(cursor, word, {name: 'HOME', isQuoted: true});
  // The home of somebody else, or a path behind `name=`.
  if (isFirst || /[=:]$/.test(word.literal)) return word.addUnknown();
  word.add('~');
}

const ansiCharacters: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  e: '\u001b',
  E: '\u001b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '?': '?',
};

/** The text of `$'...'` behind its first quote. */
function readAnsiQuoted(cursor: Cursor): string {
  let text = '';
  for (let character = next(cursor); character !== "'"; character = next(cursor))
    text += character === '\\' ? readAnsiEscape(cursor) : character;
  return text;
}

function readAnsiEscape(cursor: Cursor): string {
  const code =
    take(cursor, /x[0-9a-fA-F]{1,2}/y) ?? take(cursor, /u[0-9a-fA-F]{1,4}/y) ?? take(cursor, /U[0-9a-fA-F]{1,8}/y);
  const octal = code === undefined ? take(cursor, /[0-7]{1,3}/y) : undefined;
  const number = code === undefined ? octal && Number.parseInt(octal, 8) : Number.parseInt(code.slice(1), 16);
  if (number === undefined || number === '') {
    const plain = ansiCharacters[next(cursor)];
    if (plain === undefined) throw new NotUnderstood('an escape in a quoted text is not known');
    return plain;
  }
  // A zero ends the word early, and what is not ASCII depends on the locale.
  if (number === 0 || number > 0x7e) throw new NotUnderstood('an escape in a quoted text hides a character');
  return String.fromCodePoint(number);
}
