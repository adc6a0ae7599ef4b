import {spawn} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';

const secondsDefault = '10';
/** A property that is inside of a run when its time is over, and the start of a suite. */
const slackMs = 30_000;

export type FuzzCommand = {readonly argv: readonly string[]; readonly environment: Readonly<Record<string, string>>};

/** `npm run fuzz -- --seconds N [suite …]`: N seconds for each property, with seeds of its own. */
export function fuzzCommand(args: readonly string[]): FuzzCommand {
  const {values, positionals} = parseArgs({
    args: [...args],
    options: {seconds: {type: 'string', default: secondsDefault}},
    allowPositionals: true,
  });
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new Error(`--seconds is ${JSON.stringify(values.seconds)}, expected a number of seconds`);
  const suites = positionals.length === 0 ? ['test/property', 'test/worker/property'] : positionals;
  return {
    argv: [
      ...['run', '--project', 'unit', '--project', 'worker', '--testTimeout', String(seconds * 1_000 + slackMs)],
      ...suites,
    ],
    environment: {SWITCHYARD_FUZZ_SECONDS: String(seconds)},
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const {argv, environment} = fuzzCommand(process.argv.slice(2));
  const vitest = fileURLToPath(new URL('../../node_modules/.bin/vitest', import.meta.url));
  const child = spawn(vitest, argv, {stdio: 'inherit', env: {...process.env, ...environment}});
  child.on('exit', code => {
    process.exitCode = code ?? 1;
  });
}
