import {describe, expect, test} from 'vitest';
import {canonicalState, canonicalStates, stateViews} from '@switchyard/shared/api/state-views.ts';
import {taskStates} from '@switchyard/shared/machine/task-machine.ts';
import {attemptPhases} from '@switchyard/shared/protocol/attempt-message.ts';

/** As the older APIs have them; the table in the source must say the same. */
const expected = `
  pending      -          pending      pending     queued       pending      pending       pending
  queued       -          queued       queued      queued       pending      pending       pending
  leased       starting   assigned     processing  queued       in_progress  initializing  initializing
  running      running    in_progress  processing  running      in_progress  in_progress   running
  paused       running    in_progress  processing  running      in_progress  paused        paused
  succeeded    completed  completed    completed   completed    completed    completed     completed
  failed       failed     failed       failed      failed       failed       failed        failed
  timed_out    timeout    failed       failed      interrupted  failed       failed        failed
  cancelled    killed     cancelled    cancelled   cancelled    failed       cancelled     terminated
  interrupted  failed     queued       queued      interrupted  pending      failed        failed
`;

describe('the states of the older APIs', () => {
  test('[DC11] are one table over the canonical states', () => {
    const table = canonicalStates.map(state => {
      const {agentB, taskB, queueB, taskC, taskD, taskE, sessionE} = stateViews[state];
      return [state, agentB ?? '-', taskB, queueB, taskC, taskD, taskE, sessionE].join(' ');
    });
    const rows = expected.trim().split('\n');
    expect(table).toEqual(rows.map(row => row.trim().split(/\s+/).join(' ')));
  });

  test('[DC12] every task has one canonical state, whatever its attempt does', () => {
    const seen = taskStates.flatMap(state =>
      [null, ...attemptPhases].map(phase => [`${state}/${phase}`, canonicalState({state, phase})] as const),
    );
    expect(seen.every(([, state]) => canonicalStates.includes(state))).toBe(true);
    const byName = Object.fromEntries(seen);
    expect(byName).toMatchObject({
      'offered/null': 'leased',
      'leased/null': 'leased',
      'leased/accepted': 'leased',
      'leased/preparing': 'running',
      'leased/finishing': 'running',
      'cancelling/running': 'running',
      'dead/null': 'failed',
      'timed_out/null': 'timed_out',
    });
  });
});
