import type {TaskState} from '../machine/task-machine.ts';
import type {AttemptResult} from '../protocol/exit-record.ts';

/** How an attempt that had begun is remembered. `interrupted` was stopped with its runner, lost its lease or waits for a person. */
export const attemptEnds = ['succeeded', 'failed', 'timed_out', 'cancelled', 'interrupted'] as const;
export type AttemptEnd = (typeof attemptEnds)[number];

/**
 * The end of an attempt whose task was in `before` when it ended; `result` is what its runner reported, null where the
 * lease ran out. A cancelled attempt stays cancelled, whatever its agent did last.
 */
export function attemptEnd(before: TaskState, result: AttemptResult['kind'] | null): AttemptEnd {
  if (before === 'cancelling') return 'cancelled';
  return result === null || result === 'waiting' ? 'interrupted' : result;
}
