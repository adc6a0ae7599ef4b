import {setTimeout as wait} from 'node:timers/promises';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Machine} from '../executor/process-identity.ts';
import {backoffMs, failuresAfterExit} from './backoff.ts';
import {endGroup, type EndOptions} from './process-group.ts';
import {startServiceProcess, type ServiceCommand, type ServiceExit, type ServiceProcess} from './service-process.ts';
import {removeRecord, writeRecord} from './service-record.ts';

export type ServiceSpec = {
  readonly name: string;
  /** Asked before every start: a restart may have to say something else than the first one. */
  readonly command: () => Promise<ServiceCommand> | ServiceCommand;
  /** What must hold, beyond its own word, before the next service starts. Settles soon after the signal aborts. */
  readonly gate: (said: unknown, signal: AbortSignal) => Promise<void>;
  readonly readyMsMax: number;
  readonly stop: Pick<EndOptions, 'signal' | 'drainMs'>;
  /** The service says that it was told to have everything shut down; may be said more than once. */
  readonly onShutdown?: () => void;
};

export type ServiceStatus = {
  readonly name: string;
  readonly pid: number | null;
  readonly state: 'starting' | 'running' | 'restarting' | 'stopping' | 'stopped' | 'failed';
  readonly restarts: number;
  readonly last_exit: ServiceExit | null;
  readonly next_try_ms: number | null;
};

export type SupervisionContext = {
  /** Holds the records by which a later start finds leftovers. */
  readonly directory: string;
  readonly machine: Machine;
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly mark: () => string;
  readonly onLine: (service: string, line: string) => void;
  readonly onChange: (statuses: readonly ServiceStatus[]) => void;
};

export type Supervision = {
  /** Starts one after the other, each behind its gate. When one fails, those before it are stopped again. */
  readonly start: () => Promise<void>;
  /** Ends them in reverse order; resolves when no process of theirs is left. Safe to call twice. */
  readonly stop: (onStopping?: (name: string) => void) => Promise<void>;
  /** Skips what is left of every drain. */
  readonly hurry: () => void;
  readonly status: () => readonly ServiceStatus[];
};

type Service = {
  readonly spec: ServiceSpec;
  process: ServiceProcess | undefined;
  failures: number;
  status: ServiceStatus;
};

type Run = SupervisionContext & {
  /** Aborted when the supervision ends: nothing is started any more. */
  readonly ending: AbortSignal;
  readonly hurried: AbortSignal;
  readonly change: (service: Service, part: Partial<ServiceStatus>) => void;
};

/** Keeps services running in order: a service that ends by itself is started again after a growing pause. */
export function supervise(specs: readonly ServiceSpec[], context: SupervisionContext): Supervision {
  const services = specs.map((spec): Service => ({
    spec,
    process: undefined,
    failures: 0,
    status: {name: spec.name, pid: null, state: 'stopped', restarts: 0, last_exit: null, next_try_ms: null},
  }));
  const [ending, hurried] = [new AbortController(), new AbortController()];
  const status = (): readonly ServiceStatus[] => services.map(service => service.status);
  const run: Run = {
    ...context,
    ending: ending.signal,
    hurried: hurried.signal,
    change: (service, part) => {
      service.status = {...service.status, ...part};
      context.onChange(status());
    },
  };
  const keepers: Promise<void>[] = [];
  let starting: Promise<void> = Promise.resolve();
  let stopping: Promise<void> | undefined;

  const startAll = async (): Promise<void> => {
    for (const service of services) {
      await launch(run, service);
      keepers.push(keep(run, service));
    }
  };
  const stopAll = async (onStopping?: (name: string) => void): Promise<void> => {
    ending.abort();
    await starting.catch(() => undefined);
    await Promise.all(keepers);
    const survivors: number[] = [];
    for (const service of services.toReversed()) {
      if (service.process !== undefined) onStopping?.(service.spec.name);
      survivors.push(...(await end(run, service)));
    }
    if (survivors.length > 0)
      throw new SwitchyardError('internal', `processes ${survivors.join(', ')} could not be ended`);
  };
  const stop: Supervision['stop'] = onStopping => (stopping ??= stopAll(onStopping));

  return {
    status,
    stop,
    hurry: () => hurried.abort(),
    start: async () => {
      starting = startAll();
      await starting.catch(async (error: unknown) => {
        await stop();
        throw error;
      });
    },
  };
}

async function launch(run: Run, service: Service): Promise<void> {
  const {name, command, gate, readyMsMax, onShutdown = () => undefined} = service.spec;
  const onLine = (line: string): void => run.onLine(name, line);
  const context = {machine: run.machine, mark: run.mark(), onLine, onShutdown};
  const started = await startServiceProcess(name, await command(), context);
  service.process = started;
  run.change(service, {pid: started.record.pid, state: 'starting', next_try_ms: null});
  await writeRecord(run.directory, started.record);
  const late = AbortSignal.timeout(readyMsMax);
  const signal = AbortSignal.any([late, run.ending]);
  const cut = aborted(signal).then(() => {
    if (!late.aborted) throw new SwitchyardError('not_running', `${name} was stopped before it was ready`);
    throw new SwitchyardError('port_timeout', `${name} was not ready within ${readyMsMax / 1_000} s`);
  });
  await Promise.race([started.ready.then(said => gate(said, signal)), cut]);
  run.change(service, {state: 'running'});
}

/** Ends the whole group, also what its leader left behind. Answers whom not even SIGKILL ended. */
async function end(run: Run, service: Service): Promise<readonly number[]> {
  const {process: running, spec} = service;
  if (running === undefined) return [];
  const {survivors} = await endGroup(running.record, run.machine, {...spec.stop, hurry: run.hurried});
  if (survivors.length > 0) {
    run.change(service, {state: 'failed'});
    return survivors;
  }
  const exit = await running.exited;
  running.cutLifeline();
  await removeRecord(run.directory, spec.name);
  service.process = undefined;
  run.change(service, {state: 'stopped', pid: null, last_exit: exit});
  return [];
}

/** Waits until the service ends by itself and brings it back, until the supervision ends. Never rejects. */
async function keep(run: Run, service: Service): Promise<void> {
  let healthySinceMs = run.nowMs();
  for (;;) {
    if (service.status.state === 'running') await Promise.race([service.process?.exited, aborted(run.ending)]);
    if (run.ending.aborted) return;
    const healthyMs = service.status.state === 'running' ? run.nowMs() - healthySinceMs : 0;
    service.failures = failuresAfterExit(service.failures, healthyMs);
    try {
      if ((await end(run, service)).length > 0) return;
      const pauseMs = backoffMs(service.failures - 1, run.random);
      run.change(service, {state: 'restarting', next_try_ms: run.nowMs() + pauseMs});
      run.onLine(service.spec.name, `ended by itself; starts again in ${Math.round(pauseMs / 100) / 10} s`);
      await wait(pauseMs, undefined, {signal: run.ending});
      run.change(service, {restarts: service.status.restarts + 1});
      await launch(run, service);
      healthySinceMs = run.nowMs();
    } catch (error) {
      if (!run.ending.aborted) run.onLine(service.spec.name, error instanceof Error ? error.message : String(error));
    }
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), {once: true}));
}
