import type {InstallationOptions} from '../services/installation.ts';
import type {Settings} from './settings.ts';
import type {Surroundings} from './surroundings.ts';

export function installationOptions(
  world: Surroundings,
  {layout, host, port, slots}: Settings,
  onStep: (what: string) => void,
  signal: AbortSignal,
): InstallationOptions {
  return {
    layout,
    host: host.value,
    port: port.value,
    slots: slots.value,
    program: {node: process.execPath, main: world.mainFile},
    env: world.env,
    machine: world.machine(),
    nowMs: world.nowMs,
    random: world.random,
    randomHex: world.randomHex,
    onStep,
    signal,
  };
}
