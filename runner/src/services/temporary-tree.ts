import {mkdtemp, realpath, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

export type TemporaryTree = {readonly path: string; readonly remove: () => Promise<void>};

/** A directory of our own under the temporary directory, and the way to take it away with all that came into it. */
export async function temporaryTree(prefix: string): Promise<TemporaryTree> {
  const path = await realpath(await mkdtemp(join(tmpdir(), prefix)));
  return {
    path,
    // oxlint-disable-next-line switchyard/no-raw-recursive-rm -- mkdtemp made it for this process: no work of a person is in it
    remove: () => rm(path, {recursive: true, force: true, maxRetries: 5, retryDelay: 100}),
  };
}
