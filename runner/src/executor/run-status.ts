import {constants} from 'node:os';
import {mkdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {cgroupAt} from './cgroup.ts';
import {ranOutOfMemory} from './cgroup-memory.ts';
import {isAlive, type Machine, type ProcessIdentity} from './process-identity.ts';
import {
  readAgentIdentity,
  readExit,
  readKilled,
  readMeta,
  readShimIdentity,
  runFiles,
  type ExitRecord,
  type HeldBy,
} from './run-directory.ts';

/**
 * What the files and the process table say of one attempt. `exited`, `killed` and `lost` are final; the first two mean
 * that nothing writes to the log any more. After `lost` (the shim died, or the machine was restarted) processes may be
 * left: kill the tree before the attempt is reported.
 */
export type RunStatus =
  | {readonly state: 'absent'}
  | {readonly state: 'claimed'}
  | {
      readonly state: 'running';
      readonly shim: ProcessIdentity;
      readonly agent: ProcessIdentity | undefined;
      readonly heldBy: HeldBy;
    }
  | {
      readonly state: 'exited';
      readonly code: number;
      readonly signal: string | undefined;
      readonly atBootMs: number;
      /** The kernel ended it because it needed more memory than it may hold. */
      readonly isOutOfMemory?: true;
    }
  | {readonly state: 'killed'; readonly reason: string; readonly code: number | undefined}
  | {readonly state: 'lost'; readonly why: 'shim_died' | 'machine_restarted' | 'never_started'};

/** A shim writes its identity within milliseconds; one that has not in this time is taken for dead. */
const CLAIM_MS_MAX = 5_000;

export async function readRunStatus(runDir: string, machine: Machine, wallNowMs: () => number): Promise<RunStatus> {
  const shim = await readShimIdentity(runDir);
  // Liveness is asked before the exit file is read: a shim that ends in between has written it by then.
  const alive = shim !== undefined && isAlive(shim, machine);
  const [exit, killed] = [await readExit(runDir), await readKilled(runDir)];
  if (killed !== undefined && (exit !== undefined || !alive))
    return {state: 'killed', reason: killed, code: exit?.code};
  if (exit !== undefined) return exited(runDir, exit);
  if (shim === undefined) return claimStatus(runDir, wallNowMs);
  if (alive) return {state: 'running', shim, agent: await readAgentIdentity(runDir), heldBy: shim.heldBy};
  return {state: 'lost', why: shim.bootId === machine.bootId ? 'shim_died' : 'machine_restarted'};
}

async function exited(runDir: string, exit: ExitRecord): Promise<RunStatus> {
  const signal = signalOf(exit.code);
  const cgroup = signal === 'SIGKILL' ? (await readMeta(runDir))?.cgroup : undefined;
  const isOutOfMemory = cgroup !== undefined && (await ranOutOfMemory(cgroupAt(cgroup).agentPath));
  return {state: 'exited', ...exit, signal, ...(isOutOfMemory && {isOutOfMemory})};
}

/** True when the attempt has ended and its logs grow no more, unless it was lost. */
export function isFinal({state}: RunStatus): boolean {
  return state === 'exited' || state === 'killed' || state === 'lost';
}

/**
 * Makes sure that an attempt without a started agent never gets one. The shim makes the same directory before it
 * starts the agent, and only one of the two can: no clock and no pause of the machine changes the outcome.
 */
export async function voidClaim(runDir: string): Promise<'void' | 'started'> {
  await mkdir(join(runDir, runFiles.claim), {mode: 0o700, recursive: true}).catch(() => undefined);
  return mkdir(join(runDir, runFiles.go), {mode: 0o700}).then(
    () => 'void',
    () => 'started',
  );
}

async function claimStatus(runDir: string, wallNowMs: () => number): Promise<RunStatus> {
  const claim = await stat(join(runDir, runFiles.claim)).catch(() => undefined);
  if (claim === undefined) return {state: 'absent'};
  const ageMs = wallNowMs() - claim.mtimeMs;
  if (ageMs < CLAIM_MS_MAX) return {state: 'claimed'};
  const isVoid = (await voidClaim(runDir)) === 'void' || (await readShimIdentity(runDir)) === undefined;
  return isVoid ? {state: 'lost', why: 'never_started'} : {state: 'claimed'};
}

/** Shells report an end by signal n as 128 + n; a program may return such a code by itself, so it is only a reading. */
function signalOf(code: number): string | undefined {
  if (code <= 128) return undefined;
  return Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
}
