#!/usr/bin/env node
// The published command. Types are stripped by the pinned Node, so an older one on PATH only hands over to it.
import {spawn} from 'node:child_process';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const runner = join(dirname(fileURLToPath(import.meta.url)), '..');
const main = join(runner, 'src/main.ts');
if (process.features.typescript === 'strip' && Number.parseInt(process.versions.node, 10) >= 24) {
  await import(main);
} else {
  const child = spawn(join(runner, 'node_modules/.bin/node'), [main, ...process.argv.slice(2)], {stdio: 'inherit'});
  // A terminal sends Ctrl-C to the whole group, the child included; the other signals reach only this process.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
  child.on('error', error => {
    process.stderr.write(`The pinned Node is missing: run npm start once. (${error.message})\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
}
