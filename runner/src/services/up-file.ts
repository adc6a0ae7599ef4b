import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {isAlive, type Machine} from '../executor/process-identity.ts';
import {readStateFile} from './private-file.ts';

/** The process of `up`, written when everything is ready and removed when it stops. */
export const upFileSchema = z.strictObject({
  pid: z.int().positive(),
  started: z.string(),
  bootId: z.string(),
  url: z.string(),
  team: z.string(),
  pool: z.string(),
  runner: z.string(),
  slots: z.int(),
  ready_ms: z.int(),
});
export type UpFile = z.infer<typeof upFileSchema>;

/** `undefined` when nothing runs from this state directory; a file that a crash left behind counts as none. */
export async function runningUp(path: string, machine: Machine): Promise<UpFile | undefined> {
  const text = await readStateFile(path);
  if (text === undefined) return undefined;
  const parsed = upFileSchema.safeParse(parseJson(text));
  return parsed.success && isAlive(parsed.data, machine) ? parsed.data : undefined;
}
