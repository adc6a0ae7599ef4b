import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {apiClient} from '@switchyard/shared/api/client.ts';
import {isErrorCode, SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {daemonize} from '../executor/daemonize.ts';
import {identityOf} from '../executor/process-identity.ts';
import {readClientFile} from '../services/client-file.ts';
import {only} from '../services/only.ts';
import {makePrivateDirectory} from '../services/private-file.ts';
import {runningUp, type UpFile} from '../services/up-file.ts';
import {firstTaskIsDone, runFirstTask} from './first-task.ts';
import {untilInterrupted} from './interrupt.ts';
import type {Settings} from './settings.ts';
import type {CommonOptions, Outcome, Surroundings} from './surroundings.ts';
import {summary} from './up-summary.ts';

const readyMsMax = 120_000;
const pollMs = 100;
const tailLines = 5;

/**
 * Starts `up` in a session of its own and waits until it is ready; the first task is shown here. What runs already as it
 * is asked for is shown and stays. Throws `already_running` where something else was asked for.
 */
export async function runInBackground(
  world: Surroundings,
  settings: Settings,
  options: CommonOptions & Readonly<Record<string, unknown>>,
): Outcome {
  const {terminal} = world;
  const {layout} = settings;
  const running = await runningUp(layout.upFile, world.machine());
  if (running !== undefined) return showRunning(world, settings, {running, isJson: options.json === true});
  const progress = terminal.progress('Starting in the background');
  let started: Started;
  try {
    started = await startDetached(world, settings);
  } finally {
    progress.end();
  }
  const {file, logFile} = started;
  if (options.json === true) terminal.out(JSON.stringify({ready: true, ...file, log: logFile}));
  else for (const line of summary(world, settings, file)) terminal.out(line);
  if (options['firstTask'] === false || firstTaskIsDone(layout)) return;
  const {token} = (await readClientFile(layout.localClientFile)) ?? {token: undefined};
  const client = apiClient({url: file.url, token});
  return untilInterrupted(async signal => {
    await runFirstTask({world, layout, client, signal, isQuiet: options.json === true});
  });
}

type Shown = {readonly running: UpFile; readonly isJson: boolean};

function showRunning(world: Surroundings, settings: Settings, {running, isJson}: Shown): void {
  const others = unlike(settings, running);
  const {pid, url} = running;
  if (others.length > 0)
    throw new SwitchyardError(
      'already_running',
      `process ${pid} serves ${url} with ${running.slots} slots from ${settings.layout.root}, asked for ${others.join(', ')}`,
    );
  if (isJson) return world.terminal.out(JSON.stringify({ready: true, was_running: true, ...running}));
  for (const line of summary(world, settings, running)) world.terminal.out(line);
  world.terminal.err('It ran already and goes on as it is');
}

/** What was asked for in so many words and is not what runs. */
function unlike({port, host, slots}: Settings, running: UpFile): readonly string[] {
  const {port: itsPort, hostname} = new URL(running.url);
  return [
    {name: 'port', setting: port, is: itsPort},
    {name: 'host', setting: host, is: hostname},
    {name: 'slots', setting: slots, is: String(running.slots)},
  ].flatMap(({name, setting: {value, from}, is}) =>
    from === 'default' || String(value) === is ? [] : [`${name} ${value} (${from})`],
  );
}

type Started = {readonly file: UpFile; readonly logFile: string};

/**
 * Throws the error that it shows where it ends before it is ready; `executor_unavailable` or `unavailable` where it shows
 * none, or is not ready in time.
 */
async function startDetached(world: Surroundings, {layout, port, host, slots}: Settings): Promise<Started> {
  await makePrivateDirectory(layout.root);
  await makePrivateDirectory(layout.logDirectory);
  const logFile = join(layout.logDirectory, 'up.log');
  const where = ['--state', layout.root, '--port', String(port.value), '--host', host.value];
  const {pid} = await daemonize(
    [process.execPath, world.mainFile, 'up', '--no-first-task', ...where, '--slots', String(slots.value)],
    {cwd: layout.root, env: {...only(world.env, Object.keys(world.env)), NO_COLOR: '1'}, logFile},
  ).catch(async (error: Error) => {
    throw (await saidError(logFile)) ?? error;
  });
  const machine = world.machine();
  const deadline = AbortSignal.timeout(readyMsMax);
  while (!deadline.aborted && identityOf(pid, machine) !== undefined) {
    const file = await runningUp(layout.upFile, machine);
    if (file?.pid === pid) return {file, logFile};
    await wait(pollMs);
  }
  const said = (await tailOf(logFile)).join(' | ');
  throw (await saidError(logFile)) ?? new SwitchyardError('unavailable', `it did not become ready: ${said}`);
}

async function tailOf(logFile: string): Promise<readonly string[]> {
  return (await readFile(logFile, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-tailLines);
}

/** What the end of the log says that went wrong: whoever started it in the background hears what it would have shown. */
async function saidError(logFile: string): Promise<SwitchyardError | undefined> {
  for (const line of (await tailOf(logFile)).toReversed()) {
    const {code = '', detail = ''} = /^(?<code>[a-z_]+): (?<detail>.*)$/.exec(line)?.groups ?? {};
    if (isErrorCode(code)) return new SwitchyardError(code, detail);
  }
  return undefined;
}
