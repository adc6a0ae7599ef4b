import {expect, test} from 'vitest';
import type {PastAttempt} from '@switchyard/shared/api/history-contracts.ts';
import type {TaskId} from '@switchyard/shared/domain/id.ts';
import {historyLines} from '../../../runner/src/commands/history-command.ts';

const attempt: PastAttempt = {
  task: 'tsk_01arz3ndektsv4rrffq69g5fav' as TaskId,
  epoch: 2,
  runner: 'rnr_01arz3ndektsv4rrffq69g5fav',
  title: 'Look at it',
  repository: null,
  agent_type: 'reviewer',
  task_state: 'succeeded',
  end: 'succeeded',
  code: null,
  queued_ms: 0,
  started_ms: 1_000,
  finished_ms: 5_000,
  exit_code: 0,
  log_bytes: 12,
  prompt: null,
  outcome: null,
};
const row = (change: Partial<PastAttempt>): string | undefined =>
  historyLines([{...attempt, ...change}], 65_000, {columns: 200})[1];

test('[CL30] an attempt is shown by its code, else the outcome of its role, else how it ended', () => {
  const outcome = {event: 'pr.approved'};
  expect(row({})).toBe('tsk_01arz3ndektsv4rrffq69g5fav  2      succeeded  succeeded  1 min  Look at it');
  expect(row({outcome})).toMatch(/ 2 +succeeded +pr\.approved +1 min +Look at it$/);
  expect(row({outcome, task_state: 'queued', end: 'lease_lost', code: 'lease_lost'})).toMatch(
    / queued +lease_lost +1 min /,
  );
});

test('[CL30] what an agent or a repository wrote cannot control the terminal', () => {
  expect(row({title: 'a\u001B[2Jb\nc', outcome: {event: '\u001B]0;x\u0007'}})).not.toMatch(/[\u0000-\u001F]/);
});
