import type {LaneKey} from './lane.ts';
import type {SpendingBook} from './spending-book.ts';
import {meterLabel} from './version-label.ts';

/** What a runner must have for tasks of a lane: where a budget holds right now, it must be able to keep to one. */
export function requiredLabels(
  {spending}: {readonly spending: Pick<SpendingBook, 'matching' | 'hasSourceBudgets'>},
  {requires, spender}: Pick<LaneKey, 'requires' | 'spender'>,
): readonly string[] {
  const isBudgeted = spending.hasSourceBudgets || spending.matching(spender).length > 0;
  if (requires.includes(meterLabel) || !isBudgeted) return requires;
  return [...requires, meterLabel];
}
