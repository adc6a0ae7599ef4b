import fc from 'fast-check';
import {expect, test} from 'vitest';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {taskSpecOf, words} from '../../../runner/src/commands/task-spec-options.ts';
import {UsageError} from '../../../runner/src/commands/usage-error.ts';

const none = {check: [], label: []};
const here = {cwd: import.meta.dirname};

test('[CL8] the options of task create make a spec that the API accepts', () => {
  const spec = taskSpecOf(
    'do it',
    {
      check: ['npm test', 'node --test "a b"'],
      label: ['os=linux'],
      repo: '.',
      base: 'main',
      rebase: true,
      priority: 'high',
      timeout: '30m',
      memory: '4GB',
      command: 'my-agent --yes',
    },
    here,
  );
  expect(taskSpecSchema.parse(spec)).toMatchObject({
    repository: {url: `file://${import.meta.dirname}`, base: 'main', rebase: true},
    agent: {driver: 'exec', command: ['my-agent', '--yes']},
    checks: [
      ['npm', 'test'],
      ['node', '--test', 'a b'],
    ],
    priority: 2,
    requires: ['os=linux'],
    timeout_ms: 1_800_000,
    memory_bytes_max: 4_294_967_296,
  });
});

test.for([
  ['--base without --repo', {base: 'main'}],
  ['--rebase without --repo', {rebase: true}],
  ['--against without --repo', {against: 'main'}],
  ['--against where nobody is told of a change', {repo: '.', against: 'main'}],
  ['an unknown agent', {agent: 'magic'}],
  ['exec without a command', {agent: 'exec'}],
  ['a command for the scripted agent', {agent: 'scripted', command: 'x'}],
  ['a path that is not there', {repo: './nowhere'}],
  ['a file as the repository', {repo: './help.test.ts'}],
  ['a priority out of range', {priority: '6'}],
  ['a timeout in words', {timeout: 'long'}],
  ['memory in words', {memory: 'much'}],
  ['less memory than any agent needs', {memory: '1MB'}],
  ['a label with a space', {label: ['a b']}],
  ['a check with an open quote', {check: ['echo "a']}],
  ['an empty check', {check: ['  ']}],
  ['a branch that git would read as an option', {repo: '.', base: '--upload-pack=x'}],
] as const)('[CL8] %s is a wrong call, not a request', ([, options]) => {
  expect(() => taskSpecOf('do it', {...none, ...options}, here)).toThrow(UsageError);
});

test.for(['https://user:secret@host/r', 'https://token@host/r', 'ssh://git:secret@host/r'])(
  '[IP4] %s is refused without a word of it',
  repo => {
    expect(() => taskSpecOf('x', {...none, repo}, here)).toThrow(/--repo holds a credential(?!.*secret|.*token@)/);
  },
);

test.for([
  [{memory: '1MB'}, /^--memory is "1MB", as memory_bytes_max: /],
  [{timeout: '999d'}, /^--timeout is "999d", as timeout_ms: /],
  [{label: ['os=linux', 'a b']}, /^--label is "a b": expected a label/],
  [{repo: '.', base: 'a..b'}, /^--base is "a\.\.b", as repository\.base: expected the name of a branch/],
  [{title: 'x'.repeat(5_000)}, /^--title is "x/],
] as const)('[CL8] the refusal of %j names the option and the value', ([options, said]) => {
  expect(() => taskSpecOf('do it', {...none, ...options}, here)).toThrow(said);
});

test('[CL8] a review states what it looks at and what that is to be merged into', () => {
  const options = {...none, repo: '.', base: 'feature', against: 'main', role: 'reviewer', agent: 'claude'};
  expect(taskSpecOf('look', options, here).repository).toMatchObject({base: 'feature', against: 'main'});
});

test('[CL8] URLs of repositories are taken as they are', () => {
  for (const repo of ['https://github.com/o/r', 'git@github.com:o/r.git', 'ssh://git@host/o/r'])
    expect(taskSpecOf('x', {...none, repo}, here).repository?.url).toBe(repo);
});

test('[CL9] a command is cut into words by quotes and spaces alone; nothing is expanded', () => {
  expect(words('--check', `npm  run 'a b' "c \\" d" e\\ f $HOME *.ts '' x'y'"z"`)).toEqual([
    'npm',
    'run',
    'a b',
    'c " d',
    'e f',
    '$HOME',
    '*.ts',
    '',
    'xyz',
  ]);
});

test('[CL9] words that are quoted come back as they were', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.string({maxLength: 12}).filter(text => !text.includes("'")),
        {minLength: 1, maxLength: 5},
      ),
      parts => {
        expect(words('--check', parts.map(part => `'${part}'`).join(' '))).toEqual(parts);
      },
    ),
  );
});
