import {execFileSync} from 'node:child_process';
import {copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {root} from './source-tree.ts';

/**
 * Every rule of our own over code it must refuse and code it must take, by the real linter with the real configuration:
 * a plugin that does not load, or a rule that throws, would leave everything green.
 */
const refused = {
  'disable-has-reason': [
    "// oxlint-disable-next-line no-console\nconsole.log('a');",
    "// oxlint-disable-next-line no-console -- short\nconsole.log('a');",
    "/* eslint-disable no-console */ console.log('a');",
  ],
  'no-interpolated-command': [
    "import {exec} from 'node:child_process';\nexport const a = (name: string) => exec(`ls ${name}`);",
    "import {execSync as now} from 'node:child_process';\nexport const a = (name: string) => now('ls ' + name);",
    "import * as child from 'node:child_process';\nexport const a = (name: string) => child.execSync(`ls ${name}`);",
    "import {spawn} from 'node:child_process';\nexport const a = (name: string) => spawn(`ls ${name}`, {shell: true});",
    "import {spawn} from 'node:child_process';\nexport const a = (b: string) => spawn('ls', [`${b}`], {shell: '/bin/sh'});",
    "import {execFile} from 'node:child_process';\nexport const a = (b: string) => execFile('sh', ['-c', `ls ${b}`]);",
    "import {execa} from 'execa';\nexport const a = async (b: string) => execa('/bin/bash', ['-lc', 'ls ' + b]);",
    "import {execa} from 'execa';\nexport const a = async (b: string) => execa({shell: true})`ls ${b}`;",
    "import {execaCommand} from 'execa';\nexport const a = async (b: string) => {\n  const line = `ls ${b}`;\n  await execaCommand(line);\n};",
  ],
  'no-raw-recursive-rm': [
    "import {rmSync} from 'node:fs';\nrmSync('a', {recursive: true});",
    "import {rm} from 'node:fs/promises';\nconst all = {recursive: true, force: true};\nawait rm('a', all);",
    "import * as fs from 'node:fs';\nawait fs.promises.rm('a', {force: true, recursive: true});",
    "import {spawnSync} from 'node:child_process';\nspawnSync('rm', ['-rf', 'a']);",
  ],
  'zod-by-star': [
    "import {z} from 'zod';\nexport const a = z.string();",
    "import z from 'zod';\nexport const a = z.string();",
    "import * as zod from 'zod';\nexport const a = zod.string();",
    "import * as z from 'zod/v4';\nexport const a = z.string();",
    "import type {ZodType} from 'zod';\nexport type A = ZodType;",
    "export const a = async () => import('zod');",
  ],
} as const;

const taken = [
  "import * as z from 'zod';\nexport const a = z.string();",
  "import type * as z from 'zod';\nexport type A = z.ZodType;",
  "// oxlint-disable-next-line no-console -- the only line that a person sees\nconsole.log('a');",
  "import {spawn} from 'node:child_process';\nexport const a = (b: string) => spawn(`${b}/git`, ['add', `${b}/x`]);",
  "import {execa} from 'execa';\nexport const a = async (b: string) => execa`git add ${b}`;",
  'export const a = (sql: {exec: (text: string) => void}, b: string) => sql.exec(`select ${b}`);',
  "import {rmSync} from 'node:fs';\nrmSync('a', {force: true});\nrmSync('b', {recursive: false});",
];

type Found = {readonly code: string; readonly filename: string};

let folder = '';
let found: readonly Found[] = [];
const refusedPath = (rule: string, index: number): string => `runner/src/${rule}/case-${index}.ts`;

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), {recursive: true});
  writeFileSync(join(folder, path), `${text}\n`);
}

function lint(): readonly Found[] {
  const bin = join(root, 'node_modules/oxlint/bin/oxlint');
  const run = () => execFileSync(process.execPath, [bin, '--format=json', '.'], {cwd: folder, encoding: 'utf8'});
  try {
    run();
  } catch (error) {
    if (!(error instanceof Error) || !('stdout' in error)) throw error;
    const report: {diagnostics: readonly Found[]} = JSON.parse(String(error.stdout));
    return report.diagnostics;
  }
  throw new Error('the linter found nothing wrong');
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lint-'));
  copyFileSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
  for (const link of ['tools', 'node_modules']) symlinkSync(join(root, link), join(folder, link));
  writeFileSync(join(folder, '.gitignore'), 'node_modules\ntools\n');
  for (const [rule, cases] of Object.entries(refused)) {
    cases.forEach((text, index) => write(refusedPath(rule, index), text));
  }
  taken.forEach((text, index) => write(`runner/src/taken/case-${index}.ts`, text));
  write('runner/src/worktree/remove.ts', refused['no-raw-recursive-rm'][0]);
  write('test/runner/clean.test.ts', refused['no-raw-recursive-rm'][0]);
  found = lint();
});
afterAll(() => rmSync(folder, {recursive: true, force: true}));

const ownRulesIn = (path: string): readonly string[] =>
  found.filter(({filename, code}) => filename === path && code.startsWith('switchyard')).map(({code}) => code);

describe('the rules of our own', () => {
  const cases = Object.entries(refused).flatMap(([rule, texts]) => texts.map((text, index) => ({rule, text, index})));

  test.for(cases)('[AR16] $rule refuses its case $index', ({rule, text, index}) => {
    expect(ownRulesIn(refusedPath(rule, index)), text).toEqual([`switchyard(${rule})`]);
  });

  test.for(taken.map((text, index) => ({text, index})))(
    '[AR16] code that keeps to them passes: case $index',
    ({text, index}) => {
      expect(ownRulesIn(`runner/src/taken/case-${index}.ts`), text).toEqual([]);
    },
  );

  test('[AR17] one file of the product may delete a tree, and tests may', () => {
    expect(ownRulesIn('runner/src/worktree/remove.ts')).toEqual([]);
    expect(ownRulesIn('test/runner/clean.test.ts')).toEqual([]);
  });
});
