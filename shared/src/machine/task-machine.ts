import {terminalStates, type Machine} from './machine.ts';

/**
 * The life of a task, held by the Fleet.
 *
 * `pending` waits for a time (not-before, backoff) or for other tasks; `queued` may be offered at once; `offered` is
 * promised to one runner that has not accepted; `leased` belongs to one runner until its deadline; `cancelling` was
 * cancelled while leased and ends only when the runner reports the exit or the lease runs out, so that a cancelled task
 * never has an agent alive; `paused` waits for the word of a person, with no agent and no lease. A finished task never changes: a retry is a new task that names the old one.
 */
export const taskStates = [
  'pending',
  'queued',
  'offered',
  'leased',
  'cancelling',
  'paused',
  'succeeded',
  'failed',
  'timed_out',
  'cancelled',
  'dead',
] as const;
export type TaskState = (typeof taskStates)[number];

export type TaskEvent =
  | 'ready'
  | 'dependencyFailed'
  | 'deadlinePassed'
  | 'offered'
  | 'offerReturned'
  | 'offerRefused'
  | 'withheld'
  | 'accepted'
  | 'exited'
  | 'leaseExpired'
  | 'decided'
  | 'cancelRequested';

export type TaskGuard =
  | 'exitSucceeded'
  | 'exitTimedOut'
  | 'exitCancelled'
  | 'exitInterrupted'
  | 'exitWaiting'
  | 'asksOpen'
  | 'parked'
  | 'exitFinal'
  | 'attemptsLeft';

/** Names of what the holder of the task must do in the same transaction. */
export type TaskEffect =
  | 'sendGone'
  | 'sendCancel'
  | 'sendGo'
  | 'recordFailure'
  | 'scheduleRetry'
  | 'requeue'
  | 'finish';

/** What the guards look at. `result` is that of the exit being handled, if any. */
export type TaskFacts = {
  readonly failures: number;
  readonly attemptsMax: number;
  readonly result?: 'succeeded' | 'failed' | 'timed_out' | 'cancelled' | 'interrupted' | 'waiting' | undefined;
  /** Whether a person still has to decide what the attempt waits for. */
  readonly hasOpenAsks?: boolean | undefined;
  readonly retryable?: boolean | undefined;
  /** Whether the team or the provider has to give something first: a budget, or the next window of a usage limit. */
  readonly parks?: boolean | undefined;
};

/**
 * An exit ends a lease. A failure is retried while attempts are left; an interrupted attempt (the runner was stopped on
 * purpose) goes back to the queue without burning one, and so does one whose agent waits for a person. One that was
 * refused a model for want of a budget waits, and burns none either.
 */
const exited = [
  {when: 'exitSucceeded', to: 'succeeded', run: ['finish']},
  {when: 'exitInterrupted', to: 'queued', run: ['requeue']},
  {when: 'asksOpen', to: 'paused'},
  {when: 'exitWaiting', to: 'queued', run: ['requeue']},
  {when: 'exitCancelled', to: 'cancelled', run: ['finish']},
  {when: 'exitTimedOut', to: 'timed_out', run: ['recordFailure', 'finish']},
  {when: 'parked', to: 'pending', run: ['scheduleRetry']},
  {when: 'exitFinal', to: 'failed', run: ['recordFailure', 'finish']},
  {when: 'attemptsLeft', to: 'pending', run: ['recordFailure', 'scheduleRetry']},
  {to: 'dead', run: ['recordFailure', 'finish']},
] as const;

const leaseExpired = [
  {when: 'attemptsLeft', to: 'pending', run: ['sendGone', 'recordFailure', 'scheduleRetry']},
  {to: 'dead', run: ['sendGone', 'recordFailure', 'finish']},
] as const;

export const taskMachine: Machine<TaskState, TaskEvent, TaskGuard, TaskEffect, TaskFacts> = {
  initial: 'pending',
  table: {
    pending: {
      ready: [{to: 'queued'}],
      dependencyFailed: [{to: 'failed', run: ['recordFailure', 'finish']}],
      deadlinePassed: [{to: 'failed', run: ['recordFailure', 'finish']}],
      cancelRequested: [{to: 'cancelled', run: ['finish']}],
    },
    queued: {
      offered: [{to: 'offered'}],
      withheld: [
        {when: 'parked', to: 'pending', run: ['scheduleRetry']},
        {to: 'failed', run: ['recordFailure', 'finish']},
      ],
      deadlinePassed: [{to: 'failed', run: ['recordFailure', 'finish']}],
      cancelRequested: [{to: 'cancelled', run: ['finish']}],
    },
    offered: {
      accepted: [{to: 'leased', run: ['sendGo']}],
      offerReturned: [{to: 'queued', run: ['sendGone', 'requeue']}],
      offerRefused: [{to: 'failed', run: ['recordFailure', 'finish']}],
      cancelRequested: [{to: 'cancelled', run: ['sendGone', 'finish']}],
    },
    leased: {
      accepted: [{to: 'leased', run: ['sendGo']}],
      exited,
      leaseExpired,
      cancelRequested: [{to: 'cancelling', run: ['sendCancel']}],
    },
    cancelling: {
      cancelRequested: [{to: 'cancelling', run: ['sendCancel']}],
      exited: [{to: 'cancelled', run: ['finish']}],
      leaseExpired: [{to: 'cancelled', run: ['sendGone', 'finish']}],
    },
    paused: {
      decided: [{to: 'queued', run: ['requeue']}],
      cancelRequested: [{to: 'cancelled', run: ['finish']}],
    },
    succeeded: {},
    failed: {},
    timed_out: {},
    cancelled: {},
    dead: {},
  },
  guards: {
    exitSucceeded: ({result}) => result === 'succeeded',
    exitTimedOut: ({result}) => result === 'timed_out',
    exitCancelled: ({result}) => result === 'cancelled',
    exitInterrupted: ({result}) => result === 'interrupted',
    asksOpen: ({result, hasOpenAsks = false}) => result === 'waiting' && hasOpenAsks,
    exitWaiting: ({result}) => result === 'waiting',
    parked: ({parks = false}) => parks,
    exitFinal: ({retryable}) => retryable === false,
    attemptsLeft: ({failures, attemptsMax}) => failures + 1 < attemptsMax,
  },
};

export const finishedTaskStates = terminalStates<TaskState>(taskMachine.table);

export function isFinished(state: TaskState): boolean {
  return finishedTaskStates.has(state);
}
