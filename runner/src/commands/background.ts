import {spawn} from 'node:child_process';
import {closeSync, mkdirSync, openSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {apiClient} from '@switchyard/shared/api/client.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {readClientFile} from '../services/client-file.ts';
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
  let file: UpFile;
  try {
    file = await startDetached(world, settings);
  } finally {
    progress.end();
  }
  if (options.json === true) terminal.out(JSON.stringify({ready: true, ...file}));
  else for (const line of summary(world, settings, file)) terminal.out(line);
  if (options['firstTask'] === false || firstTaskIsDone(layout)) return;
  const {token} = (await readClientFile(layout.localClientFile)) ?? {token: undefined};
  const client = apiClient({url: file.url, token});
  return untilInterrupted(async signal => {
    await runFirstTask({world, layout, client, signal, isQuiet: options.json === true});
  });
}

async function startDetached(world: Surroundings, {layout, port, host, slots}: Settings): Promise<UpFile> {
  mkdirSync(layout.logDirectory, {recursive: true, mode: 0o700});
  const logFile = join(layout.logDirectory, 'up.log');
  const log = openSync(logFile, 'a', 0o600);
  const args = ['up', '--no-first-task', '--state', layout.root, '--port', String(port.value), '--host', host.value];
  const child = spawn(process.execPath, [world.mainFile, ...args, '--slots', String(slots.value)], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: layout.root,
    env: {...world.env, NO_COLOR: '1'},
  });
  closeSync(log);
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()).once('error', () => resolve()));
  child.unref();
  const deadline = AbortSignal.timeout(readyMsMax);
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  while (!deadline.aborted && !hasEnded) {
    const file = await runningUp(layout.upFile, world.machine());
    if (file?.pid === child.pid && file !== undefined) return file;
    await wait(pollMs);
  }
  const said = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-tailLines).join(' | ');
  throw new SwitchyardError('unavailable', `it did not become ready: ${said}`);
}
