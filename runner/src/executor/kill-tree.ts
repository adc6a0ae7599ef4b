import {realpath} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {attemptMark, parseAttemptLabel} from './attempt-name.ts';
import type {BootClock} from './boot-clock.ts';
import {cgroupAt, cgroupPids, killCgroup, removeCgroup} from './cgroup.ts';
import {belongingPids, isWhatItSays, lineage, readTraces, type Belonging} from './leftover-processes.ts';
import {isAlive, type Machine, type ProcessIdentity} from './process-identity.ts';
import {
  readAgentIdentity,
  readExit,
  readKilled,
  readMeta,
  readShimIdentity,
  runFiles,
  writeKilled,
} from './run-directory.ts';
import type {RunMeta} from './run-directory.ts';
import {voidClaim} from './run-status.ts';

export type KillOptions = {
  /** Written to the run directory before the kill, such as `gone` or `cancelled`; lower case and underscores. */
  readonly reason: string;
  /** Time between SIGTERM and SIGKILL; 0 kills at once. */
  readonly graceMs: number;
};

/** `survivors` are pids that could not be ended, as a process in an uninterruptible system call cannot. */
export type KillOutcome = {readonly survivors: readonly number[]};

const POLL_MS = 20;
const KILL_MS_MAX = 5_000;
const EXIT_RECORD_MS_MAX = 3_000;

/**
 * Ends every process of an attempt and takes its cgroup away. An attempt that has not begun will never begin.
 * Idempotent: killing what is dead finds nobody. Cancelled by nothing; ends within `graceMs` and 15 s. When this
 * process dies in the middle, the call can simply be made again by the next one.
 */
export async function killTree(
  runDir: string,
  options: KillOptions,
  machine: Machine & {readonly clock: BootClock},
): Promise<KillOutcome> {
  const meta = await readMeta(runDir);
  await voidClaim(runDir);
  // The first reason stays.
  if ((await readExit(runDir)) === undefined && (await readKilled(runDir)) === undefined)
    // A full disk must not keep an agent alive.
    await writeKilled(runDir, options.reason, machine.clock.nowMs()).catch(() => undefined);
  const tree = await attemptTree(runDir, meta, machine);
  if (options.graceMs > 0 && signalAll(await tree.agentPids(), 'SIGTERM') > 0)
    await untilEmpty(tree.agentPids, options.graceMs);
  await killUntilEmpty(tree.agentPids, tree.killAgent);
  await exitRecorded(runDir, machine);
  const survivors = await killUntilEmpty(tree.allPids, tree.killAll);
  if (meta?.cgroup !== undefined) await removeCgroup(meta.cgroup);
  return {survivors};
}

/** Ends every process of an attempt whose shim is dead, and leaves its files as they tell of it. Idempotent. */
export async function endTree(runDir: string, machine: Machine): Promise<KillOutcome> {
  const tree = await attemptTree(runDir, await readMeta(runDir), machine);
  return {survivors: await killUntilEmpty(tree.allPids, tree.killAll)};
}

/** SIGTERM to everything the agent started; says how many processes heard it. */
export async function askToStop(runDir: string, machine: Machine): Promise<number> {
  const tree = await attemptTree(runDir, await readMeta(runDir), machine);
  return signalAll(await tree.agentPids(), 'SIGTERM');
}

type Tree = {
  readonly agentPids: () => Promise<number[]>;
  readonly allPids: () => Promise<number[]>;
  readonly killAgent: () => Promise<void>;
  readonly killAll: () => Promise<void>;
};

async function attemptTree(runDir: string, meta: RunMeta | undefined, machine: Machine): Promise<Tree> {
  const [shim, agent] = [await readShimIdentity(runDir), await readAgentIdentity(runDir)];
  if (shim?.heldBy === 'cgroup' && meta?.cgroup !== undefined) {
    const {path, agentPath} = cgroupAt(meta.cgroup);
    return {
      agentPids: () => cgroupPids(agentPath),
      allPids: () => cgroupPids(path),
      killAgent: () => killCgroup(agentPath),
      killAll: () => killCgroup(path),
    };
  }
  const scan = await scanner(runDir, meta, machine);
  const ours = await leadersOf(runDir, {shim, agent}, machine);
  const allPids = async (): Promise<number[]> => scan(ours);
  const agentPids = async (): Promise<number[]> => {
    const keepers = new Set(shim === undefined ? [] : shimPids(shim.pid, machine));
    return scan(ours.filter(({pid}) => pid !== shim?.pid)).filter(pid => !keepers.has(pid));
  };
  return {agentPids, allPids, killAgent: async () => undefined, killAll: async () => undefined};
}

