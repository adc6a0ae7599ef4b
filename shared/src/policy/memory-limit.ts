import {byteText} from './byte-size.ts';

/** Who limits the memory of an attempt, the widest say first where two say the same. */
const saidBy = ['charter', 'policy', 'task'] as const;
type SaidBy = (typeof saidBy)[number];

/** What the processes of one attempt may hold together, and who says so. */
export type MemoryLimit = {readonly bytes: number; readonly by: SaidBy};

/** The narrowest of what is said holds; null where nobody says anything. */
export function narrowestMemory(said: {readonly [By in SaidBy]?: number | null | undefined}): MemoryLimit | null {
  return saidBy.reduce<MemoryLimit | null>((narrowest, by) => {
    const bytes = said[by] ?? null;
    return bytes === null || (narrowest !== null && narrowest.bytes <= bytes) ? narrowest : {bytes, by};
  }, null);
}

const whose: Readonly<Record<SaidBy, string>> = {
  charter: 'the charter of this machine',
  policy: 'policy.json of this machine',
  task: 'the task',
};

/** For people: `512 MiB by the charter of this machine`. */
export function memoryLimitText({bytes, by}: MemoryLimit): string {
  return `${byteText(bytes)} by ${whose[by]}`;
}
