import {describe, expect, test} from 'vitest';
import {
  agentId,
  agentStatuses,
  agentView,
  agentViewSchema,
  endedAgentStatus,
  statesOfAgents,
  type AttemptRecord,
} from '@switchyard/shared/api/agent-view.ts';
import {canonicalStates, stateViews} from '@switchyard/shared/api/state-views.ts';
import {attemptEnd, attemptEnds} from '@switchyard/shared/domain/attempt-end.ts';
import {newTaskId} from '@switchyard/shared/domain/id.ts';
import {seededRandom} from '../../fixtures/fleet-core.ts';

const task = 'tsk_01arz3ndektsv4rrffq69g5fav';
const running: AttemptRecord = {
  task,
  epoch: 2,
  agentType: 'coding',
  state: 'running',
  phase: 'running',
  runner: 'rnr_01arz3ndektsv4rrffq69g5fav',
  title: 'Fix it',
  repository: 'https://example.test/a.git',
  branch: `switchyard/${task}/e2`,
  startedMs: 1_800_000_000_000,
  endedMs: null,
  exitCode: null,
  code: null,
  detail: null,
  said: null,
  role: null,
  metadata: {slug: 'fix-it'},
};

describe('an agent of the older API', () => {
  test('[AV1] is an attempt in the columns of the older table', () => {
    expect(agentView('coding-0a1b2c3d', running)).toEqual({
      id: 'coding-0a1b2c3d',
      task_id: task,
      container_id: null,
      status: 'running',
      agent_type: 'coding',
      started_at: '2027-01-15T08:00:00.000Z',
      completed_at: null,
      exit_code: null,
      error: null,
      result: null,
      logs: '/api/agents/coding-0a1b2c3d/logs',
      metadata: {
        epoch: 2,
        phase: 'running',
        runner: running.runner,
        title: 'Fix it',
        repository: running.repository,
        branch: running.branch,
        code: null,
        prompt: null,
        outcome: null,
        task: {slug: 'fix-it'},
      },
    });
    const ended = {...running, state: 'failed', endedMs: 1_800_000_001_000, exitCode: 2, phase: null} as const;
    const failed = agentView('x', {...ended, code: 'agent_failed', detail: 'exit code 2'});
    expect(failed).toMatchObject({status: 'failed', exit_code: 2, error: 'agent_failed: exit code 2'});
    expect(agentViewSchema.parse(failed)).toEqual(failed);
  });

  test.for([
    ['leased', 'starting'],
    ['running', 'running'],
    ['paused', 'running'],
    ['succeeded', 'completed'],
    ['failed', 'failed'],
    ['timed_out', 'timeout'],
    ['cancelled', 'killed'],
    ['interrupted', 'failed'],
  ] as const)('[AV2] whose state is %s is %s', ([state, status]) => {
    expect(agentView('x', {...running, state}).status).toBe(status);
    expect(statesOfAgents([status])).toContain(state);
  });

  test('[AV2] every state of an attempt has exactly one status, and a filter finds all of them', () => {
    const found = agentStatuses.flatMap(status => statesOfAgents([status]));
    expect(found.toSorted()).toEqual(canonicalStates.filter(state => stateViews[state].agentB !== null).toSorted());
    expect([...new Set(attemptEnds.map(end => endedAgentStatus(end)))].toSorted()).toEqual(
      ['completed', 'failed', 'killed', 'timeout'].toSorted(),
    );
    expect(endedAgentStatus('dead')).toBe('failed');
  });

  test.for([
    {before: 'leased', result: 'succeeded', end: 'succeeded'},
    {before: 'leased', result: 'failed', end: 'failed'},
    {before: 'leased', result: 'timed_out', end: 'timed_out'},
    {before: 'leased', result: 'interrupted', end: 'interrupted'},
    {before: 'leased', result: null, end: 'interrupted'},
    {before: 'cancelling', result: 'succeeded', end: 'cancelled'},
    {before: 'cancelling', result: 'failed', end: 'cancelled'},
    {before: 'cancelling', result: null, end: 'cancelled'},
  ] as const)('[AV3] that was $before and reported $result has $end', ({before, result, end}) => {
    expect(attemptEnd(before, result)).toBe(end);
  });

  test('[AV4] has an id that follows from its attempt, spread over all there are', () => {
    const random = seededRandom(5);
    const bytes = (length: number) => Uint8Array.from({length}, () => Math.floor(random() * 256));
    const ids = new Set<string>();
    const tasks = Array.from({length: 2_000}, () => newTaskId(1_800_000_000_000, bytes));
    for (const each of tasks)
      for (let epoch = 1; epoch <= 25; epoch += 1) ids.add(agentId({task: each, epoch, agentType: 'coding'}, 0));
    for (const id of [...ids].slice(0, 100)) expect(id).toMatch(/^coding-[0-9a-f]{8}$/);
    // Fifty thousand of four thousand million meet 0.3 times on average; a worse hash would meet hundreds of times.
    expect(ids.size).toBeGreaterThan(50_000 - 5);
    expect(agentId(running, 0)).toBe(agentId({...running}, 0));
    expect(agentId(running, 0)).toBe('coding-cb0c26c9');
    expect(agentId(running, 1)).not.toBe(agentId(running, 0));
  });
});
