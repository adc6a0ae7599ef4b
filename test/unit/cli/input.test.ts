import {PassThrough} from 'node:stream';
import {expect, test} from 'vitest';
import {askSecret} from '../../../runner/src/commands/input.ts';
import {UsageError} from '../../../runner/src/commands/usage-error.ts';

/** Streams of a terminal on which a person types. */
function terminal(isTTY = true) {
  const [stdin, stderr] = [new PassThrough(), new PassThrough()];
  return {stdin: Object.assign(stdin, {isTTY}), stderr: Object.assign(stderr, {isTTY})};
}

test('[IP6] what is typed is taken and shown nowhere', async () => {
  const {stdin, stderr} = terminal();
  const asked = askSecret({stdin, stderr}, 'Key: ');
  stdin.write('sk-1\r');
  expect(await asked).toBe('sk-1');
  expect(String(stderr.read())).toBe('Key: \n');
});

test.for([
  {name: 'Ctrl-C', typed: 'abc\u0003'},
  {name: 'Ctrl-D', typed: '\u0004'},
])('[IP6] $name at a question is a wrong call that says so', async ({typed}) => {
  const {stdin, stderr} = terminal();
  const asked = askSecret({stdin, stderr}, 'Key: ');
  stdin.write(typed);
  await expect(asked).rejects.toThrow(new UsageError('nothing was entered'));
  expect(String(stderr.read())).toBe('Key: \n');
});

test('[IP6] so is the end of the input, and without a terminal nothing is asked', async () => {
  const {stdin, stderr} = terminal();
  const asked = askSecret({stdin, stderr}, 'Key: ');
  stdin.end();
  await expect(asked).rejects.toThrow('nothing was entered');
  expect(askSecret(terminal(false), 'Key: ')).toBeUndefined();
});
