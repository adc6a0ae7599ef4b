import {figuresOf} from '@switchyard/shared/domain/spending.ts';
import {
  addFigures,
  exhausted,
  left,
  noFigures,
  outstanding,
  smallest,
  subtractFigures,
  type Figures,
  type Limits,
} from '@switchyard/shared/policy/budget.ts';
import {
  allBudgets,
  allSlices,
  dueMs,
  isFor,
  limitsAt,
  runnerOf,
  saveBudget,
  saveSlice,
  type Budget,
  type Slice,
  type Spender,
} from './budget-row.ts';
import {addCost, type Cost} from './cost-row.ts';
import {PurseBook} from './purse-book.ts';
import type {Sql} from './sql.ts';

/** Puts back what it changed. */
export type Undo = () => void;

/**
 * The budgets of the pool, and what is set aside from them for the attempts that live. Every change answers how it is
 * taken back; `flush` writes what has changed.
 */
export class SpendingBook {
  readonly #budgets = new Map<string, Budget>();
  /** The same by the runner whose charter they follow from; those that people have made under the empty text. */
  readonly #byRunner = new Map<string, Map<string, Budget>>();
  readonly #slices = new Map<string, Slice>();
  /** For each budget the sum of what its live attempts have been given and not spent. */
  readonly #reserved = new Map<string, Figures>();
  readonly #changedBudgets = new Set<string>();
  readonly #changedSlices = new Set<string>();
  readonly #costs: Cost[] = [];
  readonly purses: PurseBook;

  constructor(sql: Sql) {
    this.purses = new PurseBook(sql);
    for (const budget of allBudgets(sql)) this.#keep(budget);
    for (const slice of allSlices(sql)) this.#put(slice.task, slice);
  }

  /** Without budgets and without agents that use models, nothing here costs anything. */
  get hasBudgets(): boolean {
    return this.#budgets.size > 0;
  }

  get unwritten(): readonly Cost[] {
    return this.#costs;
  }

  /** Whether any budget depends on which runner takes an attempt. */
  get hasSourceBudgets(): boolean {
    return this.general().some(({scope}) => scope === 'source');
  }

  budgets(): readonly Budget[] {
    return [...this.#budgets.values()];
  }

  /** Those that people have made, and that no runner is needed for to know whether they are for a task. */
  general(): readonly Budget[] {
    return this.ofRunner('');
  }

  ofRunner(runner: string): readonly Budget[] {
    return [...(this.#byRunner.get(runner)?.values() ?? [])];
  }

  budget(id: string): Budget | undefined {
    return this.#budgets.get(id);
  }

  slice(task: string): Slice | undefined {
    return this.#slices.get(task);
  }

  slices(): Iterable<Slice> {
    return this.#slices.values();
  }

  reservedOf(id: string): Figures {
    return this.#reserved.get(id) ?? noFigures;
  }

  /** What is left for an attempt: the least of all budgets and purses that it counts for. */
  rest(spender: Spender & Pick<Slice, 'purses'>, nowMs: number): Limits {
    const budgets = this.#matching(spender).map(budget =>
      left(limitsAt(budget, nowMs), budget.spent, this.reservedOf(budget.id)),
    );
    return smallest([...budgets, this.purses.rest(spender.purses)]);
  }

  /** The budget that lets no attempt of this kind begin; undefined where each has something left. */
  blocking(spender: Spender, nowMs: number): Budget | undefined {
    if (!this.hasBudgets) return undefined;
    return this.#matching(spender).find(budget => this.#isBlocked(budget, nowMs));
  }

  /** The same among those that follow from the charter of a runner alone. */
  blockingOn(spender: Spender & {readonly runner: string}, nowMs: number): Budget | undefined {
    return this.ofRunner(spender.runner).find(budget => isFor(budget, spender) && this.#isBlocked(budget, nowMs));
  }

  matching(spender: Spender): readonly Budget[] {
    return this.#matching(spender);
  }

  /** When the clock next changes a budget; `Infinity` when never. */
  dueMs(): number {
    let earliestMs = Infinity;
    for (const budget of this.#budgets.values()) earliestMs = Math.min(earliestMs, dueMs(budget));
    return earliestMs;
  }

  setBudget(id: string, budget: Budget | undefined): Undo {
    const before = this.#budgets.get(id);
    this.#changedBudgets.add(id);
    if (budget === undefined) this.#drop(before);
    else this.#keep(budget);
    if (budget === undefined || before?.target !== budget.target || before.scope !== budget.scope) this.#reserve();
    return () => void this.setBudget(id, before);
  }

  setSlice(task: string, slice: Slice | undefined): Undo {
    const before = this.#slices.get(task);
    this.#changedSlices.add(task);
    this.#put(task, slice);
    return () => void this.setSlice(task, before);
  }

  addCost(cost: Cost): Undo {
    this.#costs.push(cost);
    return () => void this.#costs.pop();
  }

  flush(sql: Sql): void {
    for (const id of this.#changedBudgets) {
      const budget = this.#budgets.get(id);
      if (budget === undefined) sql.run('DELETE FROM budget WHERE id = ?', id);
      else saveBudget(sql, budget);
    }
    for (const task of this.#changedSlices) {
      const slice = this.#slices.get(task);
      if (slice === undefined) sql.run('DELETE FROM slice WHERE task = ?', task);
      else saveSlice(sql, slice);
    }
    for (const cost of this.#costs) addCost(sql, cost);
    this.purses.flush(sql);
    this.#changedBudgets.clear();
    this.#changedSlices.clear();
    this.#costs.length = 0;
  }

  #matching(spender: Spender): readonly Budget[] {
    const own = spender.runner === undefined ? [] : this.ofRunner(spender.runner);
    return [...this.general(), ...own].filter(budget => isFor(budget, spender));
  }

  #isBlocked(budget: Budget, nowMs: number): boolean {
    return exhausted(left(limitsAt(budget, nowMs), budget.spent, this.reservedOf(budget.id))) !== undefined;
  }

  #keep(budget: Budget): void {
    const runner = runnerOf(budget) ?? '';
    this.#budgets.set(budget.id, budget);
    this.#byRunner.set(runner, (this.#byRunner.get(runner) ?? new Map<string, Budget>()).set(budget.id, budget));
  }

  #drop(budget: Budget | undefined): void {
    if (budget === undefined) return;
    this.#budgets.delete(budget.id);
    const runner = runnerOf(budget) ?? '';
    const others = this.#byRunner.get(runner);
    others?.delete(budget.id);
    if (others?.size === 0) this.#byRunner.delete(runner);
  }

  #put(task: string, slice: Slice | undefined): void {
    const before = this.#slices.get(task);
    if (before !== undefined) this.#countAll(before, subtractFigures);
    if (slice === undefined) this.#slices.delete(task);
    else this.#slices.set(task, slice);
    if (slice !== undefined) this.#countAll(slice, addFigures);
  }

  #countAll(slice: Slice, change: (sum: Figures, by: Figures) => Figures): void {
    this.#count(slice, change);
    const by = outstanding(slice.granted, figuresOf(slice.spent));
    for (const id of slice.purses) this.purses.reserve(id, reserved => change(reserved, by));
  }

  #count(slice: Slice, change: (sum: Figures, by: Figures) => Figures): void {
    const by = outstanding(slice.granted, figuresOf(slice.spent));
    for (const {id} of this.#matching(slice)) this.#reserved.set(id, change(this.reservedOf(id), by));
  }

  #reserve(): void {
    this.#reserved.clear();
    for (const slice of this.#slices.values()) this.#count(slice, addFigures);
  }
}
