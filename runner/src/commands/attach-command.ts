import {spawnSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import type {Command} from 'commander';
import {getTask} from '@switchyard/shared/api/task-contracts.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {withDriver} from '../agent/drivers.ts';
import {LOG_FILE, runDirectoryOf} from '../attempt/attempt-paths.ts';
import {tmuxViewer} from '../executor/tmux-viewer.ts';
import {findProgram} from '../services/agent-clis.ts';
import {flag, leaf} from './leaf.ts';
import type {Surroundings} from './surroundings.ts';
import {taskId} from './watch-task.ts';

export function attachCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'attach <task>',
      summary: 'watch a running task of this machine in tmux',
      examples: ['attach tsk_…', 'attach tsk_… --take-over', 'attach tsk_… --print'],
      configure: command =>
        command
          .option('--take-over', 'lines typed below the log go to the agent')
          .option('--print', 'say the command that attaches, for another terminal'),
    },
    async ([id], options) => {
      const {terminal, env} = world;
      const task = taskId(id);
      if (findProgram('tmux', env['PATH']) === undefined)
        throw new SwitchyardError('executor_unavailable', 'tmux is not installed: switchyard doctor shows how');
      const {layout} = await world.settings(options);
      const {epoch, spec} = await (await world.client(options)).call(getTask, {params: {task}});
      const runDirectory = runDirectoryOf(layout.runnerDirectory, {task, epoch});
      if (!existsSync(runDirectory))
        throw new SwitchyardError('not_found', `${task} does not run on this machine; use switchyard task logs -f`);
      if (flag(options, 'takeOver') && !withDriver(spec, driver => driver.takesTyping))
        throw new SwitchyardError('invalid_request', `the ${spec.agent.driver} agent of ${task} reads no input`);
      const viewer = tmuxViewer({stateDir: layout.runnerDirectory, env: tmuxEnvironment(env), shownFile: LOG_FILE});
      const open = flag(options, 'takeOver') ? viewer.takeOver : viewer.open;
      const {name, attachCommand: attach} = await open({task, epoch}, runDirectory);
      if (options.json === true) return terminal.out(JSON.stringify({session: name, attach}));
      if (flag(options, 'print') || !terminal.isInteractive) return terminal.out(attach);
      return spawnSync('sh', ['-c', attach], {stdio: 'inherit'}).status === 0 ? 0 : 1;
    },
  );
}

function tmuxEnvironment(env: Surroundings['env']): Record<string, string> {
  const names = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TERM'];
  return Object.fromEntries(names.flatMap(name => (env[name] === undefined ? [] : [[name, env[name]]])));
}
