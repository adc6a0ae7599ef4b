import {
  addFigures,
  exhausted,
  left,
  noFigures,
  smallest,
  spendingKinds,
  type Figures,
  type Limits,
} from '@switchyard/shared/policy/budget.ts';
import {limitsSchema} from '@switchyard/shared/protocol/spending.ts';
import * as z from 'zod';
import type {Sql} from './sql.ts';

/**
 * What a task lets all that works for it spend together: its own attempts and the sub-tasks that these made, whatever
 * depth they have. A task has one for its budget of all attempts, and each of its sessions one for that of each attempt.
 */
export type Purse = {
  readonly id: string;
  readonly task: string;
  readonly limits: Limits;
  readonly spent: Figures;
};

type Undo = () => void;

const purseRow = z
  .object({
    id: z.string(),
    task: z.string(),
    limits: z.string(),
    cost_micros: z.number(),
    tokens: z.number(),
    turns: z.number(),
  })
  .transform(({id, task, limits, ...spent}): Purse => ({
    id,
    task,
    limits: limitsSchema.parse(JSON.parse(limits)),
    spent,
  }));

/** The purses of the pool. Only what is set aside of them is kept in memory: that is as much as there are live attempts. */
export class PurseBook {
  readonly #sql: Sql;
  readonly #changed = new Map<string, Purse>();
  readonly #reserved = new Map<string, Figures>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  purse(id: string): Purse | undefined {
    const changed = this.#changed.get(id);
    if (changed !== undefined) return changed;
    const [row] = this.#sql.all('SELECT * FROM purse WHERE id = ?', id);
    return row === undefined ? undefined : purseRow.parse(row);
  }

  set(purse: Purse): Undo {
    const before = this.#changed.get(purse.id);
    this.#changed.set(purse.id, purse);
    return () => {
      if (before === undefined) this.#changed.delete(purse.id);
      else this.#changed.set(purse.id, before);
    };
  }

  spend(id: string, more: Figures): Undo {
    const purse = this.purse(id);
    return purse === undefined ? () => undefined : this.set({...purse, spent: addFigures(purse.spent, more)});
  }

  /** What nobody has spent or may spend by now: the least of these purses. */
  rest(ids: readonly string[]): Limits {
    return smallest(this.#known(ids).map(({id, limits, spent}) => left(limits, spent, this.#reservedOf(id))));
  }

  /** Whether nothing is left of one of these purses: it is `spent` for good, or `promised` to attempts that live. */
  empty(ids: readonly string[]): 'spent' | 'promised' | undefined {
    const purses = this.#known(ids);
    if (purses.some(({limits, spent}) => exhausted(left(limits, spent, noFigures)) !== undefined)) return 'spent';
    return exhausted(this.rest(ids)) === undefined ? undefined : 'promised';
  }

  /** What is set aside for a live attempt, or given back by a negative one. */
  reserve(id: string, change: (reserved: Figures) => Figures): void {
    const reserved = change(this.#reservedOf(id));
    if (spendingKinds.every(kind => reserved[kind] === 0)) this.#reserved.delete(id);
    else this.#reserved.set(id, reserved);
  }

  flush(sql: Sql): void {
    for (const {id, task, limits, spent} of this.#changed.values())
      sql.run(
        'INSERT OR REPLACE INTO purse (id, task, limits, cost_micros, tokens, turns) VALUES (?, ?, ?, ?, ?, ?)',
        id,
        task,
        JSON.stringify(limits),
        spent.cost_micros,
        spent.tokens,
        spent.turns,
      );
    this.#changed.clear();
  }

  #known(ids: readonly string[]): readonly Purse[] {
    return ids.map(id => this.purse(id)).filter(purse => purse !== undefined);
  }

  #reservedOf(id: string): Figures {
    return this.#reserved.get(id) ?? noFigures;
  }
}
