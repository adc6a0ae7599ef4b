import type {Stamp} from './child.ts';
import {payload, type Queue} from './closed-loop.ts';
import {nowUs, percentile, type Figures} from './measure.ts';

export type DrainQueue = Queue & {
  /** Adds so many equal items in one call. */
  readonly addBulk: (payload: string, count: number) => Promise<void>;
  /** While paused, items are taken in and none is started. */
  readonly pause: () => Promise<void>;
  readonly resume: () => Promise<void>;
};

const drainMsMax = 120_000;

/** Counts what the worker has done, and waits for a number of it. */
export function doneCounter(queue: Queue): {readonly after: (count: number) => Promise<number>} {
  let done = 0;
  let waiting: {readonly upTo: number; readonly resolve: (atUs: number) => void} | undefined;
  queue.onStamp(([kind, , atUs]: Stamp) => {
    if (kind !== 'done') return;
    done += 1;
    if (waiting !== undefined && done >= waiting.upTo) waiting.resolve(atUs);
  });
  return {
    /** The clock when so many more have ended. Must be asked before they can. */
    after: async count => {
      const {promise, resolve, reject} = Promise.withResolvers<number>();
      const upTo = done + count;
      waiting = {upTo, resolve};
      const timer = setTimeout(() => reject(new Error(`${upTo - done} of ${count} did not end`)), drainMsMax);
      return promise.finally(() => clearTimeout(timer));
    },
  };
}

/** A backlog is added in bulk while the queue is paused, then one worker drains it. */
export function drain(queue: DrainQueue, {items, batch}: {items: number; batch: number}): () => Promise<Figures> {
  const done = doneCounter(queue);
  return async () => {
    await queue.pause();
    const all = done.after(items);
    const addedUs = nowUs();
    for (let added = 0; added < items; added += batch) await queue.addBulk(payload, Math.min(batch, items - added));
    const beganUs = nowUs();
    await queue.resume();
    const endedUs = await all;
    return {
      addRate: (items / (beganUs - addedUs)) * 1_000_000,
      drainRate: (items / (endedUs - beganUs)) * 1_000_000,
    };
  };
}

const bulkMax = 1_000;
const probeMs = 2_000;
const drainedItems = 2_000;

/**
 * What one more item costs when `depth` wait already, against an empty queue: adding one at a time to a paused queue
 * without a backlog, then with it; and how fast the first of the backlog go once it is resumed. Once per side: the
 * backlog is left behind.
 */
export async function depth(queue: DrainQueue, waiting: number): Promise<Figures> {
  const done = doneCounter(queue);
  await queue.pause();
  await adds(queue, probeMs);
  const empty = await adds(queue, probeMs);
  for (let added = 0; added < waiting; added += bulkMax) await queue.addBulk(payload, bulkMax);
  await adds(queue, probeMs / 2);
  const deep = await adds(queue, probeMs);
  const first = done.after(drainedItems);
  const beganUs = nowUs();
  await queue.resume();
  const endedUs = await first;
  return {
    emptyAdd: percentile(empty, 0.5),
    emptyAdd99: percentile(empty, 0.99),
    deepAdd: percentile(deep, 0.5),
    deepAdd99: percentile(deep, 0.99),
    deepDrainRate: (drainedItems / (endedUs - beganUs)) * 1_000_000,
  };
}

async function adds(queue: Queue, lengthMs: number): Promise<readonly number[]> {
  const times: number[] = [];
  const endUs = nowUs() + lengthMs * 1_000;
  while (nowUs() < endUs) {
    const beganUs = nowUs();
    await queue.add(payload);
    times.push(nowUs() - beganUs);
  }
  return times;
}
