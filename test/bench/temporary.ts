import {mkdtempSync, realpathSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {atExit} from './leftovers.ts';

export type TemporaryTree = {readonly path: string; readonly remove: () => void};

/** A directory of one side. Under `BENCH_DIRECTORY` where that is set: all sides then lie on that file system. */
export function temporaryTree(prefix: string): TemporaryTree {
  const path = realpathSync(mkdtempSync(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), prefix)));
  const remove = (): void => rmSync(path, {recursive: true, force: true, maxRetries: 5, retryDelay: 100});
  const forget = atExit(remove);
  return {
    path,
    remove: () => {
      forget();
      remove();
    },
  };
}
