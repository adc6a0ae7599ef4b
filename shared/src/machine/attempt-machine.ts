import type {Machine} from './machine.ts';

/**
 * The life of one attempt, held by the runner's journal.
 *
 * `offered` is only passed through: an offer that is not accepted at once is rejected, and nothing of it is kept.
 * `accepted` has no process and must not start one: only `go` leads to `preparing`. From `preparing` on, the journal
 * remembers the epoch for ever. `stopping` has been told to end and is being killed. `exited` has a result whose log is
 * not yet whole on the server; `reported` waits for the server's `exit_ack`; `collected` holds nothing on this machine
 * but its branch. `fenced` was called `gone`, or passed its deadline: it is killed and never reports.
 */
export const attemptStates = [
  'offered',
  'accepted',
  'preparing',
  'running',
  'finishing',
  'stopping',
  'exited',
  'reported',
  'fenced',
  'collected',
] as const;
export type AttemptState = (typeof attemptStates)[number];

export type AttemptEvent =
  | 'accepted'
  | 'go'
  | 'prepared'
  | 'agentEnded'
  | 'finished'
  | 'stopRequested'
  | 'stopped'
  | 'logSealed'
  | 'exitAcknowledged'
  | 'gone'
  | 'deadlinePassed'
  | 'cleaned';

export type AttemptEffect =
  | 'sendAccept'
  | 'prepare'
  | 'launch'
  | 'finish'
  | 'stopAgent'
  | 'sealLog'
  | 'sendExit'
  | 'killNow'
  | 'clean';

const end = {gone: [{to: 'fenced', run: ['killNow']}], deadlinePassed: [{to: 'fenced', run: ['killNow']}]} as const;

export const attemptMachine: Machine<AttemptState, AttemptEvent, never, AttemptEffect, undefined> = {
  initial: 'offered',
  table: {
    offered: {
      accepted: [{to: 'accepted', run: ['sendAccept']}],
    },
    accepted: {
      go: [{to: 'preparing', run: ['prepare']}],
      stopRequested: [{to: 'exited', run: ['sealLog']}],
      gone: [{to: 'collected'}],
      deadlinePassed: [{to: 'collected'}],
    },
    preparing: {
      prepared: [{to: 'running', run: ['launch']}],
      finished: [{to: 'exited', run: ['sealLog']}],
      stopRequested: [{to: 'stopping', run: ['stopAgent']}],
      ...end,
    },
    running: {
      agentEnded: [{to: 'finishing', run: ['finish']}],
      stopRequested: [{to: 'stopping', run: ['stopAgent']}],
      ...end,
    },
    finishing: {
      finished: [{to: 'exited', run: ['sealLog']}],
      stopRequested: [{to: 'stopping', run: ['stopAgent']}],
      ...end,
    },
    stopping: {
      stopRequested: [{to: 'stopping', run: ['stopAgent']}],
      stopped: [{to: 'exited', run: ['sealLog']}],
      ...end,
    },
    exited: {
      logSealed: [{to: 'reported', run: ['sendExit']}],
      gone: [{to: 'fenced', run: ['clean']}],
    },
    reported: {
      exitAcknowledged: [{to: 'fenced', run: ['clean']}],
      gone: [{to: 'fenced', run: ['clean']}],
    },
    fenced: {
      cleaned: [{to: 'collected'}],
    },
    collected: {},
  },
  guards: {},
};
