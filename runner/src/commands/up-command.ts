import type {Command} from 'commander';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {untilPoolIsIdle} from '../services/idle-pool.ts';
import {startInstallation, type Installation} from '../services/installation.ts';
import {runInBackground} from './background.ts';
import {firstTaskIsDone, runFirstTask} from './first-task.ts';
import {installationOptions} from './installation-options.ts';
import {flag, leaf, text} from './leaf.ts';
import type {Settings} from './settings.ts';
import type {CommonOptions, ExitCode, Outcome, Surroundings} from './surroundings.ts';
import {onStopSignals} from './stop-signals.ts';
import {duration} from './units.ts';
import {nextSteps, summary} from './up-summary.ts';

type Options = CommonOptions & Readonly<Record<string, unknown>>;

export function upCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'up',
      summary: 'run everything on this machine: control plane, pool and runner',
      aliases: ['start'],
      examples: ['up', 'up -d', 'up --port 9000 --slots 4 --state /var/lib/switchyard'],
      configure: command =>
        command
          .option('-d, --detach', 'in the background; switchyard down stops it')
          .option('--port <n>', 'of the control plane (SWITCHYARD_PORT, 7420)')
          .option('--host <address>', 'to listen on (SWITCHYARD_HOST, 127.0.0.1)')
          .option('--slots <n>', 'tasks at once (SWITCHYARD_SLOTS, at most 4)')
          .option('--no-first-task', 'do not run a sample task on the first start'),
    },
    async (_, options) => {
      const flags = {
        ...options,
        port: text(options, 'port'),
        host: text(options, 'host'),
        slots: text(options, 'slots'),
      };
      const settings = await world.settings(flags);
      return flag(options, 'detach')
        ? runInBackground(world, settings, options)
        : runInForeground(world, settings, options);
    },
  );
}

/**
 * Everything until a signal comes: a first Ctrl-C stops the parts in reverse order, a second one kills them at once.
 * Exits 0 after a stop that was asked for, 130 when it had to be hurried.
 */
async function runInForeground(world: Surroundings, settings: Settings, options: Options): Outcome {
  const {terminal} = world;
  const stopping = new AbortController();
  let installation: Installation | undefined;
  let wasHurried = false;
  onStopSignals(process, {
    isStopping: () => stopping.signal.aborted,
    stop: () => stopping.abort(new SwitchyardError('not_running', 'it was stopped')),
    hurry: () => {
      wasHurried = true;
      terminal.err('Killing everything now');
      installation?.hurry();
    },
  });

  const progress = terminal.progress('Starting');
  try {
    installation = await startInstallation(installationOptions(world, settings, progress.update, stopping.signal));
  } catch (error) {
    progress.end();
    if (!stopping.signal.aborted) throw error;
    terminal.err('Stopped before everything had started');
    return 0;
  }
  progress.end();
  const {client, shutdownAsked} = installation;
  void shutdownAsked.then(async () => {
    terminal.err('Shutting down as asked: no new attempt starts, and this ends after those that run');
    await untilPoolIsIdle(client, stopping.signal).catch(() => undefined);
    stopping.abort(new SwitchyardError('not_running', 'it was shut down'));
  });
  const code = await whileRunning(world, {installation, settings, options, signal: stopping.signal});
  const startedMs = world.nowMs();
  await installation.stop(name => terminal.err(`Stopping ${name}`));
  terminal.err(`Stopped in ${duration(world.nowMs() - startedMs)}; nothing is left running, tasks are kept`);
  return wasHurried ? 130 : code;
}

type Running = {
  readonly installation: Installation;
  readonly settings: Settings;
  readonly options: Options;
  readonly signal: AbortSignal;
};

async function whileRunning(
  world: Surroundings,
  {installation, settings, options, signal}: Running,
): Promise<ExitCode> {
  const {terminal} = world;
  const isJson = options.json === true;
  if (isJson) terminal.out(JSON.stringify({ready: true, ...installation.file}));
  else for (const line of summary(world, settings, installation.file)) terminal.out(line);
  try {
    if (options['firstTask'] !== false && !firstTaskIsDone(settings.layout)) {
      const task = await runFirstTask({
        world,
        layout: settings.layout,
        client: installation.client,
        signal,
        isQuiet: isJson,
      });
      if (isJson) terminal.out(JSON.stringify({first_task: task.id, state: task.state}));
    }
  } catch (error) {
    if (!signal.aborted)
      terminal.err(`The first task could not be run: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isJson && !signal.aborted) for (const line of nextSteps(world, settings)) terminal.out(line);
  await new Promise<void>(resolve => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), {once: true});
  });
  return 0;
}
