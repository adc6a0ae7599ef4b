import fc from 'fast-check';
import {expect, test} from 'vitest';
import {judge, type Judgement} from '@switchyard/shared/policy/charter/judge.ts';
import type {Scene} from '@switchyard/shared/policy/charter/place.ts';
import {bareDisk, judgeCommand, rulebook, scene} from './charter-scene.ts';
import {tricks} from './tricks.ts';

const guarded = rulebook({
  autoApprove: [
    'Read file operations',
    'Run test suites',
    'Edit files in the workspace',
    {tool: 'Bash', name: 'every command'},
  ],
  alwaysReject: ['rm -rf /', 'Force push', 'Access secrets or credentials', 'Run downloaded code'],
});

test.for(tricks.map(([verdict, command]) => ({verdict, command})))(
  '[CA28] $verdict: $command',
  ({verdict, command}) => {
    const {decision, reason} = judgeCommand(guarded, command);
    expect(decision, reason).toBe(verdict === 'reject' ? 'reject' : 'escalate');
  },
);

test.for([
  'npm test',
  'npm install --save-dev typescript',
  'docker build -t app ./',
  'node scripts/build.mjs --out dist/app.js',
  'git commit -m "Say in .env.md what a key is"',
  'git diff main...HEAD -- src/a.ts',
  'git config user.email ada@example.com',
  'git config --get remote.origin.url',
  "sed -i -e 's/a/b/' -e 's/c/d/' src/a.ts",
  'curl -fsS http://localhost:3000/health',
  'tar czf /tmp/out.tgz dist',
  'chmod +x scripts/x.sh && ./scripts/x.sh',
  'xargs -n 1 echo < list',
  "ls | xargs -I{} echo '{}.txt'",
  'python3 script.py --input data.csv',
  'make -j4 all',
  'npx tsc --noEmit',
])('[CA28] no question is asked about what nobody meant: %s', command => {
  expect(judgeCommand(guarded, command, bareDisk).decision).toBe('approve');
});

/** A disk with these files; everything else is not there. */
function withDisk(files: Readonly<Record<string, string>>): Scene {
  return {...scene, readText: path => (Object.hasOwn(files, path) ? files[path] : undefined)};
}

const home = scene.workspace;
const disk = withDisk({
  [`${home}/clean.sh`]: '#!/usr/bin/env bash\nset -e\ncd "$(dirname "$0")"\nrm -rf /\n',
  [`${home}/plain`]: 'rm -rf /\n',
  [`${home}/good.sh`]: '#!/bin/sh\ntsc --noEmit\n',
  [`${home}/page.py`]: '#!/usr/bin/env python3\nprint("rm -rf /")\n',
  [`${home}/package.json`]:
    '{"scripts": {"pretest": "echo a", "test": "rm -rf /", "build": "tsc", "postbuild": "rm -rf ~"}}',
  [`${home}/sub/package.json`]: '{"scripts": {"x": "tsc"}}',
  [`${home}/Makefile`]: 'all: a\n\t@-rm -rf \\\n\t  /\n',
  [`${home}/sub/Makefile`]: 'all:\n\techo hi\n',
});

const judgedOn = (command: string, at: Scene = disk): Judgement['decision'] =>
  judge(guarded, {tool: 'Bash', input: {command}}, at).decision;

test.for([
  ['escalate', 'bash clean.sh'],
  ['escalate', './clean.sh --fast'],
  ['escalate', 'sh -e ./plain'],
  ['escalate', 'timeout 9 ./plain'],
  ['escalate', 'npm test'],
  ['escalate', 'npm t'],
  ['escalate', 'pnpm run build'],
  ['escalate', 'yarn build'],
  ['escalate', 'make'],
  ['escalate', 'make -C sub -f ../Makefile'],
  ['approve', 'bash good.sh'],
  ['approve', './page.py'],
  ['approve', 'cd sub && npm run x'],
] as const)('[CA29] %s, by what its file holds: %s', ([decision, command]) => {
  // The folder before a change of folder stays possible, so its own scripts are asked about too.
  expect(judgedOn(command)).toBe(decision);
});

test('[CA29] what a file of commands holds and nobody understands is no more than usual', () => {
  const odd = withDisk({[`${home}/odd.sh`]: 'case $1 in a) echo;; esac\nfor ((;;)); do :; done\n'});
  expect(['approve', 'ask-default']).toContain(judgedOn('bash odd.sh', odd));
  const endless = withDisk({[`${home}/self.sh`]: './self.sh; ./self.sh; bash self.sh\n'});
  expect(['approve', 'ask-default', 'escalate']).toContain(judgedOn('bash self.sh', endless));
});

const editing = rulebook({autoApprove: ['Edit files in the workspace'], alwaysReject: ['rm -rf /']});

test('[CA30] a file that decides what git and shells run is not changed without a person', () => {
  for (const path of [
    '.git/config',
    '.git',
    'sub/.git/hooks/x',
    '/home/ada/.bashrc',
    '/home/ada/mirror/a.git/config',
    '/home/ada/.local/state/charter.yaml',
  ]) {
    const {decision} = judge(editing, {tool: 'Write', input: {file_path: path, content: ''}}, scene);
    expect(decision, path).toBe('escalate');
  }
  for (const path of ['.gitignore', '.github/a.md', 'src/git/a.ts'])
    expect(judge(editing, {tool: 'Write', input: {file_path: path, content: ''}}, scene).decision, path).toBe(
      'approve',
    );
});

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** What can be put around a command line so that it still runs, or so that somebody reads it as text. */
const wraps: readonly ((command: string) => string)[] = [
  command => `true; ${command}`,
  command => `(${command}\n)`,
  command => `if true; then ${command}\nfi`,
  command => `bash -O extglob -ec ${quoted(command)} a b`,
  command => `eval ${quoted(command)}`,
  command => `echo ${quoted(command)} | sh -s -- x`,
  command => `bash /dev/stdin <<'END_OF_IT'\n${command}\nEND_OF_IT`,
  command => `xargs -I@@ bash -c ${quoted(command)}`,
  command => `find . -exec sh -c ${quoted(command)} \\;`,
  command => `setpriv sh -c ${quoted(command)}`,
  command => `npx -c ${quoted(command)}`,
  command => `make --eval=${quoted(`x:;${command}`)}`,
  command => `nohup timeout -k 1 9 env A=1 sh -c ${quoted(command)} &`,
  command => `X=$(${command}\n)`,
];

test('[CA28] no combination of wrappers makes a trick approved', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...tricks.map(([, command]) => command)),
      fc.array(fc.constantFrom(...wraps), {minLength: 1, maxLength: 3}),
      (command, around) => {
        const wrapped = around.reduce((text, wrap) => wrap(text), command);
        expect(judgeCommand(guarded, wrapped).decision, wrapped).not.toBe('approve');
      },
    ),
    {numRuns: 1_000},
  );
});

test('[CA14] of a call about several files each counts, and a list of another shape is not understood', () => {
  const decisionOn = (file_paths: unknown): Judgement['decision'] =>
    judge(editing, {tool: 'Write', input: {file_path: 'a.txt', file_paths}}, scene).decision;
  expect(decisionOn(['a.txt', 'b.txt'])).toBe('approve');
  expect(decisionOn(['a.txt', '.git/config'])).toBe('escalate');
  expect(decisionOn(['a.txt', '../outside'])).toBe('ask-default');
  expect(decisionOn('b.txt')).toBe('escalate');
});
