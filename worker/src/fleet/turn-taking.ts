const keysKeptMax = 10_000;

/**
 * Stride scheduling between fairness keys: the key that was served least goes first. A key that begins to wait starts
 * at the present turn, so that nobody saves up turns by being away. Lives in memory: after a restart all begin equal.
 */
export class TurnTaking {
  readonly #passes = new Map<string, number>();
  #present = 0;

  passOf(key: string): number {
    return Math.max(this.#passes.get(key) ?? 0, this.#present);
  }

  serve(key: string): void {
    this.#present = this.passOf(key);
    this.#passes.set(key, this.#present + 1);
    if (this.#passes.size <= keysKeptMax) return;
    for (const [each, pass] of this.#passes) if (pass <= this.#present) this.#passes.delete(each);
  }
}
