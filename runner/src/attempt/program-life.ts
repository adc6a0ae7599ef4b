import type {Executor} from '../executor/executor.ts';
import {isFinal, type RunStatus} from '../executor/run-status.ts';

export type ProgramPorts = {readonly executor: Executor; readonly wait: (ms: number) => Promise<void>};

const POLL_MS = 50;
const FAREWELL_MS = 5_000;

export const isOver = (status: RunStatus): boolean => status.state === 'absent' || isFinal(status);

/** Waits until a program is over; false when it is not by then. */
export async function overWithin({executor, wait}: ProgramPorts, directory: string, graceMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < graceMs; waitedMs += POLL_MS) {
    if (isOver(await executor.status(directory))) return true;
    await wait(POLL_MS);
  }
  return false;
}

/** An agent whose work is done has a moment to leave by itself; some never do. */
export async function farewell(ports: ProgramPorts, runDir: string, signal: AbortSignal): Promise<void> {
  // Some agents leave at the end of their input, and only then.
  await ports.executor.write(runDir, new Uint8Array(), {end: true}).catch(() => undefined);
  for (const last of ['SIGTERM', 'SIGKILL'] as const) {
    if (await overWithin(ports, runDir, FAREWELL_MS)) return;
    if (signal.aborted) return;
    await ports.executor.signal(runDir, last, 'its work is done');
  }
}
