/**
 * The instructions that the bundled agent understands, one per line of the prompt:
 *
 *   write docs/NOTES.md: text          create or replace a file
 *   append README.md: text             add a line
 *   replace src/a.js: old => new       replace every occurrence; failing to find one is an error
 *   run: node --test                   run a program (words separated by spaces) and show what it prints
 *   say: text                          report progress
 *   wait: 500                          milliseconds
 *   await message                      wait for a message from a person
 *
 * `\n` in a text is a new line. Lines that are none of these are read as plain language and only repeated.
 */
export type Instruction =
  | {readonly kind: 'write' | 'append'; readonly path: string; readonly text: string}
  | {readonly kind: 'replace'; readonly path: string; readonly from: string; readonly to: string}
  | {readonly kind: 'run'; readonly argv: readonly string[]}
  | {readonly kind: 'say'; readonly text: string}
  | {readonly kind: 'wait'; readonly ms: number}
  | {readonly kind: 'await'};

const WAIT_MS_MAX = 3_600_000;
const unescape = (text: string): string => text.replaceAll(String.raw`\n`, '\n');

export function parseScript(prompt: string): readonly Instruction[] {
  return prompt.split('\n').flatMap(line => {
    const instruction = parseLine(line.trim());
    return instruction === undefined ? [] : [instruction];
  });
}

function parseLine(line: string): Instruction | undefined {
  const file = /^(write|append|replace) ([^\s:]+): (.+)$/.exec(line);
  if (file !== null) return parseFileLine(file[1] ?? '', file[2] ?? '', file[3] ?? '');
  const run = /^run: (\S.*)$/.exec(line)?.[1];
  if (run !== undefined) return {kind: 'run', argv: run.split(/\s+/)};
  const say = /^say: (\S.*)$/.exec(line)?.[1];
  if (say !== undefined) return {kind: 'say', text: say};
  const wait = /^wait: (\d{1,7})$/.exec(line)?.[1];
  if (wait !== undefined) return {kind: 'wait', ms: Math.min(Number(wait), WAIT_MS_MAX)};
  return line === 'await message' ? {kind: 'await'} : undefined;
}

function parseFileLine(verb: string, path: string, text: string): Instruction | undefined {
  if (verb === 'write' || verb === 'append') return {kind: verb, path, text: unescape(text)};
  const [from, to] = text.split(' => ', 2);
  return from === undefined || to === undefined
    ? undefined
    : {kind: 'replace', path, from: unescape(from), to: unescape(to)};
}
