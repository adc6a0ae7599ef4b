import {expect, test} from 'vitest';
import {linePrinter, rawPrinter} from '../../../runner/src/commands/log-lines.ts';
import {terminal, wantsColour, type Stream} from '../../../runner/src/commands/terminal.ts';

type Written = Stream & {readonly text: () => string};

function stream(isTTY: boolean, columns = 60): Written {
  const parts: string[] = [];
  const decoder = new TextDecoder();
  return {
    isTTY,
    columns,
    write: part => parts.push(typeof part === 'string' ? part : decoder.decode(part)),
    text: () => parts.join(''),
  };
}

test.for([
  [true, {}, true],
  [false, {}, false],
  [true, {NO_COLOR: '1'}, false],
  [true, {NO_COLOR: ''}, true],
  [true, {TERM: 'dumb'}, false],
] as const)('[CL5] a terminal %s with %j gets colour: %s', ([isTTY, env, expected]) => {
  const out = stream(isTTY);
  expect(wantsColour(out, env)).toBe(expected);
  const painted = terminal({out, err: out}, env).paint('red', 'x');
  expect(painted.includes('\u001b[')).toBe(expected);
});

test.for([
  [true, 60, 60],
  [true, 0, 80],
  [false, 60, undefined],
] as const)('[CL3] a terminal %s of %d columns is written %s wide', ([isTTY, columns, expected]) => {
  const out = stream(isTTY, columns);
  expect(terminal({out, err: out}, {}).columns).toBe(expected);
});

test('[CL6] progress is a line per step on standard error where nothing can be redrawn, and standard output stays clean', () => {
  const [out, err] = [stream(false), stream(false)];
  const progress = terminal({out, err}, {}).progress('Starting');
  progress.update('Starting runner');
  progress.end();
  expect(err.text()).toBe('Starting\nStarting runner\n');
  expect(out.text()).toBe('');
});

test('[CL6] progress on a terminal leaves no trace when it ends', () => {
  const [out, err] = [stream(true), stream(true)];
  const progress = terminal({out, err}, {}).progress('Starting');
  progress.end();
  expect(err.text().endsWith('\r\u001b[2K')).toBe(true);
  expect(out.text()).toBe('');
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('[CL7] for a person the events of an agent are put into words, and every other line is shown as it is', () => {
  const out = stream(true, 40);
  const printer = linePrinter(terminal({out, err: out}, {NO_COLOR: '1'}));
  printer.push(bytes('{"type":"agent_mess'));
  printer.push(bytes('age","text":"hello"}\nplain ä'));
  printer.push(bytes(' line\n{"type":"tool_call_update","title":"node --test","status":"failed"}\n{broken\nno end'));
  printer.end();
  expect(out.text().split('\n')).toEqual(['● hello', 'plain ä line', '✗ node --test', '{broken', 'no end', '']);
});

test('[CL7] a pipe gets the bytes of the log as they are', () => {
  const out = stream(false);
  const printer = rawPrinter(terminal({out, err: out}, {}));
  printer.push(bytes('{"type":"agent_message","text":"x"}\n\u001b[31mred'));
  printer.end();
  expect(out.text()).toBe('{"type":"agent_message","text":"x"}\n\u001b[31mred');
});

test('[CL4] a log cannot take over the terminal of a person who watches', () => {
  const out = stream(true);
  const printer = linePrinter(terminal({out, err: out}, {NO_COLOR: '1'}));
  printer.push(bytes('\u001b]52;c;c3RvbGVu\u0007\u001b[2J{"x"\n{"type":"agent_message","text":"\\u001b[2Jhi"}\n'));
  printer.end();
  expect(out.text()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});
