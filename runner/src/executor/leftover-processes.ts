import {readFileSync, readdirSync, readlinkSync} from 'node:fs';
import {MARK_VARIABLE, parseAttemptMark, type AttemptName} from './attempt-name.ts';
import type {ProcessIdentity} from './process-identity.ts';
import type {ProcessEntry} from './process-table.ts';

/** What is known of one process besides the table; each part is empty where the kernel does not tell us. */
export type ProcessTraces = {
  readonly mark: string | undefined;
  readonly cwd: string | undefined;
  /** Paths of the files it holds open. */
  readonly files: readonly string[];
};

export type Belonging = {
  readonly mark: string;
  /** The agent and the shim: leaders of the two groups and sessions of an attempt. */
  readonly leaders: readonly ProcessIdentity[];
  /** The worktree; undefined when it must not be used as evidence. */
  readonly worktree: string | undefined;
  /** Logs of the attempt: who holds them open could still write. */
  readonly logs: readonly string[];
  /** Never part of an attempt: this process and those it runs under. */
  readonly spared: ReadonlySet<number>;
};

/**
 * Which processes belong to an attempt when no cgroup says so: by environment marker, group and session of its
 * leaders, working directory, open logs, and descent from any of these. Command lines are no evidence. A daemon with
 * an empty environment that left the worktree, closed its files and lost its parent is not found: that takes a cgroup.
 */
export function belongingPids(
  entries: readonly ProcessEntry[],
  traces: (pid: number) => ProcessTraces,
  attempt: Belonging,
): number[] {
  const leaders = attempt.leaders.filter(leader => isUnclaimedOrSame(entries, leader)).map(({pid}) => pid);
  const candidates = entries.filter(entry => !entry.isZombie && entry.pid > 1 && !attempt.spared.has(entry.pid));
  const found = new Set(
    candidates
      .filter(
        ({pid, groupId, sessionId}) =>
          leaders.some(leader => leader === pid || leader === groupId || leader === sessionId) ||
          isTraced(traces(pid), attempt),
      )
      .map(({pid}) => pid),
  );
  // Children come after parents in no particular order, so the walk repeats until it finds nobody new.
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const {pid, parentPid} of candidates) if (found.has(parentPid)) found.add(pid);
  }
  return [...found];
}

/** A pid is not given out again while its group exists, so a different leader means that our group is gone. */
function isUnclaimedOrSame(entries: readonly ProcessEntry[], leader: ProcessIdentity): boolean {
  const holder = entries.find(({pid}) => pid === leader.pid);
  return holder === undefined || holder.started === leader.started;
}

function isTraced({mark, cwd, files}: ProcessTraces, attempt: Belonging): boolean {
  if (mark === attempt.mark || files.some(file => attempt.logs.includes(file))) return true;
  const {worktree} = attempt;
  return worktree !== undefined && cwd !== undefined && (cwd === worktree || cwd.startsWith(`${worktree}/`));
}

/** Linux only: other systems keep these from us, and there group, session and descent must do. */
export function readTraces(pid: number): ProcessTraces {
  return {mark: readMark(pid), cwd: readLink(`/proc/${pid}/cwd`), files: readOpenFiles(pid)};
}

/**
 * Whether a live process is what the run directory says it is. The agent may have written there, so its word is not
 * enough: the shim works in the run directory; the agent is a child of the shim or carries the marker.
 */
export function isWhatItSays(
  entry: ProcessEntry | undefined,
  evidence: {cwd?: string; mark?: string; parentPid?: number},
): boolean {
  if (entry === undefined || process.platform !== 'linux') return true;
  if (evidence.parentPid === entry.parentPid) return true;
  const {cwd, mark} = readTraces(entry.pid);
  return (cwd !== undefined && cwd === evidence.cwd) || (mark !== undefined && mark === evidence.mark);
}

/** Every process that carries a marker, whatever attempt it names. */
export function listMarked(entries: readonly ProcessEntry[]): {pid: number; attempt: AttemptName}[] {
  return entries.flatMap(({pid}) => {
    const attempt = parseAttemptMark(readMark(pid) ?? '');
    return attempt === undefined ? [] : [{pid, attempt}];
  });
}

/** The process and its ancestors. */
export function lineage(pid: number, entries: readonly ProcessEntry[]): Set<number> {
  const parents = new Map(entries.map(entry => [entry.pid, entry.parentPid]));
  const line = new Set<number>();
  for (let next: number | undefined = pid; next !== undefined && next > 0 && !line.has(next); next = parents.get(next))
    line.add(next);
  return line;
}

function readMark(pid: number): string | undefined {
  return readVariable(pid, MARK_VARIABLE);
}

/** A variable of the environment a process was started with; undefined where the kernel does not tell. */
export function readVariable(pid: number, name: string): string | undefined {
  try {
    const prefix = `${name}=`;
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return variables.find(variable => variable.startsWith(prefix))?.slice(prefix.length);
  } catch {
    return undefined;
  }
}

function readOpenFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap(fd => readLink(`/proc/${pid}/fd/${fd}`) ?? []);
  } catch {
    return [];
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
