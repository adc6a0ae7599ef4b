const entriesMax = 10_000;

/**
 * A runner that turned down a task, or let its offer pass, is not asked for tasks of that lane for a while: else the
 * same offer would bounce between the two as fast as the wire allows. Lives in memory: forgetting costs one more offer.
 */
export class Avoidance {
  readonly #untilMs = new Map<string, number>();

  add(lane: string, runner: string, untilMs: number): void {
    if (this.#untilMs.size >= entriesMax) this.#untilMs.clear();
    this.#untilMs.set(`${runner} ${lane}`, untilMs);
  }

  /** Drops what is over. Answers when the next one ends, `Infinity` when there is none. */
  expire(nowMs: number): number {
    let nextMs = Infinity;
    for (const [key, untilMs] of this.#untilMs) {
      if (nowMs >= untilMs) this.#untilMs.delete(key);
      else nextMs = Math.min(nextMs, untilMs);
    }
    return nextMs;
  }

  isAvoided(lane: string, runner: string): boolean {
    return this.#untilMs.size > 0 && this.#untilMs.has(`${runner} ${lane}`);
  }

  forget(runner: string): void {
    for (const key of this.#untilMs.keys()) if (key.startsWith(`${runner} `)) this.#untilMs.delete(key);
  }
}
