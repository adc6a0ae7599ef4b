import {execFile} from 'node:child_process';
import {existsSync} from 'node:fs';
import {mkdir, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {promisify} from 'node:util';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';

const gitMs = 20_000;

/** A tiny project whose one test fails, so that there is something to do. */
const files: Readonly<Record<string, string>> = {
  'README.md': '# Greeting\n\nSays hello. Its test fails on purpose: the first task repairs it.\n',
  'package.json': `${JSON.stringify({name: 'greeting', private: true, type: 'module', scripts: {test: 'node --test'}}, undefined, 2)}\n`,
  'greeting.js': 'export function greeting(name) {\n  return `Hello`;\n}\n',
  'test/greeting.test.js':
    "import assert from 'node:assert/strict';\nimport {test} from 'node:test';\nimport {greeting} from '../greeting.js';\n\n" +
    "test('greets by name', () => {\n  assert.equal(greeting('Ada'), 'Hello, Ada!');\n});\n",
};

/** Makes the repository unless it is there, with its first commit on `main`. Answers its file URL. `path` finds git. */
export async function sampleRepository(directory: string, path: string): Promise<string> {
  const git = (args: readonly string[]): Promise<void> => runGit(directory, path, args);
  const url = pathToFileURL(directory).href;
  if (existsSync(join(directory, '.git', 'HEAD'))) return url;
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name);
    await mkdir(dirname(path), {recursive: true, mode: 0o700});
    await writeFile(path, text);
  }
  await git(['init', '--quiet', '--initial-branch=main']);
  await git(['add', '--all']);
  const author = ['-c', 'user.name=Switchyard', '-c', 'user.email=switchyard@localhost', '-c', 'commit.gpgsign=false'];
  await git([...author, 'commit', '--quiet', '--message', 'A greeting whose test fails']);
  return url;
}

/** The work of the first task: the instructions are those of the bundled scripted agent. */
export function sampleTask(repositoryUrl: string): TaskSpecInput {
  return {
    title: 'Repair the greeting of the sample repository',
    prompt: [
      'The test of this repository fails: greet by name, and say so in the README.',
      'say: reading greeting.js and its test',
      'replace greeting.js: return `Hello`; => return `Hello, ${name}!`;',
      'append README.md: \\nThe test passes since the first Switchyard task.',
      'run: node --test',
      'say: the test passes',
    ].join('\n'),
    repository: {url: repositoryUrl, base: 'main'},
    agent: {type: 'coding', driver: 'scripted'},
    checks: [['node', '--test']],
    timeout_ms: 120_000,
    attempts_max: 1,
  };
}

async function runGit(directory: string, path: string, args: readonly string[]): Promise<void> {
  try {
    const env = {PATH: path, HOME: directory, GIT_CONFIG_NOSYSTEM: '1'};
    await promisify(execFile)('git', ['-C', directory, ...args], {timeout: gitMs, env});
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause);
    throw new SwitchyardError('git_failed', `git ${args[0] ?? ''} in ${directory}: ${said}`, {cause});
  }
}
