/** Chance that can be had again: the same seed gives the same numbers, in the same order. */
export type Chance = {
  /** From 0 (inclusive) to 1 (exclusive). */
  readonly next: () => number;
  /** A whole number, both ends included. */
  readonly between: (least: number, most: number) => number;
  readonly pick: <Item>(items: readonly [Item, ...Item[]]) => Item;
  readonly shuffled: <Item>(items: readonly Item[]) => Item[];
};

/** The generator is mulberry32. A seed of text and a seed of number are both mixed first. */
export function chanceOf(seed: string): Chance {
  let state = mixed(seed);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    between,
    pick: items => items[between(0, items.length - 1)] ?? items[0],
    shuffled: items =>
      items
        .map(item => ({item, at: next()}))
        .toSorted((one, other) => one.at - other.at)
        .map(({item}) => item),
  };
}

/** FNV-1a over the characters of the seed. */
function mixed(seed: string): number {
  let hash = 0x811c9dc5;
  for (const character of seed) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return hash | 0;
}
