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

/** Starts `up` in a session of its own and waits until it is ready; the first task is shown here. */
export async function runInBackground(
  world: Surroundings,
  settings: Settings,
  options: CommonOptions & Readonly<Record<string, unknown>>,
): Outcome {
  const {terminal} = world;
  const {layout} = settings;
  const running = await runningUp(layout.upFile, world.machine());
  if (running !== undefined)
    throw new SwitchyardError('already_running', `process ${running.pid} serves ${running.url} from ${layout.root}`);
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
