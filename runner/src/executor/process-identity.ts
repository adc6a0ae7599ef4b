import type {ProcessSource} from './process-table.ts';

/**
 * Which process is meant, for ever: a pid alone comes back for a stranger. `started` is field 22 of /proc/pid/stat on
 * Linux (clock ticks since boot) and `ps -o lstart=` with underscores on macOS.
 */
export type ProcessIdentity = {readonly pid: number; readonly started: string; readonly bootId: string};

export type Machine = {readonly bootId: string; readonly processes: ProcessSource};

/** The identity of a live process; undefined when none has this pid or only its corpse is left. */
export function identityOf(pid: number, {bootId, processes}: Machine): ProcessIdentity | undefined {
  const entry = processes.read(pid);
  return entry === undefined || entry.isZombie ? undefined : {pid, started: entry.started, bootId};
}

/** True while that very process runs. A zombie is dead: it holds nothing but its exit status. */
export function isAlive(identity: ProcessIdentity, machine: Machine): boolean {
  if (identity.bootId !== machine.bootId) return false;
  const entry = machine.processes.read(identity.pid);
  return entry !== undefined && !entry.isZombie && entry.started === identity.started;
}
