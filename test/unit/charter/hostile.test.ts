import fc from 'fast-check';
import {expect, test} from 'vitest';
import {hostileCommands} from './hostile-commands.ts';
import {judgeCommand, strict} from './charter-scene.ts';

test.for(hostileCommands.map(([verdict, command]) => ({verdict, command})))(
  '[CA20] $verdict: $command',
  ({verdict, command}) => {
    const {decision, reason} = judgeCommand(strict, command);
    expect(decision, reason).toBe(verdict === 'reject' ? 'reject' : 'escalate');
  },
);

test('[CA20] the table holds every spelling once', () => {
  expect(new Set(hostileCommands.map(([, command]) => command)).size).toBe(hostileCommands.length);
  expect(hostileCommands.length).toBeGreaterThan(200);
});

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** What can be put around any command line, so that it still runs. */
const wraps: readonly ((command: string) => string)[] = [
  command => `ls; ${command}`,
  command => `${command}\nls`,
  command => `true && { ${command}\n}`,
  command => `false || (${command}\n)`,
  command => `if true; then ${command}\nfi`,
  command => `for i in 1 2; do ${command}\ndone`,
  command => `echo "$(${command}\n)"`,
  command => `cat <(${command}\n)`,
  command => `bash -c ${quoted(command)}`,
  command => `sh -ec ${quoted(command)} name`,
  command => `eval ${quoted(command)}`,
  command => `env A=1 bash -c ${quoted(command)}`,
  command => `sudo -u root timeout 5 sh -c ${quoted(command)}`,
  command => `find . -exec sh -c ${quoted(command)} \\;`,
  command => `xargs -n 1 bash -c ${quoted(command)}`,
  command => `nohup nice -n 5 bash -lc ${quoted(command)} &`,
  command => `bash <<'END_OF_IT'\n${command}\nEND_OF_IT`,
  command => `unknown-program --run ${quoted(command)}`,
  command => `ssh host ${quoted(command)}`,
  command => `echo ${quoted(command)} | sh`,
  command => `git -c alias.x=${quoted(`!${command}`)} x`,
];

/** They may run their words, and the words may be mere text. */
const isGuess = (text: string): boolean => /unknown-program|ssh host/.test(text);

test('[CA21] no combination of wrappers around a refused command is ever approved', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...hostileCommands.map(([, command]) => command)),
      fc.array(fc.constantFrom(...wraps), {minLength: 1, maxLength: 3}),
      (command, around) => {
        const wrapped = around.reduce((text, wrap) => wrap(text), command);
        const held = isGuess(wrapped) ? ['reject', 'escalate', 'ask-default'] : ['reject', 'escalate'];
        expect(held, wrapped).toContain(judgeCommand(strict, wrapped).decision);
      },
    ),
    {numRuns: 1_000},
  );
});

test('[CA21] harmless commands in the same wrappers are not refused', () => {
  for (const wrap of wraps.slice(0, 12)) {
    expect(judgeCommand(strict, wrap('ls -la')).decision, wrap('ls -la')).toBe('approve');
  }
});
