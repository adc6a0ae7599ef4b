import {spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {performance} from 'node:perf_hooks';
import {fileURLToPath} from 'node:url';

/**
 * `npm run check`: every check that needs no test run. One line for each; the output of those that failed follows;
 * exit 1 if any did.
 */
type Check = {readonly name: string; readonly command: readonly [string, ...string[]]};
type Outcome = {readonly name: string; readonly ok: boolean; readonly output: string};

const root = fileURLToPath(new URL('..', import.meta.url));
const checkMsMax = 300_000;
const outputCharactersMax = 20_000;
/** A pipe makes every tool plain; this one's terminal is theirs. */
const colour = process.stdout.isTTY ? {FORCE_COLOR: '1'} : {NO_COLOR: '1', FORCE_COLOR: undefined};

const present = (folder: string): boolean => existsSync(`${root}/${folder}`);
const linted = ['shared', 'worker', 'runner', 'tools', 'test', 'dashboard'].filter(present);
const projects = ['test', 'worker', 'runner', 'test/worker', 'shared', 'tools', 'dashboard'];

/** The long ones first, so that the short ones fill the gaps. */
const checks: readonly Check[] = [
  {name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings', ...linted]},
  {name: 'unused code', command: ['knip', '--no-progress']},
  ...projects
    .filter(project => present(`${project}/tsconfig.json`))
    .map((project): Check => ({name: `types of ${project}`, command: ['tsc', '-p', project]})),
  {name: 'generated docs', command: ['node', 'tools/generate.ts', '--check']},
  {name: 'format', command: ['oxfmt', '--check', '.']},
];

function run({name, command: [program, ...args]}: Check): Promise<Outcome> {
  const startMs = performance.now();
  const child = spawn(`${root}/node_modules/.bin/${program}`, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: checkMsMax,
    env: {...process.env, ...colour},
  });
  let output = '';
  const take = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(0, outputCharactersMax);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const {promise, resolve} = Promise.withResolvers<Outcome>();
  const end = (ok: boolean, more: string): void => {
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    console.log(`${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(22)} ${seconds.padStart(5)} s`);
    resolve({name, ok, output: output + more});
  };
  child.on('error', error => end(false, `${program} could not be started: ${error.message}`));
  child.on('close', (code, signal) => end(code === 0, signal === null ? '' : `\nended by ${signal}\n`));
  return promise;
}

async function runAll(width: number): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const queue = [...checks];
  const worker = async (): Promise<void> => {
    for (let check = queue.shift(); check !== undefined; check = queue.shift()) outcomes.push(await run(check));
  };
  await Promise.all(Array.from({length: width}, worker));
  return outcomes;
}

const failed = (await runAll(Math.max(2, Math.min(4, availableParallelism())))).filter(({ok}) => !ok);
for (const {name, output} of failed) console.log(`\n--- ${name}\n${output.trimEnd()}`);
console.log(
  failed.length === 0
    ? `\nall ${checks.length} checks passed`
    : `\n${failed.length} of ${checks.length} checks failed: ${failed.map(({name}) => name).join(', ')}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
