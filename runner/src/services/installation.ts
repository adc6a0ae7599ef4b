import {setTimeout as wait} from 'node:timers/promises';
import {apiClient, type ApiClient} from '@switchyard/shared/api/client.ts';
import {changePool, getHealth, getPool} from '@switchyard/shared/api/pool-contracts.ts';
import {listRunners} from '@switchyard/shared/api/runner-contracts.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {identityOf} from '../executor/process-identity.ts';
import {waitForPort} from '../executor/wait-for-port.ts';
import {acquireStateLock} from '../state/state-lock.ts';
import {removeUnfinished} from '../state/unfinished-files.ts';
import type {ClientFile} from './client-file.ts';
import {endAttempts, type HostMachine} from './end-attempts.ts';
import {reapLeftovers} from './leftovers.ts';
import {localPool, localRunner} from './local-pool.ts';
import {only} from './only.ts';
import {checkPortFree} from './port.ts';
import {makePrivateDirectory, removeFile, writePrivateFile} from './private-file.ts';
import type {RunnerIdentity} from './runner-identity.ts';
import {serviceLog} from './service-log.ts';
import type {StateLayout} from './state-layout.ts';
import {supervise, type ServiceSpec, type Supervision} from './supervise.ts';
import {upFileSchema, type UpFile} from './up-file.ts';

export type InstallationOptions = {
  readonly layout: StateLayout;
  readonly host: string;
  readonly port: number;
  readonly slots: number;
  /** Starts this program: the Node that runs it and the file it runs. */
  readonly program: {readonly node: string; readonly main: string};
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly machine: HostMachine;
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly randomHex: (bytes: number) => string;
  /** What is being waited for, in words for a person. */
  readonly onStep: (what: string) => void;
  /** Aborting it ends the start. */
  readonly signal: AbortSignal;
};

export type Installation = {
  readonly client: ApiClient;
  readonly file: UpFile;
  /** Resolves when somebody who may has asked the control plane to shut down. */
  readonly shutdownAsked: Promise<void>;
  readonly stop: Supervision['stop'];
  readonly hurry: Supervision['hurry'];
};

const readyMsMax = 60_000;
/** The control plane says that it is ready when it listens: this is for a machine that is busy. */
const portMsMax = 30_000;
const pollMs = 100;
const leftoverDrainMs = 5_000;
/** Ending agents takes a soft stop of ten seconds, and saving their work. */
const runnerDrainMs = 30_000;
const controlPlaneDrainMs = 5_000;

/** Of the environment of this process, what the control plane needs: no key of anybody but its own dispatchers. */
const workerVariables = ['SWITCHYARD_LEASE', 'DISPATCH_SECRET', 'DISPATCH_POOL'];
const plainVariables = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'LC_ALL', 'TZ', 'NODE_EXTRA_CA_CERTS', ...workerVariables];
/**
 * What waits for most of its life should be small, and may be slow: requests go to workerd without passing through the Node
 * beside it, and a runner lives on a machine that others work on. Starting leaves hundreds of megabytes of freed buffers, which
 * glibc keeps unless it is told not to.
 */
const frugalNode = {
  args: ['--max-semi-space-size=2', '--optimize-for-size'],
  env: {MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '65536'},
};
/** What the runner must not inherit: it has an identity of its own. */
const ownVariables = /^(?:SWITCHYARD_(?:TOKEN|URL|STATE|SERVICE)|DISPATCH_(?:SECRET|POOL)|NODE_OPTIONS)$/;

/**
 * The whole of Switchyard on this machine: an embedded control plane, then a runner of it, supervised. Resolves when
 * the runner is connected. Whatever an earlier start left running is ended first.
 *
 * @throws SwitchyardError `already_running`, `port_taken`, or why a part did not start; nothing runs then
 */
