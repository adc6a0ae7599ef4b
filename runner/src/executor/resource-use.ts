import {execFile} from 'node:child_process';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';
import type {AgentUse} from '@switchyard/shared/policy/runaway.ts';
import {cgroupAt, cgroupPids} from './cgroup.ts';
import {heldMemoryBytesMax} from './cgroup-memory.ts';
import {belongingPids} from './leftover-processes.ts';
import type {Machine} from './process-identity.ts';
import {readAgentIdentity, readMeta, readShimIdentity} from './run-directory.ts';

type ProcessUse = Pick<AgentUse, 'rssBytes' | 'cpuMs'>;

/** USER_HZ: what /proc counts time in, on every architecture that Linux has kept its interface on. */
const MS_PER_TICK = 10;
const PS_MS_MAX = 10_000;
const execFileAsync = promisify(execFile);

/**
 * What the agent and everything that it started use right now, `cpuMs` since each of these processes began. Looks once;
 * undefined where no agent runs. From its cgroup where there is one, which also counts what processes used
 * that have ended; else from the process table, by session, group and descent.
 */
export async function resourceUse(runDir: string, machine: Machine): Promise<AgentUse | undefined> {
  const [meta, shim] = [await readMeta(runDir), await readShimIdentity(runDir)];
  const agentPath =
    shim?.heldBy === 'cgroup' && meta?.cgroup !== undefined ? cgroupAt(meta.cgroup).agentPath : undefined;
  const pids = agentPath === undefined ? await treePids(runDir, machine) : await cgroupPids(agentPath);
  const used = process.platform === 'linux' ? await procUse(pids) : await psUse(pids);
  if (used.length === 0) return undefined;
  const sum = (of: (use: ProcessUse) => number): number => used.reduce((total, use) => total + of(use), 0);
  const cpuMs = (agentPath === undefined ? undefined : await cgroupCpuMs(agentPath)) ?? sum(use => use.cpuMs);
  const held = agentPath === undefined ? undefined : await heldMemoryBytesMax(agentPath);
  const rssBytes = sum(use => use.rssBytes);
  return {rssBytes, cpuMs, processes: used.length, ...(held !== undefined && {heldMemoryBytesMax: held})};
}

async function treePids(runDir: string, {bootId, processes}: Machine): Promise<readonly number[]> {
  const agent = await readAgentIdentity(runDir);
  if (agent === undefined || agent.bootId !== bootId) return [];
  // Only what is cheap to read of every process of the machine: no environments, no open files.
  const traces = {mark: undefined, cwd: undefined, files: []};
  return belongingPids(processes.list(), () => traces, {
    mark: '',
    leaders: [agent],
    worktree: undefined,
    logs: [],
    spared: new Set([process.pid]),
  });
}

async function cgroupCpuMs(path: string): Promise<number | undefined> {
  const text = await readFile(join(path, 'cpu.stat'), 'utf8').catch(() => '');
  const [, micros] = /^usage_usec (\d+)$/m.exec(text) ?? [];
  return micros === undefined ? undefined : Math.round(Number(micros) / 1_000);
}

async function procUse(pids: readonly number[]): Promise<readonly ProcessUse[]> {
  const uses = await Promise.all(
    pids.map(async pid => {
      const read = async (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
      return parseProcUse(await read('stat'), await read('status'));
    }),
  );
  return uses.filter(use => use !== undefined);
}

/**
 * Field numbers are those of proc(5). The time of children counts once they were waited for, so that compilers which
 * live for a second are not missed.
 */
export function parseProcUse(stat: string, status: string): ProcessUse | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = [14, 15, 16, 17].map(field => Number(fields[field - 3]));
  if (fields[0] === 'Z' || fields.length < 20 || ticks.some(value => !Number.isSafeInteger(value))) return undefined;
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  const cpuMs = ticks.reduce((total, value) => total + value, 0) * MS_PER_TICK;
  return {cpuMs, rssBytes: Number(kilobytes ?? 0) * 1_024};
}

async function psUse(pids: readonly number[]): Promise<readonly ProcessUse[]> {
  if (pids.length === 0) return [];
  const env = {LC_ALL: 'C', PATH: '/usr/bin:/bin'};
  const args = ['-o', 'rss=,time=', '-p', pids.join(',')];
  const text = await execFileAsync('ps', args, {encoding: 'utf8', env, timeout: PS_MS_MAX}).then(
    ({stdout}) => stdout,
    () => '', // ps fails when none of them lives any more
  );
  return parsePsUse(text);
}

/** Kilobytes, then `[[days-]hours:]minutes:seconds[.hundredths]`. */
export function parsePsUse(text: string): readonly ProcessUse[] {
  return text.split('\n').flatMap(line => {
    const found =
      /^\s*(?<rss>\d+)\s+(?:(?<days>\d+)-)?(?:(?<hours>\d+):)?(?<minutes>\d+):(?<seconds>\d+(?:\.\d+)?)\s*$/.exec(line);
    if (found?.groups === undefined) return [];
    const of = (name: string): number => Number(found.groups?.[name] ?? 0);
    const seconds = ((of('days') * 24 + of('hours')) * 60 + of('minutes')) * 60 + of('seconds');
    return [{rssBytes: of('rss') * 1_024, cpuMs: Math.round(seconds * 1_000)}];
  });
}
