import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {execa} from 'execa';
import {afterAll, expect, test} from 'vitest';
import {repository} from '../../fixtures/cli.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-bundle-')));
afterAll(() => rmSync(folder, {recursive: true, force: true}));

const runner = join(folder, 'runner');
const cache = join(runner, 'node_modules/.cache/switchyard');
for (const path of ['runner/bin', 'runner/src', 'runner/node_modules', 'shared/src'])
  mkdirSync(join(folder, path), {recursive: true});
copyFileSync(join(repository, 'runner/bin/program.mjs'), join(runner, 'bin/program.mjs'));
symlinkSync(
  dirname(realpathSync(join(repository, 'runner/node_modules/esbuild/package.json'))),
  join(runner, 'node_modules/esbuild'),
);
writeFileSync(join(folder, 'run.mjs'), `import {program} from './runner/bin/program.mjs'; await import(program());`);

async function run(): Promise<string> {
  return (await execa(process.execPath, [join(folder, 'run.mjs')])).stdout;
}

function write(text: string): void {
  writeFileSync(
    join(runner, 'src/main.ts'),
    `const text: string = '${text}'; console.log(text, import.meta.filename);`,
  );
}

test('[UP17] commands that start at once after a change all run the program as it is now, and keep what another builds', async () => {
  for (const text of ['first', 'second']) {
    write(text);
    const said = await Promise.all(Array.from({length: 8}, run));
    expect(said).toEqual(Array.from({length: 8}, () => expect.stringMatching(new RegExp(`^${text} ${cache}/`))));
  }
  expect(readdirSync(cache)).toHaveLength(2);
});

test('[UP17] of what was left longer than an hour ago only the newest bundles stay, and a draft goes', async () => {
  const long = new Date(Date.now() - 7_200_000);
  for (const name of ['a', 'b', 'c', 'd', 'e.draft']) {
    mkdirSync(join(cache, name));
    utimesSync(join(cache, name), long, long);
  }
  write('third');
  expect(await run()).toMatch(/^third /);
  const left = readdirSync(cache);
  expect(left).not.toContain('e.draft');
  expect(left.filter(name => name.length === 1)).toHaveLength(3);
});
