import {join} from 'node:path';
import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {readRunFile, writeRunFile} from '../../executor/run-directory.ts';
import {nothingSpent, type Spending} from './allowance.ts';
import type {Grant} from './grant.ts';

const count = z.int().nonnegative();
const storedSchema = z.strictObject({
  usage: z.strictObject({input: count, output: count, cacheRead: count, cacheWrite: count}),
  turns: count,
});

export const USAGE_FILE = 'usage.json';

/**
 * What each attempt has spent. In memory for the requests, in the run directory for a runner that starts over: what it
 * does not find there, it counts from nothing, and a provider's own bill is the last word.
 */
export class Ledger {
  readonly #directoryOf: (grant: Grant) => string;
  readonly #spendings = new Map<string, Spending>();
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
    if (!this.#spendings.has(key))
      this.#spendings.set(key, stored.success ? {...nothingSpent, ...stored.data} : nothingSpent);
  }

  of(grant: Grant): Spending {
    return this.#spendings.get(keyOf(grant)) ?? nothingSpent;
  }

  set(grant: Grant, spending: Spending): void {
    this.#spendings.set(keyOf(grant), spending);
  }

  /** One write after another; the last figures win. */
  async save(grant: Grant): Promise<void> {
    const key = keyOf(grant);
    const before = this.#writes.get(key) ?? Promise.resolve();
    const write = before.then(async () => {
      const {usage, turns} = this.of(grant);
      await writeRunFile(this.#directoryOf(grant), USAGE_FILE, JSON.stringify({usage, turns}));
    });
    const settled = write.catch(() => undefined);
    this.#writes.set(key, settled);
    await write;
  }

  forget(grant: Grant): void {
    this.#spendings.delete(keyOf(grant));
    this.#writes.delete(keyOf(grant));
  }
}

const keyOf = ({task, epoch}: Grant): string => join(task, String(epoch));
