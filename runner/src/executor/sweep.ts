import {readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {attemptLabel, attemptMark, parseAttemptLabel, type AttemptName} from './attempt-name.ts';
import type {BootClock} from './boot-clock.ts';
import {killCgroup, listCgroups, removeCgroup} from './cgroup.ts';
import {lineage, listMarked} from './leftover-processes.ts';
import {killTree, type KillOutcome} from './kill-tree.ts';
import type {Machine} from './process-identity.ts';
import {readDeadline, type Deadline} from './run-directory.ts';

/** What one attempt left on this machine. */
export type Leftover = {
  readonly attempt: AttemptName;
  readonly runDir: string | undefined;
  readonly cgroup: string | undefined;
  readonly pids: readonly number[];
  /** From the run directory; undefined when there is none or it cannot be read. */
  readonly deadline: Deadline | undefined;
};

export type SweepKnowledge = {
  readonly nowBootMs: number;
  /** Marks of the attempts that the server called gone. */
  readonly gone: ReadonlySet<string>;
  /** Deadlines of the attempts this runner holds a lease for, by mark: they overrule what the files say. */
  readonly held: ReadonlyMap<string, Deadline>;
};

export type SweepVerdict =
  | {readonly action: 'kill'; readonly reason: 'gone' | 'deadline'}
  | {readonly action: 'keep'; readonly reason: 'held' | 'not_due' | 'unknown'};

/**
 * Kills only on an answer, never on silence: an attempt that the server called gone, or whose deadline has passed.
 * What nobody knows stays alive and is reported as `unknown`.
 */
export function sweepVerdict({attempt, deadline}: Leftover, {nowBootMs, gone, held}: SweepKnowledge): SweepVerdict {
  const mark = attemptMark(attempt);
  if (gone.has(mark)) return {action: 'kill', reason: 'gone'};
  const due = held.get(mark) ?? deadline;
  if (due === undefined) return {action: 'keep', reason: 'unknown'};
  if (nowBootMs >= due.hardMs) return {action: 'kill', reason: 'deadline'};
  return {action: 'keep', reason: held.has(mark) ? 'held' : 'not_due'};
}

export type SweepPlaces = {readonly runsDir: string; readonly cgroupBase: string | undefined};

/** Every attempt of which a run directory, a cgroup or a marked process is there; run directories are named by label. */
export async function findLeftovers({runsDir, cgroupBase}: SweepPlaces, {processes}: Machine): Promise<Leftover[]> {
  const found = new Map<
    string,
    {attempt: AttemptName; runDir?: string; cgroup?: string; pids: number[]; deadline?: Deadline}
  >();
  const entryOf = (attempt: AttemptName) => {
    const entry = found.get(attemptMark(attempt)) ?? {attempt, pids: []};
    found.set(attemptMark(attempt), entry);
    return entry;
  };
  for (const name of await readdir(runsDir).catch(() => [])) {
    const attempt = parseAttemptLabel(name);
    if (attempt === undefined) continue;
    const runDir = join(runsDir, name);
    const deadline = await readDeadline(runDir);
    Object.assign(entryOf(attempt), {runDir}, deadline === undefined ? {} : {deadline});
  }
  for (const {attempt, path} of cgroupBase === undefined ? [] : await listCgroups(cgroupBase))
    entryOf(attempt).cgroup = path;
  const entries = processes.list();
  const spared = lineage(process.pid, entries);
  for (const {pid, attempt} of listMarked(entries)) if (!spared.has(pid)) entryOf(attempt).pids.push(pid);
  return [...found.values()].map(entry => ({runDir: undefined, cgroup: undefined, deadline: undefined, ...entry}));
}

/** Carries out a verdict. Idempotent; `survivors` are tried again by the next sweep. */
export async function killLeftover(
  leftover: Leftover,
  reason: 'gone' | 'deadline',
  machine: Machine & {readonly clock: BootClock},
): Promise<KillOutcome> {
  if (leftover.runDir !== undefined) return killTree(leftover.runDir, {reason, graceMs: 0}, machine);
  if (leftover.cgroup !== undefined) {
    await killCgroup(leftover.cgroup);
    await removeCgroup(leftover.cgroup);
  }
  // Read again: a pid of the list may belong to a stranger by now.
  const label = attemptLabel(leftover.attempt);
  const marked = (): number[] =>
    listMarked(machine.processes.list()).flatMap(({pid, attempt}) => (attemptLabel(attempt) === label ? [pid] : []));
  for (const pid of marked()) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended in between.
    }
  }
  return {survivors: marked()};
}
