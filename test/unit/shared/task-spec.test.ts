import {execFileSync} from 'node:child_process';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {attemptBranch} from '@switchyard/shared/domain/id.ts';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';

const id = 'tsk_01arz3ndektsv4rrffq69g5fav';
const takes = (spec: unknown): boolean => taskSpecSchema.safeParse(spec).success;
const withRepository = (url: string, base?: string): boolean =>
  takes({prompt: 'a', repository: {url, ...(base === undefined ? {} : {base})}});

/** What git itself says of a branch name. */
function gitTakes(name: string): boolean {
  try {
    execFileSync('git', ['check-ref-format', '--branch', name], {stdio: 'ignore'});
    return true;
  } catch {
    return false;
  }
}

const hostile = [
  '..',
  'a..b',
  '../x',
  'a/../b',
  'a\nb',
  'a\n',
  '\nmain',
  'a\0b',
  '-main',
  '--upload-pack=x',
  'a@{1}',
  '@{-1}',
  '@',
  'main.lock',
  'a.lock/b',
  '.hidden',
  'a/.b',
  'a//b',
  '/a',
  'a/',
  'a.',
  '',
  ' main',
  'a b',
  'a~1',
  'a^',
  'a:b',
  'a?',
  'a*',
  'a[b',
  'a\\b',
  'a\tb',
  'a\u007fb',
];
const shell = [
  '$(id)',
  '`id`',
  'a;b',
  'a|b',
  'a&b',
  'a>b',
  "a'b",
  'a"b',
  'a$b',
  '!a',
  '%0a',
  '{a,b}',
  '#a',
  'a,b',
  'é',
];
const good = [
  'main',
  'release/1.2',
  'feature/a-b_c+d',
  'user@host',
  'a@b',
  'v1.0.0',
  'locksmith',
  'a.locks',
  'ab'.repeat(20),
  attemptBranch(id, 7),
];

describe('the base of a task', () => {
  test.for([...hostile, ...shell])('[DO1] is never %j', name => {
    expect(withRepository('https://example.test/a.git', name)).toBe(false);
  });

  test.for(good)('[DO2] may be %s, which git takes too', name => {
    expect(withRepository('https://example.test/a.git', name)).toBe(true);
    expect(gitTakes(name)).toBe(true);
  });

  test('[DO2] is a name that git takes, whatever it is', () => {
    const unit = fc.constantFrom('a', '.', '/', '-', '@', '.lock', '+', '_', 'B', '0');
    const names = fc
      .array(unit, {minLength: 1, maxLength: 6})
      .map(parts => parts.join(''))
      .filter(name => withRepository('https://example.test/a.git', name));
    fc.assert(
      fc.property(names, name => {
        expect(gitTakes(name), name).toBe(true);
      }),
      {numRuns: 60},
    );
  });

  test('[DO1] has at most 200 characters', () => {
    expect(withRepository('https://example.test/a.git', 'a'.repeat(200))).toBe(true);
    expect(withRepository('https://example.test/a.git', 'a'.repeat(201))).toBe(false);
  });
});

describe('the repository of a task', () => {
  test.for([
    '',
    '-',
    '--upload-pack=touch /tmp/x',
    '-oProxyCommand=x',
    'https://example.test/a.git\n--x',
    'https://example.test/a.git ',
    ' https://example.test/a.git',
    'https://example.test/a\tb',
    'https://example.test/\0',
    'https://example.test/\u001b[2J',
    'https://example.test/\u0085',
    'https://example.test/\u2028',
    `https://example.test/${'a'.repeat(2_048)}`,
  ])('[DO3] is never %j', url => {
    expect(withRepository(url)).toBe(false);
  });

  test.for([
    'https://example.test/team/a.git',
    'ssh://git@example.test:22/team/a.git',
    'git@example.test:team/a.git',
    'file:///srv/git/a.git',
    `https://example.test/${'a'.repeat(2_048 - 21)}`,
  ])('[DO4] may be %s', url => {
    expect(withRepository(url)).toBe(true);
  });
});

