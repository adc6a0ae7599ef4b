import {closeSync, constants, fstatSync, openSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {runFiles} from './run-directory.ts';
import {errnoOf} from '../state/errno.ts';

/** PIPE_BUF of Linux; a write of this size goes in whole or not at all, so that two writers do not mix inside it. */
const WRITE_BYTES_MAX = 4_096;
const RETRY_MS = 5;

/**
 * Writes all bytes to the FIFO of an attempt without ever blocking the process: a full pipe is tried again until the
 * time is over.
 *
 * @throws SwitchyardError not_running when nobody reads, or when the agent took only a part in time
 */
export async function writeAgentInput(runDir: string, bytes: Uint8Array, timeoutMs: number): Promise<void> {
  const fd = openFifo(join(runDir, runFiles.in));
  try {
    const deadline = AbortSignal.timeout(timeoutMs);
    for (let sent = 0; sent < bytes.byteLength;) {
      const count = writeSome(fd, bytes.subarray(sent, sent + WRITE_BYTES_MAX));
      sent += count;
      if (count > 0) continue;
      if (deadline.aborted)
        throw new SwitchyardError(
          'not_running',
          `the agent took ${sent} of ${bytes.byteLength} bytes in ${timeoutMs} ms`,
        );
      await wait(RETRY_MS);
    }
  } finally {
    closeSync(fd);
  }
}

function openFifo(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (cause) {
    throw new SwitchyardError('not_running', `nobody reads ${path}`, {cause});
  }
  if (fstatSync(fd).isFIFO()) return fd;
  closeSync(fd);
  throw new SwitchyardError('not_running', `${path} is no FIFO`);
}

/** How many bytes the pipe took: 0 when it is full. */
function writeSome(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes);
  } catch (cause) {
    if (errnoOf(cause) === 'EAGAIN') return 0;
    throw new SwitchyardError('not_running', 'the agent closed its input', {cause});
  }
}
