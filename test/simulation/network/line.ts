import type {Chance} from '../kernel/chance.ts';
import type {Timeline} from '../kernel/timeline.ts';

export type Direction = 'up' | 'down';

/** The network between one machine and the control plane, as it is right now. */
export class Line {
  readonly timeline: Timeline;
  readonly #chance: Chance;
  readonly #blockedUntilMs = {up: 0, down: 0};
  #slowUntilMs = 0;
  #slowMs = 0;
  /** Called when a fault of this line moved or lost something, with what did it. */
  readonly onEffect: (kind: string) => void;

  constructor(timeline: Timeline, chance: Chance, onEffect: (kind: string) => void) {
    this.timeline = timeline;
    this.#chance = chance;
    this.onEffect = onEffect;
  }

  /** Nothing passes in this direction for a while; what was sent waits, as TCP lets it. */
  block(direction: Direction, forMs: number): void {
    this.#blockedUntilMs[direction] = Math.max(this.#blockedUntilMs[direction], this.timeline.nowMs + forMs);
  }

  slow(forMs: number, byMs: number): void {
    this.#slowUntilMs = this.timeline.nowMs + forMs;
    this.#slowMs = byMs;
  }

  heal(): void {
    this.#blockedUntilMs.up = 0;
    this.#blockedUntilMs.down = 0;
    this.#slowUntilMs = 0;
  }

  blockedUntilMs(direction: Direction): number {
    return this.#blockedUntilMs[direction];
  }

  isBlocked(): boolean {
    const {nowMs} = this.timeline;
    return this.#blockedUntilMs.up > nowMs || this.#blockedUntilMs.down > nowMs;
  }

  latencyMs(): number {
    const extraMs = this.timeline.nowMs < this.#slowUntilMs ? this.#chance.between(1, this.#slowMs) : 0;
    if (extraMs > 0) this.onEffect('delay');
    return this.#chance.between(1, 4) + extraMs;
  }
}
