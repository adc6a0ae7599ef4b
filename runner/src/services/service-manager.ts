import {execFile} from 'node:child_process';
import {mkdir, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {promisify} from 'node:util';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {findProgram} from './agent-clis.ts';
import {removeFile} from './private-file.ts';
import {launchdAgent, launchdLabel, systemdUnit, systemdUnitName, type UnitPlan} from './service-unit.ts';
import {errnoOf} from '../state/errno.ts';

const commandMs = 20_000;

export type ServiceHost = {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly userId: number;
  readonly env: Readonly<Record<string, string | undefined>>;
};

export type ServiceManager = {
  readonly kind: 'systemd' | 'launchd';
  readonly unitPath: string;
  readonly unitText: (plan: UnitPlan) => string;
  /** Absent where the manager cannot be spoken to from here; the reason is for a person. */
  readonly unavailable: string | undefined;
  readonly enable: readonly (readonly string[])[];
  readonly disable: readonly (readonly string[])[];
  readonly status: readonly string[];
};

/** The service manager of this machine. Throws `executor_unavailable` where there is none that we know. */
export function serviceManager({platform, home, userId, env}: ServiceHost): ServiceManager {
  if (platform === 'darwin') {
    const unitPath = join(home, 'Library', 'LaunchAgents', `${launchdLabel}.plist`);
    const domain = `gui/${userId}`;
    return {
      kind: 'launchd',
      unitPath,
      unitText: launchdAgent,
      unavailable: findProgram('launchctl', env['PATH']) === undefined ? 'launchctl is not on PATH' : undefined,
      enable: [['launchctl', 'bootstrap', domain, unitPath]],
      disable: [['launchctl', 'bootout', `${domain}/${launchdLabel}`]],
      status: ['launchctl', 'print', `${domain}/${launchdLabel}`],
    };
  }
  if (platform !== 'linux') throw new SwitchyardError('executor_unavailable', `services on ${platform} are not known`);
  const configuration = env['XDG_CONFIG_HOME'] ?? join(home, '.config');
  const user = ['systemctl', '--user'];
  return {
    kind: 'systemd',
    unitPath: join(configuration, 'systemd', 'user', systemdUnitName),
    unitText: systemdUnit,
    unavailable: systemdMissing(env),
    enable: [
      [...user, 'daemon-reload'],
      [...user, 'enable', '--now', systemdUnitName],
    ],
    disable: [[...user, 'disable', '--now', systemdUnitName]],
    status: [...user, '--no-pager', 'status', systemdUnitName],
  };
}

function systemdMissing(env: ServiceHost['env']): string | undefined {
  if (findProgram('systemctl', env['PATH']) === undefined) return 'systemctl is not on PATH';
  return (env['XDG_RUNTIME_DIR'] ?? '') === ''
    ? 'there is no user session of systemd (XDG_RUNTIME_DIR is not set): log in directly, or run loginctl enable-linger'
    : undefined;
}

/** Writes the unit and starts it; takes the file away again when it cannot be started. */
export async function installService(manager: ServiceManager, plan: UnitPlan): Promise<void> {
  await mkdir(dirname(manager.unitPath), {recursive: true});
  await writeFile(manager.unitPath, manager.unitText(plan), {mode: 0o644});
  try {
    for (const argv of manager.enable) await run(argv);
  } catch (error) {
    await removeFile(manager.unitPath);
    throw error;
  }
}

/** Stops the service and removes its unit; a service that is not there is no error. */
export async function uninstallService(manager: ServiceManager): Promise<boolean> {
  for (const argv of manager.disable) await run(argv).catch(() => undefined);
  return removeFile(manager.unitPath);
}

/** What the manager prints, whatever the exit code says. */
export async function serviceStatus(manager: ServiceManager): Promise<{isRunning: boolean; text: string}> {
  try {
    return {isRunning: true, text: await run(manager.status)};
  } catch (error) {
    return {isRunning: false, text: error instanceof SwitchyardError ? error.detail : String(error)};
  }
}

async function run([file = '', ...args]: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(file, args, {timeout: commandMs})).stdout;
  } catch (cause) {
    const said = [errnoOf(cause), textOf(cause, 'stdout'), textOf(cause, 'stderr')].filter(Boolean).join(' ').trim();
    throw new SwitchyardError('unavailable', `${[file, ...args].join(' ')}: ${said}`, {cause});
  }
}

function textOf(error: unknown, name: 'stdout' | 'stderr'): string {
  const value: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
  return typeof value === 'string' ? value.trim() : '';
}