/** By the name of the directory, which an agent cannot change for itself; empty where it names no attempt. */
function markOf(runDir: string): string {
  const attempt = parseAttemptLabel(basename(runDir));
  return attempt === undefined ? '' : attemptMark(attempt);
}

async function leadersOf(
  runDir: string,
  {shim, agent}: {shim: ProcessIdentity | undefined; agent: ProcessIdentity | undefined},
  {bootId, processes}: Machine,
): Promise<ProcessIdentity[]> {
  const cwd = await realpath(runDir).catch(() => runDir);
  const mark = {mark: markOf(runDir)};
  const parent = shim === undefined ? {} : {parentPid: shim.pid};
  const isShim = shim?.bootId === bootId && isWhatItSays(processes.read(shim.pid), {cwd});
  const isAgent = agent?.bootId === bootId && isWhatItSays(processes.read(agent.pid), {...mark, ...parent});
  return [...(shim !== undefined && isShim ? [shim] : []), ...(agent !== undefined && isAgent ? [agent] : [])];
}

/** The shim, its dead man and their short-lived children: they share the shim's group, which the agent left. */
function shimPids(shimPid: number, machine: Machine): number[] {
  return machine.processes.list().flatMap(({pid, groupId}) => (groupId === shimPid ? [pid] : []));
}

async function scanner(
  runDir: string,
  meta: RunMeta | undefined,
  machine: Machine,
): Promise<(leaders: Belonging['leaders']) => number[]> {
  const folder = await realpath(runDir).catch(() => runDir);
  const worktree = meta === undefined ? undefined : await realpath(meta.cwd).catch(() => undefined);
  return leaders => {
    const entries = machine.processes.list();
    const spared = lineage(process.pid, entries);
    return belongingPids(entries, readTraces, {
      mark: markOf(runDir),
      leaders,
      // The root or the home of a user is nobody's worktree.
      worktree: worktree !== undefined && worktree.split('/').length > 3 ? worktree : undefined,
      logs: [join(folder, runFiles.out), join(folder, runFiles.err)],
      spared,
    });
  };
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): number {
  return pids.filter(pid => {
    try {
      return process.kill(pid, signal);
    } catch {
      return false; // it ended in between
    }
  }).length;
}

/** Two looks in a row must find nobody: a process that forks while the first list is read is in the second. */
async function killUntilEmpty(list: () => Promise<number[]>, killAtOnce: () => Promise<void>): Promise<number[]> {
  let emptyLooks = 0;
  let pids: number[] = [];
  for (const deadline = AbortSignal.timeout(KILL_MS_MAX); emptyLooks < 2 && !deadline.aborted;) {
    await killAtOnce();
    pids = await list();
    emptyLooks = pids.length === 0 ? emptyLooks + 1 : 0;
    if (signalAll(pids, 'SIGKILL') > 0) await wait(POLL_MS);
  }
  return pids;
}

async function untilEmpty(list: () => Promise<number[]>, timeoutMs: number): Promise<void> {
  for (const deadline = AbortSignal.timeout(timeoutMs); !deadline.aborted && (await list()).length > 0;)
    await wait(POLL_MS);
}

/** The shim outlives the agent for a moment to write how it ended. */
async function exitRecorded(runDir: string, machine: Machine): Promise<void> {
  const shim = await readShimIdentity(runDir);
  for (const deadline = AbortSignal.timeout(EXIT_RECORD_MS_MAX); !deadline.aborted; await wait(POLL_MS))
    if (shim === undefined || !isAlive(shim, machine) || (await readExit(runDir)) !== undefined) return;
}
