import {fileURLToPath} from 'node:url';
import type {Wrong} from './wrong-runners/wrong.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Each is a command as a stranger would write it behind `--`. */
export const ourRunner = ['/bin/sh', here('our-runner.sh'), '{url}', '{token}', '{state}'];

export function tinyRunner(wrong: Wrong): readonly string[] {
  return [process.execPath, here('wrong-runners/tiny-runner.ts'), '{url}', '{token}', '{state}', wrong];
}
