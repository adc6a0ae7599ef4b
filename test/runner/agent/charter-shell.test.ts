import {spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import fc from 'fast-check';
import {afterAll, expect, test} from 'vitest';
import {parseShell} from '@switchyard/shared/policy/charter/shell-parser.ts';
import {textOf} from '@switchyard/shared/policy/charter/shell-tree.ts';
import {runCli} from '../../fixtures/cli.ts';
import {everyProperty} from '../../property/fuzz-settings.ts';

fc.configureGlobal(everyProperty);

const home = mkdtempSync(join(tmpdir(), 'charter-'));
afterAll(() => rmSync(home, {recursive: true, force: true}));

function scriptOf(line: string): string {
  return `printf '%s\\0' _ ${line}`;
}

/** The words that bash gives to a program; nothing but its own builtins can run. */
function wordsOfBash(line: string): readonly string[] {
  // The script comes as a text, which is what the reader is compared on.
  const {status, stdout, stderr} = spawnSync('/bin/bash', {
    input: scriptOf(line),
    cwd: home,
    env: {HOME: home, PATH: '', LC_ALL: 'C.UTF-8'},
    encoding: 'utf8',
  });
  expect(`${status}${stderr}`, line).toBe('0');
  return stdout.split('\0').slice(1, -1);
}

/** The same by our reader; undefined where it does not understand all of them. */
function wordsOfReader(line: string): readonly string[] | undefined {
  const {nodes, problem} = parseShell(scriptOf(line), new Map([['HOME', home]]));
  const [node, ...more] = nodes;
  if (problem !== undefined || node?.kind !== 'command' || more.length > 0 || node.redirects.length > 0)
    return undefined;
  const words = node.words.slice(3).map(textOf);
  return words.includes(undefined) ? undefined : words.flatMap(word => word ?? []);
}

const pieces = [
  ...['a', 'b', 'rm', '-rf', '/', '.', '..', ',', '=', ':', '@', '%', '+', '^', '!', ']', '}', '0', 'é'],
  ...[' ', '  ', '\t', '\n', '\\\n', '\\', '\\ ', '\\a', '\\"', "\\'", '\\$', '\\\\', '#', ' #', '~', ' ~', '~/'],
  ...["'", '"', "'a b'", '"a b"', '""', "''", '"\\a"', '"\\$"', '"\\\n"', "'\\'", '"\'"', "'\"'", '"!"', '"`"'],
  ...['$', '$$', '"$"', '$HOME', '${HOME}', '"$HOME"', '"${HOME}/x"', "'$HOME'", '$UNSET', '${', '$(', '`'],
  ...["$'", "$'a'", "$'\\n'", "$'\\x41'", "$'\\101'", "$'\\u0041'", "$'\\''", "$'\\\\'", "$'\\q'", '$"a"'],
  ...[
    '{',
    '{}',
    '{a}',
    '{a,b}',
    '{1..3}',
    '@{1}',
    '*',
    '?',
    '[a]',
    '(',
    ')',
    ';',
    '&',
    '|',
    '<',
    '>',
    '2>',
    '<<<',
    '<(',
    '1',
  ],
];

test('[CA17] whatever the reader understands, bash understands in the same way', {timeout: 300_000}, () => {
  let understood = 0;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), {minLength: 1, maxLength: 7}), parts => {
      const line = parts.join('');
      const words = wordsOfReader(line);
      if (words === undefined) return;
      understood += 1;
      expect(words, JSON.stringify(line)).toEqual(wordsOfBash(line));
    }),
    {numRuns: 2_000},
  );
  expect(understood).toBeGreaterThan(200);
});

test.for([
  ['a \\\nb', ['a', 'b']],
  ['\'a\'"b"c', ['abc']],
  ["$'\\x72\\155'", ['rm']],
  ['"a\\b\\$c"', ['a\\b$c']],
  ['a # b', ['a']],
  ['a#b', ['a#b']],
  ["''", ['']],
  ['~/a', [`${home}/a`]],
  ['a~', ['a~']],
  ['{}', ['{}']],
  ['HEAD@{1}', ['HEAD@{1}']],
] as const)('[CA17] %j is %j, to bash as well', ([line, words]) => {
  expect(wordsOfReader(line)).toEqual(words);
  expect(wordsOfBash(line)).toEqual(words);
});

const charter = join(home, 'charter.yaml');
writeFileSync(
  charter,
  'name: house\nsafetyHeuristics:\n  autoApprove: [Run tests]\n  alwaysReject: [rm -rf /]\n  escalate: [Deployments]\n',
);
const vague = join(home, 'vague.yaml');
writeFileSync(vague, 'name: vague\nsafetyHeuristics:\n  alwaysReject: [Spend money, Force push]\n');

test.for([
  [0, ['lint', charter], 'house: every entry is understood'],
  [1, ['lint', vague], 'no rule understands "Spend money": it protects nobody'],
  [1, ['lint', join(home, 'absent.yaml')], 'charter_invalid'],
  [2, ['lint'], 'missing required argument'],
  [0, ['explain', charter, '--', 'npm', 'test'], 'approve: the charter approves: Run tests'],
  [1, ['explain', charter, '--', 'ls; "rm" -r -f /'], 'reject: the charter rejects: rm -rf /'],
  [1, ['explain', charter, '--', 'rm', '-rf', '/'], 'deletes / with everything inside'],
  [0, ['explain', charter, '--', 'x | sh'], 'escalate: a shell runs what nobody sees'],
  [0, ['explain', charter, '--tool', 'Write', '--input', '{"file_path": "a.txt"}'], `writes ${home}/a.txt`],
  [2, ['explain', charter], 'give a command behind --'],
  [2, ['explain', charter, '--tool', 'Write', '--input', '['], '--input is no JSON'],
  [2, ['explain', charter, '--tool', 'Write', '--input', '[]'], '--input is no object'],
] as const)('[CA19] exit code %i: charter %j', async ([code, args, says]) => {
  const result = await runCli(['charter', ...args], {home});
  expect(result.stdout + result.stderr).toContain(says);
  expect(result.code).toBe(code);
});

test('[CA19] both print one line of JSON', async () => {
  const linted = await runCli(['charter', 'lint', vague, '--json'], {home});
  expect(JSON.parse(linted.stdout)).toMatchObject({
    name: 'vague',
    valid: false,
    findings: [{list: 'alwaysReject', entry: 'Spend money', severity: 'error'}],
  });
  const explained = await runCli(['charter', 'explain', charter, '--json', '--', 'rm -rf /'], {home});
  expect(JSON.parse(explained.stdout)).toMatchObject({
    decision: 'reject',
    rule: 'rm -rf /',
    parsed: [{kind: 'delete', isRecursive: true, place: {paths: ['/']}}],
  });
});
