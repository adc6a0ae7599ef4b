import {execFileSync} from 'node:child_process';
import {appendFileSync, mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';

/** A file system of its own for one folder, small enough to be filled. */
export type SmallDisk = {
  /** Until it takes no byte more. */
  readonly fill: () => void;
  readonly empty: () => void;
  readonly unmount: () => void;
};

const sizeMegabytes = 48;

/** Or the reason why there is none: it needs root on Linux. */
export function smallDisk(folder: string): SmallDisk | string {
  if (process.getuid?.() !== 0) return 'only root can mount a small file system';
  try {
    mkdirSync(folder, {mode: 0o700});
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMegabytes}m,mode=700`, 'tmpfs', folder], {stdio: 'pipe'});
  } catch (error) {
    return `no small file system could be mounted: ${error instanceof Error ? (error.message.split('\n').at(-2) ?? '') : ''}`;
  }
  const filler = join(folder, 'filler');
  return {
    fill: () => {
      const piece = Buffer.alloc(65_536);
      try {
        for (;;) appendFileSync(filler, piece);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    empty: () => rmSync(filler, {force: true}),
    unmount: () => execFileSync('umount', ['-l', folder], {stdio: 'pipe'}),
  };
}
