import {mkdir, readdir} from 'node:fs/promises';
import {join} from 'node:path';
import * as z from 'zod';
import {readStateFile, removeFile, writePrivateFile} from './private-file.ts';

/**
 * Which process group a service runs in, kept on disk so that a start after a crash finds what was left. The leader is
 * known by its pid, its start time and the boot; the mark is in the environment of every process of the group.
 */
const recordSchema = z.strictObject({
  name: z.string(),
  pid: z.int().positive(),
  started: z.string(),
  bootId: z.string(),
  mark: z.string(),
});
export type ServiceRecord = z.infer<typeof recordSchema>;

export const SERVICE_MARK = 'SWITCHYARD_SERVICE';

export function recordPath(directory: string, name: string): string {
  return join(directory, `${name}.pid.json`);
}

export async function writeRecord(directory: string, record: ServiceRecord): Promise<void> {
  await mkdir(directory, {recursive: true, mode: 0o700});
  await writePrivateFile(recordPath(directory, record.name), `${JSON.stringify(record)}\n`);
}

export async function removeRecord(directory: string, name: string): Promise<void> {
  await removeFile(recordPath(directory, name));
}

/** A record that cannot be read names nobody that may be killed: it is skipped. */
export async function readRecords(directory: string): Promise<readonly ServiceRecord[]> {
  const names = (await readdir(directory).catch(() => [])).filter(name => name.endsWith('.pid.json'));
  const texts = await Promise.all(names.map(name => readStateFile(join(directory, name))));
  return texts.flatMap(text => {
    try {
      return [recordSchema.parse(JSON.parse(text ?? ''))];
    } catch {
      return [];
    }
  });
}
