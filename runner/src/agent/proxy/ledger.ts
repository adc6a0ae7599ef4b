import {join} from 'node:path';
import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {readRunFile, writeRunFile} from '../../executor/run-directory.ts';
import {nothingSpent, type Spending} from './allowance.ts';
import type {Grant} from './grant.ts';
import {stopSchema, type Stop} from './stop.ts';

const count = z.int().nonnegative();
const modelSpending = {
  usage: z.strictObject({
    input: count,
    output: count,
    cacheRead: count,
    cacheWrite: count,
    cacheWriteLong: count.default(0),
  }),
  turns: count,
  // Agents may outlive a runner that counted no money.
  cost_micros: count.default(0),
};
const storedSchema = z.strictObject({
  ...modelSpending,
  models: z.record(z.string(), z.strictObject(modelSpending)).default({}),
  stop: stopSchema.nullable().default(null),
});

export const USAGE_FILE = 'usage.json';

/**
 * What each attempt has spent, and why it was stopped. In memory for the requests, in the run directory for a runner that starts over: what it
 * does not find there, it counts from nothing, and a provider's own bill is the last word.
 */
export class Ledger {
  readonly #directoryOf: (grant: Grant) => string;
  readonly #spendings = new Map<string, Spending>();
  readonly #bytes = new Map<string, number>();
  readonly #stops = new Map<string, Stop>();
  readonly #writes = new Map<string, Promise<void>>();

  constructor(directoryOf: (grant: Grant) => string) {
    this.#directoryOf = directoryOf;
  }

  async open(grant: Grant): Promise<void> {
    const key = keyOf(grant);
    if (this.#spendings.has(key)) return;
    const text = await readRunFile(this.#directoryOf(grant), USAGE_FILE);
    const stored = storedSchema.safeParse(text === undefined ? undefined : parseJson(text));
    // Another request may have opened it meanwhile.
    if (this.#spendings.has(key)) return;
    const {stop, ...spent} = stored.success ? stored.data : {stop: null};
    this.#spendings.set(key, {...nothingSpent, ...spent});
    if (stop !== null) this.#stops.set(key, stop);
  }

  of(grant: Grant): Spending {
    return this.#spendings.get(keyOf(grant)) ?? nothingSpent;
  }

  set(grant: Grant, spending: Spending): void {
    this.#spendings.set(keyOf(grant), spending);
  }

  /** Bytes of answers since this process began. */
  bytesOf(grant: Grant): number {
    return this.#bytes.get(keyOf(grant)) ?? 0;
  }

  addBytes(grant: Grant, count: number): void {
    this.#bytes.set(keyOf(grant), this.bytesOf(grant) + count);
  }

  /** Why the agent of this attempt cannot go on; null once an answer came through again. */
  stopOf(grant: Grant): Stop | null {
    return this.#stops.get(keyOf(grant)) ?? null;
  }

  stop(grant: Grant, stop: Stop | null): void {
    if (stop === null) this.#stops.delete(keyOf(grant));
    else this.#stops.set(keyOf(grant), stop);
  }

  /** One write after another; the last figures win. */
  async save(grant: Grant): Promise<void> {
    const key = keyOf(grant);
    const before = this.#writes.get(key) ?? Promise.resolve();
    const write = before.then(async () => {
      const {usage, turns, cost_micros, models} = this.of(grant);
      const text = JSON.stringify({usage, turns, cost_micros, models, stop: this.stopOf(grant)});
      await writeRunFile(this.#directoryOf(grant), USAGE_FILE, text);
    });
    const settled = write.catch(() => undefined);
    this.#writes.set(key, settled);
    await write;
  }

  forget(grant: Grant): void {
    this.#spendings.delete(keyOf(grant));
    this.#stops.delete(keyOf(grant));
    this.#bytes.delete(keyOf(grant));
    this.#writes.delete(keyOf(grant));
  }
}

const keyOf = ({task, epoch}: Grant): string => join(task, String(epoch));
