import type {Command} from 'commander';
import {createTask} from '@switchyard/shared/api/task-contracts.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {startInstallation} from '../services/installation.ts';
import {freePort} from '../services/port.ts';
import {temporaryTree} from '../services/temporary-tree.ts';
import {sampleRepository, sampleTask} from '../services/sample-repository.ts';
import {stateLayout} from '../services/state-layout.ts';
import {untilInterrupted} from './interrupt.ts';
import {flag, leaf} from './leaf.ts';
import type {CommonOptions, ExitCode, Surroundings} from './surroundings.ts';
import {installationOptions} from './installation-options.ts';
import {duration} from './units.ts';
import {outcomeLines, watchTask} from './watch-task.ts';

export function demoCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'demo',
      summary: 'one real task through everything, in a throwaway directory',
      examples: ['demo', 'demo --json | tail -n 1', 'demo --keep'],
      configure: command => command.option('--keep', 'leave the directory with its state, repository and logs'),
    },
    async (_, options) => untilInterrupted(signal => runDemo(world, options, signal)),
  );
}

async function runDemo(
  world: Surroundings,
  options: CommonOptions & Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<ExitCode> {
  const {terminal, env} = world;
  const isJson = options.json === true;
  const tree = await temporaryTree('switchyard-demo-');
  const settings = {
    ...(await world.settings({})),
    layout: stateLayout(tree.path),
    host: {value: '127.0.0.1', from: 'demo'},
    port: {value: await freePort(), from: 'demo'},
    slots: {value: 1, from: 'demo'},
  };
  const progress = terminal.progress('Starting a control plane and a runner');
  try {
    const installation = await startInstallation(installationOptions(world, settings, progress.update, signal));
    progress.end();
    try {
      const url = await sampleRepository(settings.layout.sampleDirectory, env['PATH'] ?? '');
      const {client} = installation;
      const created = await client.call(createTask, {body: sampleTask(url), signal});
      if (!isJson) terminal.out(`Task ${created.id}: repair the failing test of a sample repository\n`);
      const task = await watchTask(created.id, {client, terminal, signal, isQuiet: isJson});
      report(world, {task, isJson, isKept: flag(options, 'keep')});
      return task.state === 'succeeded' ? 0 : 1;
    } finally {
      await installation.stop();
    }
  } finally {
    progress.end();
    if (flag(options, 'keep')) terminal.err(`Kept ${tree.path}`);
    else await tree.remove();
  }
}

type Report = {readonly task: TaskView; readonly isJson: boolean; readonly isKept: boolean};

function report({terminal}: Surroundings, {task, isJson, isKept}: Report): void {
  const ms = timings(task);
  if (isJson) {
    const git = task.result?.git;
    terminal.out(
      JSON.stringify({
        task: task.id,
        state: task.state,
        branch: git?.branch ?? null,
        commit: git?.head_sha ?? null,
        log_bytes: task.result?.log_bytes ?? 0,
        ms,
      }),
    );
    return;
  }
  terminal.out('');
  for (const line of outcomeLines(task, terminal, {isKept})) terminal.out(line);
  if (ms.queued_to_running !== null) terminal.out(`  queue   ${duration(ms.queued_to_running)} from queued to running`);
}

function timings(task: TaskView): {queued_to_running: number | null; total: number | null} {
  const {created_ms: createdMs, queued_ms: queuedMs, started_ms: startedMs, finished_ms: finishedMs} = task;
  return {
    queued_to_running: startedMs === null ? null : startedMs - (queuedMs ?? createdMs),
    total: finishedMs === null ? null : finishedMs - createdMs,
  };
}
