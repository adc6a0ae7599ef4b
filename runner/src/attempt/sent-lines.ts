import {createHash} from 'node:crypto';
import {readdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {errnoOf} from '../state/errno.ts';

const PREFIX = 'sent-';

/**
 * Notes that a line is sent to the agent. True for the first caller with this id in the life of the attempt: a file that
 * only one can make says so; it lies in the run directory and goes with it.
 */
export async function claimLine(runDir: string, id: string): Promise<boolean> {
  const name = createHash('sha256').update(id).digest('hex').slice(0, 32);
  try {
    await writeFile(join(runDir, `${PREFIX}${name}`), id, {flag: 'wx', mode: 0o600});
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** The ids of all lines that were claimed, also by an earlier process. */
export async function claimedLines(runDir: string): Promise<ReadonlySet<string>> {
  const names = (await readdir(runDir)).filter(name => name.startsWith(PREFIX));
  return new Set(await Promise.all(names.map(async name => readFile(join(runDir, name), 'utf8'))));
}
