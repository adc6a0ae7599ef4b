import {readFileSync} from 'node:fs';
import {setTimeout as wait} from 'node:timers/promises';
import type {Machine} from '../executor/process-identity.ts';
import {SERVICE_MARK, type ServiceRecord} from './service-record.ts';

const pollMs = 25;
const killMsMax = 5_000;

export type EndOptions = {
  readonly signal: 'SIGTERM' | 'SIGINT';
  /** Time between the signal and SIGKILL. */
  readonly drainMs: number;
  /** Aborting it skips the rest of the drain. */
  readonly hurry?: AbortSignal | undefined;
};

/** `survivors` could not be ended even by SIGKILL, as a process in an uninterruptible system call cannot. */
export type EndOutcome = {readonly survivors: readonly number[]; readonly wasKilled: boolean};

/**
 * Live members of the group of a service. Empty where the pid of the leader belongs to another process by now: a group
 * keeps its number from being given out, so then the group is gone. Where the leader is dead, a member counts only when
 * it carries the mark; a system that does not show environments gets the benefit of the group's number.
 */
export function groupMembers(record: ServiceRecord, machine: Machine): readonly number[] {
  if (record.bootId !== machine.bootId) return [];
  const entries = machine.processes.list();
  const leader = entries.find(({pid}) => pid === record.pid);
  if (leader !== undefined && leader.started !== record.started) return [];
  return entries
    .filter(({groupId, isZombie}) => groupId === record.pid && !isZombie)
    .filter(({pid}) => leader !== undefined || carriesMark(pid, record.mark))
    .map(({pid}) => pid);
}

/** Signals the leader, drains, kills the group and answers when nobody is left. Killing the dead is no error. */
export async function endGroup(record: ServiceRecord, machine: Machine, options: EndOptions): Promise<EndOutcome> {
  const members = (): readonly number[] => groupMembers(record, machine);
  // Only the leader knows what a stop is; what it left behind when it died has nothing to finish.
  const drainMs = members().includes(record.pid) ? options.drainMs : 0;
  if (drainMs > 0) signalPid(record.pid, options.signal);
  if (await untilEmpty(members, drainMs, options.hurry)) return {survivors: [], wasKilled: false};
  for (let waitedMs = 0; members().length > 0 && waitedMs < killMsMax; waitedMs += pollMs) {
    for (const pid of members()) signalPid(pid, 'SIGKILL');
    await wait(pollMs);
  }
  return {survivors: members(), wasKilled: true};
}

async function untilEmpty(members: () => readonly number[], drainMs: number, hurry?: AbortSignal): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < drainMs && hurry?.aborted !== true; waitedMs += pollMs) {
    if (members().length === 0) return true;
    await wait(pollMs);
  }
  return members().length === 0;
}

export function signalPid(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in between, or is not ours to signal: whether it is gone is asked afterwards.
  }
}

function carriesMark(pid: number, mark: string): boolean {
  if (process.platform !== 'linux') return true;
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`${SERVICE_MARK}=${mark}`);
  } catch {
    return false;
  }
}
