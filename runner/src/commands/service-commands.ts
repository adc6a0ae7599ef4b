import {userInfo} from 'node:os';
import type {Command} from 'commander';
import {readRunnerIdentity} from '../services/runner-identity.ts';
import {
  installService,
  serviceManager,
  serviceStatus,
  uninstallService,
  type ServiceManager,
} from '../services/service-manager.ts';
import type {UnitPlan} from '../services/service-unit.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {flag, group, leaf, text} from './leaf.ts';
import type {CommonOptions, Surroundings} from './surroundings.ts';

export function serviceCommands(world: Surroundings): Command {
  const {terminal} = world;
  return group('service', 'run the runner in the background, from every login on', [
    leaf(
      {
        name: 'install',
        summary: 'install and start the runner as a service of this user (systemd or launchd)',
        examples: ['runner service install', 'runner service install --print', 'runner service install --slots 8'],
        configure: command =>
          command.option('--print', 'show the unit and change nothing').option('--slots <n>', 'tasks at once'),
      },
      async (_, options) => {
        const manager = managerOf(world);
        const plan = await planOf(world, {...options, slots: text(options, 'slots')});
        const unit = manager.unitText(plan).trimEnd();
        if (flag(options, 'print'))
          return terminal.out(options.json === true ? JSON.stringify({path: manager.unitPath, unit}) : unit);
        if ((await readRunnerIdentity((await world.settings(options)).layout.runnerDirectory)) === undefined)
          throw new SwitchyardError(
            'configuration_invalid',
            'this machine is not enrolled: run switchyard runner enrol first',
          );
        if (manager.unavailable !== undefined)
          throw new SwitchyardError(
            'executor_unavailable',
            `${manager.unavailable}; switchyard runner service install --print shows the unit for ${manager.unitPath}`,
          );
        await installService(manager, plan);
        terminal.out(
          options.json === true
            ? JSON.stringify({installed: manager.unitPath})
            : `installed and started: ${manager.unitPath}`,
        );
      },
    ),
    leaf(
      {
        name: 'uninstall',
        summary: 'stop the service and remove its unit; the enrolment stays',
        examples: ['runner service uninstall', 'runner service uninstall --json'],
      },
      async (_, options) => {
        const manager = managerOf(world);
        const wasThere = await uninstallService(manager);
        if (options.json === true) terminal.out(JSON.stringify({removed: wasThere ? manager.unitPath : null}));
        else terminal.out(wasThere ? `removed ${manager.unitPath}` : `there was none: ${manager.unitPath}`);
      },
    ),
    leaf(
      {
        name: 'status',
        summary: 'what the service manager says; exit 1 when it does not run',
        examples: ['runner service status', 'runner service status --json'],
      },
      async (_, options) => {
        const {isRunning, text: said} = await serviceStatus(managerOf(world));
        terminal.out(options.json === true ? JSON.stringify({running: isRunning, text: said}) : said.trimEnd());
        return isRunning ? 0 : 1;
      },
    ),
  ]);
}

function managerOf({home, env}: Surroundings): ServiceManager {
  return serviceManager({platform: process.platform, home, env, userId: userInfo().uid});
}

async function planOf(world: Surroundings, options: CommonOptions): Promise<UnitPlan> {
  const {layout, slots} = await world.settings(options);
  const path = world.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  return {node: process.execPath, main: world.mainFile, state: layout.root, slots: slots.value, path, home: world.home};
}
