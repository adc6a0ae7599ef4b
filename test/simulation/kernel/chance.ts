import {seededRandom} from '../../fixtures/fleet-core.ts';

/** A source of chance that belongs to one part of the world: what one part draws never moves what another one draws. */
export type Chance = {
  /** From 0 (inclusive) to 1 (exclusive). */
  readonly next: () => number;
  /** A whole number from `min` to `max`, both included. */
  readonly between: (min: number, max: number) => number;
  readonly isLuck: (probability: number) => boolean;
  readonly pick: <Item>(items: readonly Item[]) => Item;
  readonly bytes: (length: number) => Uint8Array;
};

/** The same seed and name give the same numbers on every machine. */
export function chanceOf(seed: number, name: string): Chance {
  const next = seededRandom(hashText(name, seed ^ 0x9e3779b9));
  const between = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  return {
    next,
    between,
    isLuck: probability => next() < probability,
    pick: items => {
      const item = items[Math.floor(next() * items.length)];
      if (item === undefined) throw new Error('nothing to pick from');
      return item;
    },
    bytes: length => Uint8Array.from({length}, () => Math.floor(next() * 256)),
  };
}

/** FNV-1a over the code units: fast, and the same everywhere. */
export function hashText(text: string, from = 0x811c9dc5): number {
  let hash = from >>> 0;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash;
}
