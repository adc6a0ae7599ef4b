#!/usr/bin/env node
// The published command. Types are stripped by the pinned Node, so an older one on PATH only hands over to it.
import {spawnSync} from 'node:child_process';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const runner = join(dirname(fileURLToPath(import.meta.url)), '..');
const main = join(runner, 'src/main.ts');
if (process.features.typescript === 'strip') {
  await import(main);
} else {
  process.on('SIGINT', () => {});
  const result = spawnSync(join(runner, 'node_modules/.bin/node'), [main, ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  if (result.error !== undefined)
    process.stderr.write(`The pinned Node is missing: run npm start once. (${result.error.message})\n`);
  process.exitCode = result.status ?? 1;
}
