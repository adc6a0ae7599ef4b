import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import * as z from 'zod';

/**
 * What agents say of themselves, outside of the product: one file per task, each line appended by one write, so that the
 * order of lines is the order in which the processes lived.
 *
 * `start` is the first line of a process and `end` its last; `beat` says how much of its streams it has written; `child`
 * comes from a descendant that left its session; `saw` names an agent of the same task that was alive at a start.
 */
export const witnessLineSchema = z.strictObject({
  at: z.number(),
  key: z.string(),
  epoch: z.int(),
  /** Process id and start time: ids are used again. */
  pid: z.string(),
  event: z.enum(['start', 'beat', 'child', 'saw', 'end']),
  /** Of `beat` and `end`: bytes of each stream that the file system took. */
  out: z.int().optional(),
  err: z.int().optional(),
  /** Of `end`: the exit code. Absent when a signal was obeyed. */
  code: z.int().optional(),
  /** Of `start`: the home of the attempt, which tells the runner. */
  home: z.string().optional(),
  saw: z.string().optional(),
});
export type WitnessLine = z.infer<typeof witnessLineSchema>;

export type Testimony = {readonly lines: readonly WitnessLine[]; readonly unreadable: readonly string[]};

export function parseWitness(text: string): Testimony {
  const lines: WitnessLine[] = [];
  const unreadable: string[] = [];
  for (const line of text.split('\n').filter(each => each !== '')) {
    const parsed = witnessLineSchema.safeParse(jsonOf(line));
    if (parsed.success) lines.push(parsed.data);
    else unreadable.push(line.slice(0, 200));
  }
  return {lines, unreadable};
}

/** By task id. */
export function readWitnesses(folder: string): Map<string, Testimony> {
  return new Map(readdirSync(folder).map(task => [task, parseWitness(readFileSync(join(folder, task), 'utf8'))]));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
