import {execFileSync} from 'node:child_process';
import {mkdirSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {atExit} from './leftovers.ts';
import {temporaryTree} from './temporary.ts';

export type Ground = {
  /** An empty directory. */
  readonly path: string;
  /** What it lies on, for the reader of the figures. */
  readonly on: string;
  readonly remove: () => void;
};

const imageBytes = 16 * 1_073_741_824;
const inodes = 2_000_000;

/**
 * A directory on an ext4 of its own, with a journal, in a sparse file mounted over a loop device. The disk of a virtual
 * machine may have no journal, and then creating files after deleting many is ten times slower: figures of worktrees
 * would measure that. Without the rights to mount, the temporary directory has to do, and `on` says so.
 */
export function loopDisk(): Ground {
  const folder = temporaryTree('bench-worktrees-');
  const path = join(folder.path, 'ext4');
  mkdirSync(path);
  const failure = mount(join(folder.path, 'image'), path);
  if (failure !== undefined) return {path, on: `the temporary directory (${failure})`, remove: folder.remove};
  const unmount = (): void => {
    // Lazily: the last deletion at idle priority may still run.
    execFileSync('umount', ['--lazy', path]);
  };
  const forget = atExit(unmount);
  return {
    path,
    on: 'a loop-mounted ext4 with a journal',
    remove: () => {
      forget();
      unmount();
      folder.remove();
    },
  };
}

/** Why it could not be mounted. */
function mount(image: string, path: string): string | undefined {
  if (process.platform !== 'linux') return 'loop mounts are made on Linux only';
  if (process.getuid?.() !== 0) return 'only root may mount a loop device';
  try {
    writeFileSync(image, '');
    truncateSync(image, imageBytes);
    execFileSync('mkfs.ext4', ['-q', '-F', '-N', String(inodes), image], {stdio: 'pipe'});
    execFileSync('mount', ['-o', 'loop,noatime', image, path], {stdio: 'pipe'});
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  }
}
