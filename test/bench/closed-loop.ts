import {nowUs, percentile, type Figures} from './measure.ts';

/** A system under load: one work item goes in, a worker process starts it, and its end is acknowledged. */
export type Queue = {
  readonly name: string;
  /** Resolves when the item is durable in the system's own sense. */
  readonly add: (payload: string) => Promise<string>;
  /** Called with the id, and the worker's clock when its handler was entered, or when the end was acknowledged. */
  readonly onStart: (listener: (id: string, atUs: number) => void) => void;
  readonly onDone: (listener: (id: string, atUs: number) => void) => void;
  readonly stop: () => Promise<void>;
};

type Item = {readonly addedUs: number; startedUs?: number; readonly finish: () => void};

const ITEM_TIMEOUT_MS = 30_000;

/** About 500 bytes, as a prompt with its settings. */
export const payload = JSON.stringify({
  prompt: 'x'.repeat(400),
  repository: 'https://example.com/r.git',
  agent: 'coding',
});

/** Keeps `inFlight` items in the system and measures what passes: add to start, whole cycles, cycles a second. */
export function closedLoop(queue: Queue, inFlight: number): (lengthMs: number) => Promise<Figures> {
  const items = new Map<string, Item>();
  const early = new Map<string, {startedUs?: number; doneUs?: number}>();
  let adds: number[] = [];
  let starts: number[] = [];
  let cycles: number[] = [];

  const settle = (id: string, item: Item, doneUs: number): void => {
    items.delete(id);
    if (item.startedUs !== undefined) starts.push(item.startedUs - item.addedUs);
    cycles.push(doneUs - item.addedUs);
    item.finish();
  };
  queue.onStart((id, atUs) => {
    const item = items.get(id);
    if (item === undefined) early.set(id, {...early.get(id), startedUs: atUs});
    else item.startedUs = atUs;
  });
  queue.onDone((id, atUs) => {
    const item = items.get(id);
    if (item === undefined) early.set(id, {...early.get(id), doneUs: atUs});
    else settle(id, item, atUs);
  });

  const one = async (): Promise<void> => {
    const addedUs = nowUs();
    const id = await queue.add(payload);
    adds.push(nowUs() - addedUs);
    const {promise, resolve, reject} = Promise.withResolvers<void>();
    const item: Item = {addedUs, finish: resolve};
    const seen = early.get(id);
    early.delete(id);
    if (seen?.startedUs !== undefined) item.startedUs = seen.startedUs;
    if (seen?.doneUs !== undefined) return settle(id, item, seen.doneUs);
    items.set(id, item);
    const timer = setTimeout(() => reject(new Error(`${queue.name}: ${id} did not end`)), ITEM_TIMEOUT_MS);
    await promise.finally(() => clearTimeout(timer));
  };

  return async lengthMs => {
    adds = [];
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
      'add p50 us': percentile(adds, 0.5),
      'start p50 us': percentile(starts, 0.5),
      'start p99 us': percentile(starts, 0.99),
      'cycle p50 us': percentile(cycles, 0.5),
      'cycles/s': cycles.length / seconds,
    };
  };
}
