import {limits} from '../limits.ts';
import {next, NotUnderstood, startsWith, take, WordBuilder, type Cursor} from './shell-cursor.ts';
import {textOf, type Assignment, type Redirect, type ShellNode, type Word} from './shell-tree.ts';
import {readExpandable, readWord} from './shell-words.ts';

/** What could be read of a command line, from its beginning; `problem` says why the rest was not. */
export type ShellReading = {readonly nodes: readonly ShellNode[]; readonly problem: string | undefined};

/**
 * Reads a command line of a POSIX shell, bash or zsh: quotes, lists, pipelines, groups, substitutions, redirections,
 * here-documents, conditions and loops. It is made to refuse: what it does not know, or what the shells read differently,
 * is a problem and never a guess.
 */
export function parseShell(text: string, variables: ReadonlyMap<string, string> = new Map()): ShellReading {
  return readWhole({...cursorAt(text, variables), levelsLeft: limits.shellNestingMax});
}

function cursorAt(text: string, variables: ReadonlyMap<string, string>): Cursor {
  return {text, at: 0, pending: [], levelsLeft: 0, variables, readNested, readText};
}

function readWhole(cursor: Cursor): ShellReading {
  const nodes: ShellNode[] = [];
  try {
    refuseHidden(cursor.text);
    readList(cursor, nodes, () => false);
    if (cursor.at < cursor.text.length) throw new NotUnderstood(`${cursor.text[cursor.at] ?? ''} is out of place`);
    if (cursor.pending.length > 0) throw new NotUnderstood('a here-document does not end');
    return {nodes, problem: undefined};
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    return {nodes, problem: error.message};
  }
}

/** What a person does not see when they read the command, and what a terminal or a shell drops. */
function refuseHidden(text: string): void {
  if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\p{Cf}\u2028\u2029]/u.test(text))
    throw new NotUnderstood('the command holds a character that cannot be seen');
}

function readNested(cursor: Cursor): readonly ShellNode[] {
  const nodes: ShellNode[] = [];
  deeper(cursor, () => readList(cursor, nodes, () => startsWith(cursor, ')')));
  expect(cursor, ')');
  return nodes;
}

function readText(text: string, {variables, levelsLeft}: Cursor): readonly ShellNode[] {
  if (levelsLeft === 0) throw new NotUnderstood('the command is nested too deeply');
  const {nodes, problem} = readWhole({...cursorAt(text, variables), levelsLeft: levelsLeft - 1});
  if (problem !== undefined) throw new NotUnderstood(problem);
  return nodes;
}

function deeper<T>(cursor: Cursor, read: () => T): T {
  if (cursor.levelsLeft === 0) throw new NotUnderstood('the command is nested too deeply');
  cursor.levelsLeft -= 1;
  const result = read();
  cursor.levelsLeft += 1;
  return result;
}

function expect(cursor: Cursor, text: string): void {
  if (!startsWith(cursor, text)) throw new NotUnderstood(`${text} is missing`);
  cursor.at += text.length;
}

/** Commands with everything that may stand between them; each is added as soon as it is read. */
function readList(cursor: Cursor, nodes: ShellNode[], isEnd: () => boolean): void {
  for (;;) {
    skipLines(cursor);
    if (cursor.at >= cursor.text.length || isEnd()) return;
    nodes.push(...readPipeline(cursor));
    skipBlanks(cursor);
    const separator = take(cursor, /&&|\|\||;(?!;)|&(?!>)/y);
    if (separator === '&&' || separator === '||') {
      skipLines(cursor);
      if (cursor.at >= cursor.text.length || isEnd()) throw new NotUnderstood(`nothing follows ${separator}`);
    }
    if (separator === undefined && !startsWith(cursor, '\n')) return;
  }
}

function readPipeline(cursor: Cursor): readonly ShellNode[] {
  const nodes: ShellNode[] = [];
  do {
    skipLines(cursor);
    while (take(cursor, /(?:!|time(?:[ \t]+-p)?)(?=[ \t])/y) !== undefined) skipBlanks(cursor);
    nodes.push(readCommand(cursor));
    skipBlanks(cursor);
  } while (take(cursor, /\|&|\|(?!\|)/y) !== undefined);
  return nodes;
}

