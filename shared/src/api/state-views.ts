import type {TaskState} from '../machine/task-machine.ts';
import type {TaskView} from './task-view.ts';

/**
 * The states of the five older APIs as views over one vocabulary. A view is a pure function of the canonical state, so
 * no older API can know a state that the others do not. `interrupted` is an attempt that lost its lease: its task is
 * queued again.
 */
export const canonicalStates = [
  'pending',
  'queued',
  'leased',
  'running',
  'paused',
  'succeeded',
  'failed',
  'timed_out',
  'cancelled',
  'interrupted',
] as const;
export type CanonicalState = (typeof canonicalStates)[number];

/** `null` where the older API has no word: a task that waits has no agent yet. */
export type StateView = {
  readonly agentB: 'starting' | 'running' | 'completed' | 'failed' | 'timeout' | 'killed' | null;
  readonly taskB: 'pending' | 'queued' | 'assigned' | 'in_progress' | 'completed' | 'failed' | 'cancelled';
  readonly queueB: 'pending' | 'queued' | 'processing' | 'completed' | 'failed' | 'cancelled';
  readonly taskC: 'queued' | 'running' | 'completed' | 'failed' | 'interrupted' | 'cancelled';
  readonly taskD: 'pending' | 'in_progress' | 'completed' | 'failed';
  readonly taskE: 'pending' | 'initializing' | 'in_progress' | 'paused' | 'completed' | 'failed' | 'cancelled';
  readonly sessionE: 'pending' | 'initializing' | 'running' | 'paused' | 'completed' | 'failed' | 'terminated';
};

const completed = {
  agentB: 'completed',
  taskB: 'completed',
  queueB: 'completed',
  taskC: 'completed',
  taskD: 'completed',
  taskE: 'completed',
  sessionE: 'completed',
} as const;
const failed = {
  agentB: 'failed',
  taskB: 'failed',
  queueB: 'failed',
  taskC: 'failed',
  taskD: 'failed',
  taskE: 'failed',
  sessionE: 'failed',
} as const;
const waiting = {agentB: null, taskC: 'queued', taskD: 'pending', taskE: 'pending', sessionE: 'pending'} as const;
const working = {
  agentB: 'running',
  taskB: 'in_progress',
  queueB: 'processing',
  taskC: 'running',
  taskD: 'in_progress',
} as const;

export const stateViews: {readonly [State in CanonicalState]: StateView} = {
  pending: {...waiting, taskB: 'pending', queueB: 'pending'},
  queued: {...waiting, taskB: 'queued', queueB: 'queued'},
  leased: {
    agentB: 'starting',
    taskB: 'assigned',
    queueB: 'processing',
    taskC: 'queued',
    taskD: 'in_progress',
    taskE: 'initializing',
    sessionE: 'initializing',
  },
  running: {...working, taskE: 'in_progress', sessionE: 'running'},
  paused: {...working, taskE: 'paused', sessionE: 'paused'},
  succeeded: completed,
  failed,
  timed_out: {...failed, agentB: 'timeout', taskC: 'interrupted'},
  cancelled: {
    agentB: 'killed',
    taskB: 'cancelled',
    queueB: 'cancelled',
    taskC: 'cancelled',
    taskD: 'failed',
    taskE: 'cancelled',
    sessionE: 'terminated',
  },
  interrupted: {...failed, taskB: 'queued', queueB: 'queued', taskC: 'interrupted', taskD: 'pending'},
};

/** States of a task that need nothing else to be told apart; a lease also depends on what its attempt does. */
const canonicalByState: {readonly [State in Exclude<TaskState, 'leased'>]: CanonicalState} = {
  pending: 'pending',
  queued: 'queued',
  offered: 'leased',
  cancelling: 'running',
  paused: 'paused',
  succeeded: 'succeeded',
  failed: 'failed',
  timed_out: 'timed_out',
  cancelled: 'cancelled',
  dead: 'failed',
};

/** A lease is `running` from the moment its runner works on it, preparation included. */
export function canonicalState({state, phase}: Pick<TaskView, 'state' | 'phase'>): CanonicalState {
  if (state !== 'leased') return canonicalByState[state];
  return phase === null || phase === 'accepted' ? 'leased' : 'running';
}
