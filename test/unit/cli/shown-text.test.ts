import {expect, test} from 'vitest';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {logPrinter} from '../../../runner/src/commands/log-lines.ts';
import {shellWord} from '../../../runner/src/commands/shell-word.ts';
import {oneLine, shownLines} from '../../../runner/src/commands/shown-text.ts';
import {terminal, type Stream} from '../../../runner/src/commands/terminal.ts';
import {outcomeLines} from '../../../runner/src/commands/watch-task.ts';

type Written = Stream & {readonly text: () => string};

function stream(isTTY: boolean): Written {
  const parts: string[] = [];
  const write = (part: string | Uint8Array): unknown =>
    parts.push(typeof part === 'string' ? part : new TextDecoder().decode(part));
  return {isTTY, columns: 200, write, text: () => parts.join('')};
}

test.for([
  ['\u001b]52;c;c3RvbGVu\u0007', '\\u001b]52;c;c3RvbGVu\\u0007'],
  ['a\u001b[31mred\u001b[0m\u001b[2J', 'ared\\u001b[2J'],
  ['\u009b2J', '\\u009b2J'],
  ['safe\u202egnp.exe', 'safe\\u202egnp.exe'],
  ['a\u200bb\u{e0041}', 'a\\u200bb\\udb40\\udc41'],
  ['blank\u3164\u2800\uffa0', 'blank\\u3164\\u2800\\uffa0'],
  ['line\u2028break', 'line\\u2028break'],
  ['one\r\ntwo\tthree', 'one two three'],
  ['👩‍👩‍👧 äöü 漢字', '👩‍👩‍👧 äöü 漢字'],
] as const)('[SE1] %j is shown as %s', ([text, shown]) => {
  expect(oneLine(text)).toBe(shown);
});

test('[SE1] a terminal obeys no control of a line but our colours; a pipe gets the line as it is', () => {
  const [screen, pipe] = [stream(true), stream(false)];
  const line = '\u001b[31mred\u001b[39m \u001b]0;owned\u0007\u001b[8;1;1t\ttab';
  terminal({out: screen, err: screen}, {}).out(line);
  terminal({out: screen, err: screen}, {}).err(line);
  terminal({out: pipe, err: pipe}, {}).out(line);
  const shown = '\u001b[31mred\u001b[39m \\u001b]0;owned\\u0007\\u001b[8;1;1t\ttab\n';
  expect(screen.text()).toBe(shown.repeat(2));
  expect(pipe.text()).toBe(`${line}\n`);
});

test('[SE1] a log is printed as it is to a pipe and on demand, else without its controls', () => {
  const bytes = new TextEncoder().encode('\u001b[2J\u001b]8;;http://x\u0007link\n{"type":"\\u001b[2Jx"}\n');
  const printed = (isTTY: boolean, isRaw: boolean): string => {
    const out = stream(isTTY);
    const printer = logPrinter(terminal({out, err: out}, {NO_COLOR: '1'}), isRaw);
    printer.push(bytes);
    printer.end();
    return out.text();
  };
  expect(printed(true, false)).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  expect(printed(true, true)).toBe(new TextDecoder().decode(bytes));
  expect(printed(false, false)).toBe(new TextDecoder().decode(bytes));
});

test('[SE2] JSON with controls is shown without them and reads the same', () => {
  const value = {title: '\u001b[2J\u009b31m\u202e\u007f', plain: 'ä'};
  const shown = shownLines(JSON.stringify(value));
  expect(shown).not.toMatch(/[\u007f-\u009f\u202e]/);
  expect(JSON.parse(shown)).toEqual(value);
});

const hostile = {
  id: 'tsk_x',
  state: 'succeeded',
  failures: [],
  created_ms: 0,
  finished_ms: 1,
  spec: {repository: {url: "file:///tmp/a;touch%20owned;'"}},
  result: {
    log_bytes: 0,
    git: {branch: '$(touch owned)\u001b[2J', head_sha: 'a'.repeat(40), files_changed: 1, insertions: 1, deletions: 1},
  },
};

test('[SE3] the command to look at a result quotes the directory and the branch', () => {
  const lines = outcomeLines(hostile as unknown as TaskView, {paint: (_, text) => text});
  expect(lines.at(-1)).toContain(`git -C '/tmp/a;touch owned;'\\'''`);
  expect(lines.at(-1)).toContain(`show '$(touch owned)`);
  expect(shellWord('switchyard/tsk_1/e1')).toBe('switchyard/tsk_1/e1');
});

test('[SE1] what failed is told on one line', () => {
  const failure = {code: 'agent_failed', detail: 'no\n\u001b]0;x\u0007', hint: 'h'};
  const task = {...hostile, state: 'failed', result: null, failures: [failure]} as unknown as TaskView;
  expect(outcomeLines(task, {paint: (_, text) => text}).join('\n')).toContain('agent_failed: no \\u001b]0;x\\u0007');
});
