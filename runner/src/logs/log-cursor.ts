import {open, rename} from 'node:fs/promises';
import {join} from 'node:path';

import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import * as z from 'zod';

import {createExposedFile, readExposedFile} from '../state/exposed-file.ts';

const bytes = z.int().nonnegative();

const cursorSchema = z.strictObject({
  v: z.literal(1),
  /**
   * Raw bytes that the log holds or has dropped by its cap: of the agent's standard output and standard error, and of
   * the output of the declared checks.
   */
  out: bytes,
  err: bytes,
  checks: bytes,
  /** Bytes of the log that these offsets stand for; what the file has beyond it was never shown to anybody. */
  length: bytes,
  droppedBytes: bytes,
  isFinished: z.boolean(),
});

/** How far the merge has come: the one thing that makes a log file, after a crash, continue without gap or repeat. */
export type LogCursor = Readonly<z.infer<typeof cursorSchema>>;

export const startCursor: LogCursor = {v: 1, out: 0, err: 0, checks: 0, length: 0, droppedBytes: 0, isFinished: false};

const fileName = 'log.cursor';
const cursorBytesMax = 4_096;

/** The start when there is none. Throws `state_corrupt` for a file that is not a cursor. */
export async function readCursor(directory: string): Promise<LogCursor> {
  const path = join(directory, fileName);
  const text = await readExposedFile(path, cursorBytesMax);
  if (text === undefined) return startCursor;
  const parsed = cursorSchema.safeParse(parseJson(text));
  if (!parsed.success) throw new SwitchyardError('state_corrupt', `${path} is not a log cursor: ${text.slice(0, 100)}`);
  return parsed.data;
}

/**
 * Replaces the cursor as a whole: a reader finds the old or the new one. Survives the end of the process; the end of
 * the machine only when `isDurable`. Throws what the file system throws.
 */
export async function writeCursor(directory: string, cursor: LogCursor, isDurable: boolean): Promise<void> {
  const path = join(directory, fileName);
  const file = await createExposedFile(`${path}.tmp`);
  try {
    await file.writeFile(JSON.stringify(cursor));
    if (isDurable) await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.tmp`, path);
  if (isDurable) await syncDirectory(directory);
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