describe('a task', () => {
  test('[DO5] is its prompt and defaults', () => {
    expect(taskSpecSchema.parse({prompt: 'a'})).toEqual({
      prompt: 'a',
      agent: {driver: 'scripted', output: 'text'},
      executor: 'host',
      checks: [],
      priority: 3,
      requires: [],
      prefers: [],
      depends_on: [],
      attempts_max: limits.attemptsMax,
      metadata: {},
    });
  });

  test.for([
    {promt: 'a'},
    {timeout: 1_000},
    {agent: {type: 'coding', modle: 'x'}},
    {repository: {url: 'https://example.test/a.git', branch: 'main'}},
    {concurrency: {key: 'a', max: 1}},
    {agent: {type: 'root'}},
    {executor: 'cloud'},
  ])('[DO6] with a misspelt or unknown %j is refused, never half understood', extra => {
    expect(takes({prompt: 'a', ...extra})).toBe(false);
    expect(takes({prompt: 'a'})).toBe(true);
  });

  test.for([
    ['high', 2],
    ['normal', 3],
    [1, 1],
    [2, 2],
    [5, 5],
    [undefined, 3],
  ] as const)('[DO7] of the priority %s has the number %i', ([priority, number]) => {
    expect(taskSpecSchema.parse({prompt: 'a', priority}).priority).toBe(number);
  });

  test.for([0, 6, 2.5, '3', 'low', 'HIGH', null, Number.NaN, true])('[DO7] has no priority %s', priority => {
    expect(takes({prompt: 'a', priority})).toBe(false);
  });

  const argv = (length: number) => Array.from({length}, () => 'a');
  const ids = (length: number) => Array.from({length}, () => id);
  const metadata = (length: number) => Object.fromEntries(argv(length).map((_, index) => [`k${index}`, 'v']));
  const edges: readonly {
    readonly name: string;
    readonly of: (size: number) => object;
    readonly min?: number;
    readonly max: number;
  }[] = [
    {name: 'characters of a prompt', of: size => ({prompt: 'a'.repeat(size)}), min: 1, max: limits.promptCharactersMax},
    {name: 'characters of a title', of: size => ({title: 'a'.repeat(size)}), min: 1, max: 500},
    {name: 'requirements', of: size => ({requires: argv(size)}), max: limits.labelsMax},
    {name: 'preferences', of: size => ({prefers: argv(size)}), max: limits.labelsMax},
    {name: 'characters of a label', of: size => ({requires: ['a'.repeat(size)]}), min: 1, max: 100},
    {name: 'dependencies', of: size => ({depends_on: ids(size)}), max: limits.dependenciesMax},
    {name: 'milliseconds of an attempt', of: size => ({timeout_ms: size}), min: 1_000, max: limits.taskTimeoutMaxMs},
    {name: 'attempts', of: size => ({attempts_max: size}), min: 1, max: limits.attemptsMax},
    {name: 'checks', of: size => ({checks: argv(size).map(() => ['true'])}), max: 16},
    {name: 'arguments of a check', of: size => ({checks: [argv(size)]}), min: 1, max: 64},
    {name: 'characters of an argument', of: size => ({checks: [['a'.repeat(size)]]}), max: 8_192},
    {name: 'tasks of a concurrency key', of: size => ({concurrency: {key: 'a', limit: size}}), min: 1, max: 1_000},
    {name: 'characters of a key', of: size => ({fairness_key: 'a'.repeat(size)}), min: 1, max: 200},
    {name: 'entries of metadata', of: size => ({metadata: metadata(size)}), max: 32},
    {name: 'characters of metadata', of: size => ({metadata: {a: 'a'.repeat(size)}}), max: 2_000},
    {
      name: 'milliseconds since 1970',
      of: size => ({not_before_ms: size, deadline_ms: size}),
      max: 8_640_000_000_000_000,
    },
  ];
  test.for(edges)('[DO8] has its limit of $name at the edge: $max', ({of, min = 0, max}) => {
    for (const size of [min, max]) expect(takes({prompt: 'a', ...of(size)}), `${size}`).toBe(true);
    expect(takes({prompt: 'a', ...of(max + 1)}), `${max + 1}`).toBe(false);
    expect(min === 0 || !takes({prompt: 'a', ...of(min - 1)}), `${min - 1}`).toBe(true);
  });

  test.for(['', '-a', ' a', 'a b', 'a\n', 'a;b', '$a', 'é'])('[DO9] has no label %j', label => {
    expect(takes({prompt: 'a', requires: [label]})).toBe(false);
    expect(takes({prompt: 'a', prefers: ['os=linux', label]})).toBe(false);
  });

  test('[DO9] has no NUL in an argument, no empty command and no command missing', () => {
    expect(takes({prompt: 'a', checks: [['a\0b']]})).toBe(false);
    expect(takes({prompt: 'a', checks: [[]]})).toBe(false);
    const missing = taskSpecSchema.safeParse({prompt: 'a', agent: {driver: 'exec'}});
    expect(missing.error?.issues[0]?.path).toEqual(['agent', 'command']);
    expect(takes({prompt: 'a', agent: {driver: 'exec', command: ['true']}})).toBe(true);
  });

  test('[DO10] takes nothing from a prototype and leaves it alone', () => {
    expect(takes(JSON.parse('{"prompt":"a","__proto__":{"priority":1}}'))).toBe(false);
    expect(takes(Object.create({prompt: 'a'}))).toBe(true);
    const spec = taskSpecSchema.parse(JSON.parse('{"prompt":"a","metadata":{"__proto__":"x","a":"b"}}'));
    expect(spec.metadata).toEqual({a: 'b'});
    expect(Object.getPrototypeOf(spec.metadata)).toBe(Object.prototype);
  });

  const some = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, {nil: undefined});
  const short = fc.string({unit: 'grapheme', minLength: 1, maxLength: 40});
  const label = fc.constantFrom('os=linux', 'gpu', 'a/b:c');
  const input: fc.Arbitrary<TaskSpecInput> = fc
    .record({
      prompt: short,
      title: some(short),
      priority: some(fc.constantFrom(1, 2, 3, 4, 5, 'high' as const, 'normal' as const)),
      repository: some(
        fc.record({url: fc.constant('https://example.test/a.git'), base: some(fc.constantFrom(...good))}),
      ),
      agent: some(
        fc.record({
          type: some(fc.constantFrom('coding', 'reviewer')),
          prompt: some(fc.constant('as_is' as const)),
          output: some(fc.constantFrom('text', 'json')),
        }),
      ),
      checks: some(fc.array(fc.array(short, {minLength: 1, maxLength: 3}), {maxLength: 3})),
      requires: some(fc.array(label, {maxLength: 3})),
      concurrency: some(fc.record({key: short, limit: some(fc.integer({min: 1, max: 9}))})),
      depends_on: some(
        fc.array(
          fc.constant(id).map(text => taskSpecSchema.shape.depends_on.parse([text])[0] ?? text),
          {maxLength: 2},
        ),
      ),
      timeout_ms: some(fc.integer({min: 1_000, max: 99_999})),
      expect_change: some(fc.boolean()),
      metadata: some(fc.dictionary(fc.constantFrom('a', 'b'), short)),
    })
    .map(fields => JSON.parse(JSON.stringify(fields)));

  test('[DO11] that was read once is read again as the same', () => {
    fc.assert(
      fc.property(input, spec => {
        const once = taskSpecSchema.parse(spec);
        expect(taskSpecSchema.parse(once)).toEqual(once);
        expect(taskSpecSchema.parse(JSON.parse(JSON.stringify(once)))).toEqual(once);
      }),
      {numRuns: 300},
    );
  });
});
