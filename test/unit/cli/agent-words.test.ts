import {expect, test} from 'vitest';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {logPrinter} from '../../../runner/src/commands/log-lines.ts';
import {terminal} from '../../../runner/src/commands/terminal.ts';
import {line} from '../agent/claude/lines.ts';

function shown(lines: readonly (object | string)[], {isRaw = false, isTTY = true} = {}): string {
  let text = '';
  const out = {
    isTTY,
    columns: 80,
    write: (part: string | Uint8Array) => (text += typeof part === 'string' ? part : new TextDecoder().decode(part)),
  };
  const spec = taskSpecSchema.parse({prompt: 'x', agent: {driver: 'claude'}});
  const printer = logPrinter(terminal({out, err: out}, {NO_COLOR: '1'}), isRaw, spec);
  for (const each of lines) {
    const whole = typeof each === 'string' ? each : JSON.stringify(each);
    printer.push(new TextEncoder().encode(`${whole}\n`));
  }
  printer.end();
  return text;
}

const conversation = [
  '[switchyard] starting the agent (claude)',
  line.initialized,
  line.message('u', 'started'),
  line.init,
  line.says('I will write the file.\nThen I commit.'),
  line.calls('t1', 'Bash', {command: 'git commit -m "a\u001b[2Jb"'}),
  line.hook('r1', 't1', {tool: 'Bash', input: {}}),
  line.result('t1', 'Exit code 128', true),
  line.turn(),
  '{"not":"ours"',
];

test('[CL27] the wire format of an agent is put into words, and what is for programs alone is left out', () => {
  expect(shown(conversation).split('\n')).toEqual([
    '[switchyard] starting the agent (claude)',
    '● claude 2.1.329 opus',
    '● I will write the file.',
    '● Then I commit.',
    String.raw`▸ Bash git commit -m "a\u001b[2Jb"`,
    '✗ Exit code 128',
    '  3405 tokens in, 64 out, about $0.0200',
    '{"not":"ours"',
    '',
  ]);
});

test.for([
  {isRaw: true, isTTY: true},
  {isRaw: false, isTTY: false},
])('[CL27] --raw and a pipe get the bytes: $isRaw $isTTY', how => {
  const lines = [line.init, line.says('x')];
  expect(shown(lines, how)).toBe(lines.map(each => `${JSON.stringify(each)}\n`).join(''));
});
