import {expect, test} from 'vitest';
import {taskViewSchema, type TaskView} from '@switchyard/shared/api/task-view.ts';
import {poolLines} from '../../../runner/src/commands/pool-lines.ts';
import {taskLines} from '../../../runner/src/commands/task-lines.ts';
import {terminal, type Stream} from '../../../runner/src/commands/terminal.ts';

const silent: Stream = {write: () => true};
const plain = terminal({out: silent, err: silent}, {});

function task(change: Partial<TaskView>): TaskView {
  return {
    ...taskViewSchema.parse({
      id: `tsk_${'0'.repeat(26)}`,
      pool: 'default',
      state: 'queued',
      phase: null,
      title: 'Mend\u001b[2J it',
      spec: {prompt: 'Mend it'},
      epoch: 0,
      runner: null,
      branch: null,
      created_ms: 1_000,
      queued_ms: 1_000,
      started_ms: null,
      finished_ms: null,
      position: null,
      waiting_for: null,
      result: null,
      resources: null,
      failures: [],
      retried_from: null,
      parent: null,
      metadata: {},
    }),
    ...change,
  };
}

const failed = (epoch: number): TaskView['failures'][number] => ({
  epoch,
  at_ms: 2_000,
  code: 'checks_failed',
  detail: `npm test ended with ${epoch}`,
  hint: 'Read the log: a declared check did not pass.',
});

test('[BG34] a task shows what its attempt uses, and what it used', () => {
  const used = {rss_bytes: 0, processes: 0, cpu_ms: 61_000, rss_bytes_max: 2_097_152, processes_max: 3};
  const running = task({state: 'leased', resources: {...used, rss_bytes: 1_048_576, processes: 1}});
  expect(taskLines(running, plain, 3_000)).toContain(
    '  uses       1.0 MiB of memory (at most 2.0 MiB), 1 process, 1 min 1 s of a processor',
  );
  const ended = task({state: 'succeeded', resources: used});
  expect(taskLines(ended, plain, 3_000)).toContain(
    '  used    at most 2.0 MiB of memory and 3 processes, 1 min 1 s of a processor',
  );
});

test('[AT8] a part of the work of another task names that task, while it waits and when it has ended', () => {
  const parent = 'tsk_01jd5k3v8x0000000000000001' as TaskView['id'];
  for (const state of ['queued', 'succeeded'] as const)
    expect(taskLines(task({state, parent}), plain, 3_000)[1]).toBe(`  part of ${parent}`);
  expect(taskLines(task({}), plain, 3_000).join()).not.toContain('part of');
});

test('[CL25] a waiting task shows its place in the queue and what it waits for', () => {
  const lines = taskLines(task({position: 3, waiting_for: 'no runner has the label gpu=yes'}), plain, 3_000);
  expect(lines).toEqual([
    'Mend\\u001b[2J it',
    `  task       tsk_${'0'.repeat(26)}`,
    '  state      queued',
    '  age        2.0 s',
    '  place      3 in the queue',
    '  waits for  no runner has the label gpu=yes',
  ]);
});

test('[CL25] a task that waits for its next attempt shows why the ones before failed', () => {
  const text = taskLines(task({state: 'pending', failures: [failed(1), failed(2)]}), plain, 3_000).join('\n');
  expect(text).toContain('  attempt 1 failed with checks_failed: npm test ended with 1\n    Read the log');
  expect(text).toContain('  attempt 2 failed with checks_failed: npm test ended with 2\n    Read the log');
});

test('[CL25] a dead task shows each of its failures once, the last one with the outcome', () => {
  const lines = taskLines(task({state: 'dead', finished_ms: 4_000, failures: [failed(1), failed(2)]}), plain, 5_000);
  expect(lines.slice(1)).toEqual([
    `✗ dead in 3.0 s  tsk_${'0'.repeat(26)}`,
    '  checks_failed: npm test ended with 2',
    '  Read the log: a declared check did not pass.',
    '  attempt 1 failed with checks_failed: npm test ended with 1',
    '    Read the log: a declared check did not pass.',
  ]);
});

test.for([
  [{paused: false, draining: false, latched: false}, 'open'],
  [{paused: true, draining: false, latched: false}, 'paused'],
  [{paused: true, draining: false, latched: true}, 'stopped'],
  [{paused: true, draining: true, latched: true}, 'shutting down'],
] as const)('[CL22] a pool with %j is %s', ([change, state]) => {
  const lines = poolLines(
    {
      pool: 'default',
      settings: {stop_on_failure: true, max_concurrent: 4, ...change},
      counts: {pending: 1, queued: 20, offered: 0, leased: 3, cancelling: 0},
      runners: {connected: 2, total: 3},
      slots: {total: 8, held: 3},
    },
    plain,
  );
  expect(lines[1]?.split(/ {2,}/)).toEqual([
    'default',
    state,
    '2 of 3 connected',
    '3 of 8 in use',
    '4',
    'stops the pool',
  ]);
  expect(lines.slice(3, 5)).toEqual([
    'TASKS  PENDING  QUEUED  OFFERED  LEASED  CANCELLING',
    '24     1        20      0        3       0',
  ]);
  expect(lines.join('\n').includes('switchyard pool resume')).toBe(change.latched);
});
