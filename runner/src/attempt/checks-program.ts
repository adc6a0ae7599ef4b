import {spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';

/**
 * `node checks-program.ts <checks.json>`: runs the declared checks one after the other in the current directory and
 * ends with 0, or with 1 after the first that fails. A program of its own, so that a check is held, killed and adopted
 * exactly as the agent is. It imports nothing but Node: every attempt waits for its start.
 */
const said: unknown = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
if (!Array.isArray(said)) throw new Error('the file does not hold a list of checks');
const checks = said.map((check: unknown) => (Array.isArray(check) ? check.map(String) : []));

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
