import {stat} from 'node:fs/promises';
import {apiClient} from '@switchyard/shared/api/client.ts';
import {getHealth} from '@switchyard/shared/api/pool-contracts.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {readProxyFile} from '../agent/proxy/proxy-file.ts';
import {proxyTrouble} from '../agent/proxy/proxy-watch.ts';
import {isAlive, type Machine} from '../executor/process-identity.ts';
import {logPath} from './service-log.ts';
import {readRecords} from './service-record.ts';
import type {StateLayout} from './state-layout.ts';

/** A component as it is, whatever its supervisor believes. */
export type ComponentCheck = {
  readonly name: string;
  /** The very process that was started, not one that has its number by now. */
  readonly process: 'alive' | 'gone';
  /** Null where it answers as it should. */
  readonly trouble: string | null;
  /** Milliseconds since 1970; null where it has said nothing yet. */
  readonly last_output_ms: number | null;
};

export type ComponentPlace = {
  readonly layout: StateLayout;
  readonly machine: Machine;
  /** Where the control plane of this machine answers. */
  readonly url: string;
};

/** Looks at every component that was started on this machine: its process, whether it answers, and when it last wrote. */
export async function checkComponents({layout, machine, url}: ComponentPlace): Promise<readonly ComponentCheck[]> {
  const probes: Readonly<Record<string, () => Promise<string | null>>> = {
    'control-plane': async () => controlPlaneTrouble(url),
    runner: async () => runnerTrouble(layout.runnerDirectory),
  };
  const records = await readRecords(layout.servicesDirectory);
  const checks = records.map(async (record): Promise<ComponentCheck> => {
    const alive = isAlive(record, machine);
    return {
      name: record.name,
      process: alive ? 'alive' : 'gone',
      trouble: alive ? ((await probes[record.name]?.()) ?? null) : `process ${record.pid} is gone`,
      last_output_ms: await writtenMs(logPath(layout.logDirectory, record.name)),
    };
  });
  return Promise.all(checks);
}

async function controlPlaneTrouble(url: string): Promise<string | null> {
  try {
    const {checks} = await apiClient({url, timeoutMs: limits.modelProxyAnswerMs}).call(getHealth, {});
    const bad = Object.entries(checks).filter(([, {ok}]) => !ok);
    return bad.length === 0 ? null : bad.map(([name, {detail}]) => `${name}: ${detail}`).join(', ');
  } catch (error) {
    return error instanceof SwitchyardError ? error.detail : String(error);
  }
}

/** What a runner answers on this machine is its model proxy. */
async function runnerTrouble(runnerDirectory: string): Promise<string | null> {
  const file = await readProxyFile(runnerDirectory);
  if (file === undefined) return 'it has no model proxy yet';
  return proxyTrouble(() => `http://127.0.0.1:${file.port}`);
}

async function writtenMs(path: string): Promise<number | null> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? null : Math.floor(found.mtimeMs);
}
