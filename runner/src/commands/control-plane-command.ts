import type {Command} from 'commander';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {localPoolName} from '../services/local-pool.ts';
import {only} from '../services/only.ts';
import {leaf, text} from './leaf.ts';
import type {Surroundings} from './surroundings.ts';
import {untilStopped} from './until-stopped.ts';

/** Settings of the Worker that the owner of this machine may make. */
const workerSettings = ['SWITCHYARD_LEASE', 'DISPATCH_SECRET', 'DISPATCH_POOL'];

/**
 * The embedded control plane as a process of its own, started by `up`. Speaks one line of JSON on standard output when
 * it is ready or cannot be, another when the pool of this machine is to be shut down, and stops when its standard input
 * ends: whoever started it is gone then.
 */
export function controlPlaneCommand(world: Surroundings): Command {
  return leaf(
    {
      name: 'control-plane',
      summary: 'the embedded control plane alone',
      examples: [],
      isHidden: true,
      configure: command => command.option('--port <n>').option('--host <address>'),
    },
    async (_, options) => {
      const {terminal, env, repository} = world;
      const settings = await world.settings({...options, port: text(options, 'port'), host: text(options, 'host')});
      try {
        // Loading workerd's front end takes a quarter of a second, which no other command should wait for.
        const {startControlPlane} = await import('../services/control-plane.ts');
        const running = await startControlPlane({
          repository,
          directory: settings.layout.controlPlaneDirectory,
          host: settings.host.value,
          port: settings.port.value,
          variables: only(env, workerSettings),
          onShutdown: pool => {
            if (pool !== localPoolName) return false;
            terminal.out(JSON.stringify({shutdown: true}));
            return true;
          },
          onLine: terminal.err,
        });
        terminal.out(JSON.stringify({ready: true, url: running.url, pid: process.pid}));
        await untilStopped({lifeline: true});
        await running.stop();
      } catch (error) {
        if (!(error instanceof SwitchyardError)) throw error;
        terminal.out(JSON.stringify({error: {code: error.code, detail: error.detail}}));
        return 1;
      }
    },
  );
}
