import type {Stamp} from './child.ts';
import {nowUs, percentile, type Figures} from './measure.ts';

/** A system under load: one work item goes in, a worker process starts it, and its end is acknowledged. */
export type Queue = {
  readonly name: string;
  /** Resolves with the id when the item is durable in the system's own sense. */
  readonly add: (payload: string) => Promise<string>;
  /** What the worker process reports; a worker that may work at once as it has an item sends no `have`. */
  readonly onStamp: (listener: (stamp: Stamp) => void) => void;
  readonly stop: () => Promise<void>;
};

type Seen = {haveUs?: number; startUs?: number; doneUs?: number};
type Item = Seen & {readonly addedUs: number; readonly finish: () => void};

const itemMsMax = 30_000;

/** About 500 bytes, as a prompt with its settings. */
export const payload = JSON.stringify({
  prompt: 'x'.repeat(400),
  repository: 'https://example.com/r.git',
  agent: 'coding',
});

/** One `have`, `start` or `done` of an item, which may come before the answer to its `add`. */
class Board {
  readonly #items = new Map<string, Item>();
  readonly #early = new Map<string, Seen>();
  readonly #onEnd: (item: Item, doneUs: number) => void;

  constructor(onEnd: (item: Item, doneUs: number) => void) {
    this.#onEnd = onEnd;
  }

  take([kind, id, atUs]: Stamp): void {
    if (kind === 'ready') return;
    const item = this.#items.get(id);
    const seen = item ?? this.#early.get(id) ?? {};
    if (kind === 'have') seen.haveUs = atUs;
    if (kind === 'start') seen.startUs = atUs;
    if (kind === 'done') seen.doneUs = atUs;
    if (item === undefined) this.#early.set(id, seen);
    else this.#endIfDone(id, item);
  }

  watch(id: string, item: Item): void {
    Object.assign(item, this.#early.get(id));
    this.#early.delete(id);
    this.#items.set(id, item);
    this.#endIfDone(id, item);
  }

  forget(id: string): void {
    this.#items.delete(id);
  }

  #endIfDone(id: string, item: Item): void {
    if (item.doneUs === undefined) return;
    this.#items.delete(id);
    this.#onEnd(item, item.doneUs);
    item.finish();
  }
}

/** Keeps `inFlight` items in the system and measures what passes: add to start, whole cycles, cycles a second. */
export function closedLoop(queue: Queue, inFlight: number): (lengthMs: number) => Promise<Figures> {
  let adds: number[] = [];
  let haves: number[] = [];
  let starts: number[] = [];
  let cycles: number[] = [];
  const board = new Board(({addedUs, haveUs, startUs}, doneUs) => {
    if (startUs !== undefined) starts.push(startUs - addedUs);
    if (haveUs !== undefined || startUs !== undefined) haves.push((haveUs ?? startUs ?? 0) - addedUs);
    cycles.push(doneUs - addedUs);
  });
  queue.onStamp(stamp => board.take(stamp));

  const one = async (): Promise<void> => {
    const addedUs = nowUs();
    const id = await queue.add(payload);
    adds.push(nowUs() - addedUs);
    const {promise, resolve, reject} = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      board.forget(id);
      reject(new Error(`${id} did not end within ${itemMsMax} ms`));
    }, itemMsMax);
    board.watch(id, {addedUs, finish: resolve});
    await promise.finally(() => clearTimeout(timer));
  };

  return async lengthMs => {
    adds = [];
    haves = [];
    starts = [];
    cycles = [];
    const beganUs = nowUs();
    const endUs = beganUs + lengthMs * 1_000;
    const lane = async (): Promise<void> => {
      while (nowUs() < endUs) await one();
    };
    await Promise.all(Array.from({length: inFlight}, lane));
    const seconds = (nowUs() - beganUs) / 1_000_000;
    return {
      add: percentile(adds, 0.5),
      have: percentile(haves, 0.5),
      start: percentile(starts, 0.5),
      start99: percentile(starts, 0.99),
      cycle: percentile(cycles, 0.5),
      rate: cycles.length / seconds,
    };
  };
}
