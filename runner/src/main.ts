import {randomBytes} from 'node:crypto';
import {writeSync} from 'node:fs';
import {homedir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {apiClient} from '@switchyard/shared/api/client.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {askSecret, readWholeInput} from './commands/input.ts';
import {showFailure} from './commands/failure.ts';
import {program} from './commands/program.ts';
import {resolveSettings, type Flags, type Settings} from './commands/settings.ts';
import type {Surroundings} from './commands/surroundings.ts';
import {terminal as terminalOf} from './commands/terminal.ts';
import {bootClock, hostBootSources} from './executor/boot-clock.ts';
import {errnoOf} from './state/errno.ts';
import {hostProcesses} from './executor/process-table.ts';

/** The command line's composition root: the only place that chooses its clock, its chance and its streams. */
const {env, stdin, stdout, stderr, argv} = process;
const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');
const home = env['HOME'] ?? homedir();
const terminal = terminalOf({out: stdout, err: stderr}, env);
const nowMs = (): number => Date.now();

const settings = (flags: Flags): Promise<Settings> => resolveSettings(flags, env, home);
const world: Surroundings = {
  env,
  home,
  cwd: process.cwd(),
  repository,
  // By the command and not by this module: the same path runs the program after every update.
  mainFile: join(repository, 'runner/bin/switchyard.mjs'),
  terminal,
  nowMs,
  random: Math.random,
  randomHex: bytes => randomBytes(bytes).toString('hex'),
  machine: () => {
    const clock = bootClock(hostBootSources(nowMs));
    return {bootId: clock.bootId, processes: hostProcesses, clock};
  },
  readInput: charactersMax => readWholeInput(stdin, charactersMax),
  askSecret: question => askSecret({stdin, stderr}, question),
  settings,
  client: async flags => {
    const {url, token} = await settings(flags);
    if (token.value === undefined)
      throw new SwitchyardError(
        'unauthorized',
        `there is no token for ${url.value}: run switchyard up here, or switchyard login`,
      );
    return apiClient({url: url.value, token: token.value});
  },
};

/** The reader of a pipe has gone, as `head` does: there is nobody left to tell. Any other loss of output is a failure. */
function onLostOutput(error: Error): never {
  if (errnoOf(error) === 'EPIPE') process.exit(process.exitCode ?? 0);
  writeSync(stderr.fd, `the output could not be written: ${error.message}\n`);
  process.exit(1);
}
for (const stream of [stdout, stderr]) stream.on('error', onLostOutput);

try {
  await program(world).parseAsync(argv);
} catch (error) {
  const isDebug = (env['SWITCHYARD_DEBUG'] ?? '') !== '';
  process.exitCode = showFailure(error, {terminal, isJson: argv.includes('--json'), isDebug});
}
// A live stream or a pipe that nobody reads any more would keep the process.
stdout.write('', lost => {
  if (lost instanceof Error) onLostOutput(lost);
  stderr.write('', () => process.exit());
});
