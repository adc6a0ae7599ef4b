import {meterLabel, type LaneKey} from './lane.ts';
import type {SpendingBook} from './spending-book.ts';

/** What a runner must have for tasks of a lane: where a budget holds right now, it must be able to keep to one. */
export function requiredLabels(
  {spending}: {readonly spending: Pick<SpendingBook, 'matching'>},
  {requires, spender}: Pick<LaneKey, 'requires' | 'spender'>,
): readonly string[] {
  if (requires.includes(meterLabel) || spending.matching(spender).length === 0) return requires;
  return [...requires, meterLabel];
}
