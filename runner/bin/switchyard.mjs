#!/usr/bin/env node
// The published command. The program needs the pinned Node, so an older one on PATH only hands over to it.
import {spawn} from 'node:child_process';
import {dirname, join} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {program} from './program.mjs';

const self = fileURLToPath(import.meta.url);
if (Number.parseInt(process.versions.node, 10) >= 24) {
  // Whoever asks for a stack gets lines of the sources.
  if ((process.env.SWITCHYARD_DEBUG ?? '') !== '') process.setSourceMapsEnabled(true);
  await import(pathToFileURL(program()).href);
} else {
  const node = join(dirname(self), '../node_modules/.bin/node');
  const child = spawn(node, [self, ...process.argv.slice(2)], {stdio: 'inherit'});
  // A terminal sends Ctrl-C to the whole group, the child included; the other signals reach only this process.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
  child.on('error', error => {
    process.stderr.write(`The pinned Node is missing: run npm start once. (${error.message})\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
}
