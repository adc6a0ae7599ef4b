import {spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';
import * as z from 'zod';

/**
 * `node checks-program.ts <checks.json>`: runs the declared checks one after the other in the current directory and
 * ends with 0, or with 1 after the first that fails. A program of its own, so that a check is held, killed and adopted
 * exactly as the agent is.
 */
const checks = z.array(z.array(z.string()).min(1)).parse(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')));

async function run([file = '', ...rest]: readonly string[]): Promise<number | string> {
  const child = spawn(file, rest, {stdio: ['ignore', 'inherit', 'inherit']});
  return new Promise(settle => {
    child.on('error', error => settle(error.message));
    child.on('exit', (code, signal) => settle(code ?? signal ?? 'unknown'));
  });
}

for (const check of checks) {
  process.stdout.write(`$ ${check.join(' ')}\n`);
  const end = await run(check);
  if (end === 0) continue;
  process.stdout.write(`the check ended with ${end}\n`);
  process.exit(1);
}
