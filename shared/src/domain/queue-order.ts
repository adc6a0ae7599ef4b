import {limits} from '../policy/limits.ts';

/** Order keys count microseconds, so that tasks of one millisecond keep the order in which they came. */
const keysPerMs = 1_000;

/**
 * A number that orders waiting tasks and never changes while they wait: ageing is the same for all, so a task that is
 * one priority less urgent stands where a task stood that came one ageing step later. One index serves every moment.
 * `queuedMs` may have a fraction.
 */
export function orderKey(queuedMs: number, priority: number): number {
  return Math.round((queuedMs + (priority - 1) * limits.agingStepMs) * keysPerMs);
}

/**
 * The priority, from 0 (most urgent), that a task has reached by now. Waiting longer than it takes to reach 0 gives no
 * further rank, so that among the tasks which waited long the fairness keys still take turns.
 */
export function level(key: number, nowMs: number): number {
  return Math.max(0, Math.ceil((Math.floor(key / keysPerMs) - nowMs) / limits.agingStepMs));
}

/** Order keys below this have reached the level by now, or a more urgent one. */
export function keyBound(wanted: number, nowMs: number): number {
  return (Math.floor(nowMs) + wanted * limits.agingStepMs + 1) * keysPerMs;
}

export type Candidate = {
  readonly level: number;
  /** How often its fairness key was served, from the moment on when the key began to wait. */
  readonly pass: number;
  readonly orderKey: number;
  readonly id: string;
};

/** Urgency first, then the fairness key that was served least, then first in first out. Negative: `left` goes first. */
export function compareCandidates(left: Candidate, right: Candidate): number {
  return (
    left.level - right.level ||
    left.pass - right.pass ||
    left.orderKey - right.orderKey ||
    (left.id < right.id ? -1 : left.id > right.id ? 1 : 0)
  );
}

/** What a submission does to other tasks of its concurrency key, and to itself. Newest last in `unfinished`. */
export function concurrencyOnSubmit(
  {mode, limit}: {readonly mode: 'queue' | 'cancel_in_progress' | 'cancel_newest'; readonly limit: number},
  unfinished: readonly string[],
): {readonly cancelSelf: boolean; readonly cancel: readonly string[]} {
  const surplus = Math.max(0, unfinished.length + 1 - limit);
  if (surplus === 0 || mode === 'queue') return {cancelSelf: false, cancel: []};
  if (mode === 'cancel_newest') return {cancelSelf: true, cancel: []};
  return {cancelSelf: false, cancel: unfinished.slice(0, surplus)};
}
