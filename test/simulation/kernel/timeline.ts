export type Timer = {readonly atMs: number; readonly order: number; run: (() => void) | undefined};

/**
 * The only clock of a world. What is due at one instant happens in the order in which it was arranged, so a run depends
 * on nothing but its inputs.
 */
export class Timeline {
  nowMs = 0;
  #order = 0;
  readonly #heap: Timer[] = [];

  at(atMs: number, run: () => void): Timer {
    this.#order += 1;
    const timer: Timer = {atMs: Math.max(this.nowMs, Math.ceil(atMs)), order: this.#order, run};
    this.#push(timer);
    return timer;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.at(this.nowMs + delayMs, run);
  }

  /** Does the next thing, unless it is later than `untilMs`. Answers whether there was one. */
  step(untilMs: number): boolean {
    for (;;) {
      const [next] = this.#heap;
      if (next === undefined || next.atMs > untilMs) return false;
      this.#pop();
      if (next.run === undefined) continue;
      this.nowMs = next.atMs;
      const {run} = next;
      next.run = undefined;
      run();
      return true;
    }
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, timer)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      if (left === undefined) break;
      const right = heap[2 * at + 2];
      const isRight = right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (isBefore(last, child)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

function isBefore(left: Timer, right: Timer): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}

export function cancel(timer: Timer | undefined): void {
  if (timer !== undefined) timer.run = undefined;
}
