import {execa} from 'execa';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {fileURLToPath} from 'node:url';

const program = fileURLToPath(new URL('../../../runner/src/agent/scripted-agent.ts', import.meta.url));
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scripted-'));
});
afterEach(() => rmSync(folder, {recursive: true, force: true}));

async function follow(script: string, input = '') {
  const worktree = join(folder, 'tree');
  const prompt = join(folder, 'prompt');
  await execa('mkdir', ['-p', join(worktree, '.git')]);
  writeFileSync(prompt, script);
  const result = await execa(process.execPath, [program, prompt], {
    cwd: worktree,
    input,
    reject: false,
    timeout: 60_000,
  });
  const events = result.stdout
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as {type: string; summary?: string; text?: string});
  return {worktree, code: result.exitCode, events, stdout: result.stdout};
}

test('[AG7] it edits, runs programs and reports a result', async () => {
  const {worktree, code, events, stdout} = await follow(
    'write a.txt: one\nappend a.txt: two\nreplace a.txt: one => three\nrun: cat a.txt',
  );
  expect(readFileSync(join(worktree, 'a.txt'), 'utf8')).toBe('three\ntwo\n');
  expect(code).toBe(0);
  expect(stdout).toContain('\nthree\ntwo\n');
  expect(events.at(-1)).toMatchObject({type: 'result', is_error: false});
});

test.for([
  ['say: one', 'followed 1 instruction'],
  ['say: one\nsay: two', 'followed 2 instructions'],
])('[AG7] of %j it says that it %s', async ([script = '', summary]) => {
  expect((await follow(script)).events.at(-1)?.summary).toBe(summary);
});

test('[AG7] a program that fails ends it with an error result and code 1', async () => {
  const {code, events} = await follow('run: false\nwrite never.txt: x');
  expect(code).toBe(1);
  expect(events.at(-1)).toMatchObject({type: 'result', is_error: true, summary: 'false ended with 1'});
});

test.for(['../outside.txt', '/tmp/switchyard-outside.txt', '.git/config'])(
  '[AG8] it refuses to write %s',
  async path => {
    const {code, events, worktree} = await follow(`write ${path}: x`);
    expect(code).toBe(1);
    expect(events.at(-1)?.summary).toContain('outside the worktree');
    expect(existsSync(join(worktree, path))).toBe(false);
  },
);

test.for([
  {from: 'the runner', line: '{"type":"message","text":"go left"}\n'},
  {from: 'a person who took the session over', line: 'go left\n'},
])('[AG9] it takes a message of $from from its standard input', async ({line}) => {
  const {events, code} = await follow('await message', line);
  expect(code).toBe(0);
  expect(events.map(({text}) => text)).toContain('a person says: go left');
});
