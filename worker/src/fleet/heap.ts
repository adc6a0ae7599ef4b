/** A binary heap: the smallest by `compare` comes out first. */
export class Heap<Item> {
  readonly #items: Item[] = [];
  readonly #compare: (left: Item, right: Item) => number;

  constructor(compare: (left: Item, right: Item) => number) {
    this.#compare = compare;
  }

  push(item: Item): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = items[parentAt];
      if (parent === undefined || this.#compare(parent, item) <= 0) break;
      items[at] = parent;
      at = parentAt;
    }
    items[at] = item;
  }

  pop(): Item | undefined {
    const items = this.#items;
    const [top] = items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      const childAt = this.#smallerChild(at);
      const child = childAt === undefined ? undefined : items[childAt];
      if (childAt === undefined || child === undefined || this.#compare(last, child) <= 0) break;
      items[at] = child;
      at = childAt;
    }
    items[at] = last;
    return top;
  }

  #smallerChild(at: number): number | undefined {
    const left = this.#items[2 * at + 1];
    const right = this.#items[2 * at + 2];
    if (left === undefined) return undefined;
    return right !== undefined && this.#compare(right, left) < 0 ? 2 * at + 2 : 2 * at + 1;
  }
}
