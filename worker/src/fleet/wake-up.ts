/**
 * The one alarm of the object. It is set only when something is due earlier than it would ring, because setting it is a
 * write that is paid for; an alarm that rings early finds nothing due and is set again.
 */
export class WakeUp {
  readonly #storage: Pick<DurableObjectStorage, 'setAlarm'>;
  #setMs: number;

  /** `setMs` is when the stored alarm rings, `null` when there is none. */
  constructor(storage: Pick<DurableObjectStorage, 'setAlarm'>, setMs: number | null) {
    this.#storage = storage;
    this.#setMs = setMs ?? Infinity;
  }

  /** Whether the alarm rings later than this. */
  isLaterThan(dueMs: number): boolean {
    return dueMs < this.#setMs;
  }

  /** An alarm at the present moment, set while one rings, would be lost: it is set for the next millisecond at least. */
  async setFor(dueMs: number, nowMs: number): Promise<void> {
    const atMs = Math.max(nowMs + 1, dueMs);
    if (atMs >= this.#setMs || atMs === Infinity) return;
    this.#setMs = atMs;
    await this.#storage.setAlarm(atMs);
  }

  rang(): void {
    this.#setMs = Infinity;
  }
}