function skipBlanks(cursor: Cursor): void {
  take(cursor, /(?:[ \t]|\\\n)+/y);
  take(cursor, /#[^\n]*/y);
}

function skipLines(cursor: Cursor): void {
  for (skipBlanks(cursor); take(cursor, /\n/y) !== undefined; skipBlanks(cursor)) readHereDocuments(cursor);
}

const keyword = /(?:[{}]|\[\[|[a-z]+)(?=[\s;&|()<>]|$)/y;

function keywordAt(cursor: Cursor): string | undefined {
  keyword.lastIndex = cursor.at;
  return keyword.exec(cursor.text)?.[0];
}

const unreadable = new Set([
  ...['case', 'select', 'function', 'coproc', '[[', 'repeat', 'foreach', 'always', 'nocorrect', 'noglob'],
  ...['then', 'elif', 'else', 'fi', 'do', 'done', 'esac', 'end', '}', 'in', 'time'],
]);

function readCommand(cursor: Cursor): ShellNode {
  const word = keywordAt(cursor);
  if (word !== undefined && unreadable.has(word)) throw new NotUnderstood(`${word} is not read`);
  if (startsWith(cursor, '((')) throw new NotUnderstood('arithmetic may run commands');
  if (take(cursor, /\(/y) !== undefined) return group(cursor, readNested(cursor));
  if (word === '{') return group(cursor, block(cursor, ['{'], ['}']));
  if (word === 'if') return group(cursor, condition(cursor));
  if (word === 'while' || word === 'until')
    return group(cursor, [...block(cursor, [word], ['do'], 'stay'), ...block(cursor, ['do'], ['done'])], true);
  if (word === 'for') return group(cursor, forLoop(cursor), true);
  return readSimple(cursor);
}

function group(cursor: Cursor, nodes: readonly ShellNode[], isLoop = false): ShellNode {
  const redirects: Redirect[] = [];
  for (skipBlanks(cursor); readRedirect(cursor, redirects); skipBlanks(cursor));
  return {kind: 'group', nodes, redirects, isLoop};
}

/** The commands between a reserved word and one of those that end it. */
function block(
  cursor: Cursor,
  begins: readonly string[],
  ends: readonly string[],
  end: 'take' | 'stay' = 'take',
): readonly ShellNode[] {
  skipLines(cursor);
  const first = keywordAt(cursor);
  if (first === undefined || !begins.includes(first)) throw new NotUnderstood(`${begins.join(' or ')} is missing`);
  cursor.at += first.length;
  const nodes: ShellNode[] = [];
  deeper(cursor, () => readList(cursor, nodes, () => ends.includes(keywordAt(cursor) ?? '')));
  const last = keywordAt(cursor);
  if (last === undefined || !ends.includes(last)) throw new NotUnderstood(`${ends.join(' or ')} is missing`);
  if (end === 'take') cursor.at += last.length;
  return nodes;
}

function condition(cursor: Cursor): readonly ShellNode[] {
  const nodes = [...block(cursor, ['if'], ['then'], 'stay')];
  for (;;) {
    nodes.push(...block(cursor, ['then', 'else'], ['elif', 'else', 'fi'], 'stay'));
    const word = keywordAt(cursor);
    if (word === 'elif') nodes.push(...block(cursor, ['elif'], ['then'], 'stay'));
    if (word === 'fi') {
      cursor.at += 2;
      return nodes;
    }
  }
}

function forLoop(cursor: Cursor): readonly ShellNode[] {
  if (take(cursor, /for[ \t]+[A-Za-z_]\w*[ \t]+in(?=[ \t;\n])/y) === undefined)
    throw new NotUnderstood('a loop of this form is not read');
  const words: Word[] = [];
  for (skipBlanks(cursor); !/^[;\n]?$/.test(cursor.text[cursor.at] ?? ''); skipBlanks(cursor)) {
    const word = readWord(cursor);
    if (word.source === '') throw new NotUnderstood('a loop of this form is not read');
    words.push(word);
  }
  take(cursor, /;/y);
  // What the variable may hold, as if it were set to each.
  const values = words.map((value): Assignment => ({name: '_', value}));
  return [{kind: 'command', assignments: values, words: [], redirects: []}, ...block(cursor, ['do'], ['done'])];
}

function readSimple(cursor: Cursor): ShellNode {
  const assignments: Assignment[] = [];
  const words: Word[] = [];
  const redirects: Redirect[] = [];
  for (;;) {
    skipBlanks(cursor);
    if (readRedirect(cursor, redirects)) continue;
    const name = words.length === 0 ? take(cursor, /[A-Za-z_]\w*\+?=/y) : undefined;
    const word = readWord(cursor);
    if (startsWith(cursor, '('))
      throw new NotUnderstood('a function, a list or a pattern with parentheses is not read');
    if (name !== undefined) assignments.push({name: name.replace(/\+?=$/, ''), value: word});
    else if (word.source === '') break;
    else if (words.length === 0 && /^\w+\[/.test(word.source)) throw new NotUnderstood('an array is not read');
    else words.push(word);
  }
  if (assignments.length + words.length + redirects.length === 0) {
    const character = cursor.text[cursor.at];
    throw new NotUnderstood(character === undefined ? 'a command is missing' : `${character} is out of place`);
  }
  return {kind: 'command', assignments, words, redirects};
}

/** A redirection at the cursor, added to the others; false where none begins. */
function readRedirect(cursor: Cursor, redirects: Redirect[]): boolean {
  const operator = take(cursor, /\d*(?:<<<|<<-|<<|<>|<&|<(?!\()|>>|>\||>&|>(?!\()|&>>|&>)/y)?.replace(/^\d+/, '');
  if (operator === undefined) return false;
  skipBlanks(cursor);
  const target = readWord(cursor);
  // Zsh reads an exclamation mark as part of the operator.
  if (target.source === '' || target.source.startsWith('!')) throw new NotUnderstood(`nothing follows ${operator}`);
  if (operator === '<<' || operator === '<<-') {
    if (!/^\w[\w.-]*$/.test(textOf(target) ?? '')) throw new NotUnderstood('a here-document has an unusual end');
    const {literal: delimiter, isPlain} = target;
    const shape = {delimiter, isLiteral: !isPlain, isIndented: operator === '<<-'};
    cursor.pending.push({...shape, redirects, index: redirects.length});
  }
  redirects.push({operator, target, body: operator === '<<<' ? target : undefined});
  return true;
}

function readHereDocuments(cursor: Cursor): void {
  const {pending} = cursor;
  cursor.pending = [];
  for (const {delimiter, isLiteral, isIndented, redirects, index} of pending) {
    const lines: string[] = [];
    for (;;) {
      if (cursor.at >= cursor.text.length) throw new NotUnderstood('a here-document does not end');
      const raw = take(cursor, /[^\n]*/y) ?? '';
      if (cursor.at < cursor.text.length) next(cursor);
      const line = isIndented ? raw.replace(/^\t+/, '') : raw;
      if (line === delimiter) break;
      // The shell joins it with the next line before it looks for the end.
      if (!isLiteral && line.endsWith('\\')) throw new NotUnderstood('a here-document continues a line');
      lines.push(line);
    }
    const redirect = redirects[index];
    if (redirect !== undefined)
      redirects[index] = {
        ...redirect,
        body: hereDocumentBody(cursor, lines.map(line => `${line}\n`).join(''), isLiteral),
      };
  }
}

function hereDocumentBody(cursor: Cursor, text: string, isLiteral: boolean): Word {
  const word = new WordBuilder();
  if (isLiteral) word.addQuoted(text);
  else readExpandable({...cursor, text, at: 0, pending: []}, word, undefined);
  return word.word(text);
}