export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const {layout, machine, host, port, signal} = options;
  await makePrivateDirectory(layout.root);
  await makePrivateDirectory(layout.servicesDirectory);
  const self = identityOf(process.pid, machine) ?? {pid: process.pid, started: '', bootId: machine.bootId};
  const lock = acquireStateLock(layout.servicesDirectory, {pid: self.pid, start: self.started, boot_id: self.bootId});
  try {
    for (const folder of [layout.root, layout.controlPlaneDirectory]) removeUnfinished(folder, options.nowMs());
    const reaped = await reapLeftovers(layout.servicesDirectory, machine, leftoverDrainMs);
    for (const name of reaped) options.onStep(`Ended ${name} of an earlier start`);
    await checkPortFree(host, port);
    const parts = new Parts(options);
    const supervision = superviseParts(parts, options);
    const abort = (): void => void supervision.stop().catch(() => undefined);
    signal.addEventListener('abort', abort, {once: true});
    signal.throwIfAborted();
    await supervision.start().finally(() => signal.removeEventListener('abort', abort));
    const {file, client, runner} = parts.ready();
    const up = upFileSchema.parse({
      ...self,
      url: file.url,
      team: file.team ?? '',
      pool: file.pool ?? '',
      runner: runner.runner,
      slots: options.slots,
      ready_ms: options.nowMs(),
    });
    await writePrivateFile(layout.upFile, `${JSON.stringify(up)}\n`);
    return {
      client,
      file: up,
      shutdownAsked: parts.shutdown.promise,
      hurry: supervision.hurry,
      stop: async onStopping => {
        await supervision.stop(onStopping);
        await endAttempts(layout.runnerDirectory, machine);
        await supervision.written();
        await removeFile(layout.upFile);
        await removeFile(layout.statusFile);
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** What the gates find out and the next services need. */
class Parts {
  readonly #options: InstallationOptions;
  readonly shutdown = Promise.withResolvers<void>();
  #found: {readonly file: ClientFile; readonly client: ApiClient; readonly runner: RunnerIdentity} | undefined;

  constructor(options: InstallationOptions) {
    this.#options = options;
  }

  ready(): {readonly file: ClientFile; readonly client: ApiClient; readonly runner: RunnerIdentity} {
    if (this.#found === undefined) throw new SwitchyardError('not_running', 'the control plane is not ready');
    return this.#found;
  }

  async controlPlaneGate(signal: AbortSignal): Promise<void> {
    const {host, port, layout} = this.#options;
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
    await waitForPort({host, port, timeoutMs: portMsMax, signal});
    const health = await apiClient({url}).call(getHealth, {signal});
    if (health.status !== 'ok') {
      const bad = Object.entries(health.checks).filter(([, {ok}]) => !ok);
      throw new SwitchyardError('unavailable', bad.map(([name, {detail}]) => `${name}: ${detail}`).join(', '));
    }
    const {file, client} = await localPool(layout, url);
    // A restart in the middle of a shutdown must not lift it; this start of the whole is the end of an earlier one.
    if (this.#found === undefined) await endShutdown(client);
    this.#found = {file, client, runner: await localRunner(layout, client)};
  }

  async runnerGate(signal: AbortSignal): Promise<void> {
    const {client, runner} = this.ready();
    while (!signal.aborted) {
      const {runners} = await client.call(listRunners, {signal});
      const state = runners.find(({id}) => id === runner.runner)?.state;
      if (state === 'connected' || state === 'draining') return;
      if (state === 'revoked')
        throw new SwitchyardError('runner_revoked', `${runner.runner} of this machine was revoked`);
      await wait(pollMs, undefined, {signal});
    }
  }
}

async function endShutdown(client: ApiClient): Promise<void> {
  const {settings} = await client.call(getPool, {});
  if (settings.draining) await client.call(changePool, {body: {draining: false}});
}

function superviseParts(parts: Parts, options: InstallationOptions): Supervision & {written: () => Promise<void>} {
  const {layout, onStep, nowMs} = options;
  const log = serviceLog(layout.logDirectory, nowMs);
  let lastWrite: Promise<void> = Promise.resolve();
  const supervision = supervise([controlPlaneSpec(parts, options), runnerSpec(parts, options)], {
    directory: layout.servicesDirectory,
    machine: options.machine,
    nowMs,
    random: options.random,
    mark: () => options.randomHex(16),
    onLine: log.write,
    onChange: statuses => {
      const starting = statuses.find(({state}) => state === 'starting');
      if (starting !== undefined) onStep(`Starting ${starting.name}`);
      const text = `${JSON.stringify({services: statuses})}\n`;
      lastWrite = lastWrite.then(() => writePrivateFile(layout.statusFile, text)).catch(() => undefined);
    },
  });
  return {...supervision, written: () => lastWrite};
}

function controlPlaneSpec(parts: Parts, {program, layout, host, port, env}: InstallationOptions): ServiceSpec {
  const args = ['control-plane', '--state', layout.root, '--host', host, '--port', String(port)];
  return {
    name: 'control-plane',
    command: () => ({
      file: program.node,
      args: [...frugalNode.args, program.main, ...args],
      env: {...only(env, plainVariables), ...frugalNode.env},
      cwd: layout.root,
    }),
    gate: (_, signal) => parts.controlPlaneGate(signal),
    readyMsMax,
    stop: {signal: 'SIGTERM', drainMs: controlPlaneDrainMs},
    onShutdown: () => parts.shutdown.resolve(),
  };
}

function runnerSpec(parts: Parts, {program, layout, slots, env}: InstallationOptions): ServiceSpec {
  const args = ['runner', 'start', '--state', layout.root, '--slots', String(slots), '--lifeline', '--json'];
  return {
    name: 'runner',
    command: () => ({
      file: program.node,
      args: [...frugalNode.args, program.main, ...args],
      env: {
        ...only(
          env,
          Object.keys(env).filter(name => !ownVariables.test(name)),
        ),
        ...frugalNode.env,
      },
      cwd: layout.root,
    }),
    gate: (_, signal) => parts.runnerGate(signal),
    readyMsMax,
    // Here SIGINT also ends the agents: nothing that was started on this machine may outlive the command.
    stop: {signal: 'SIGINT', drainMs: runnerDrainMs},
  };
}
