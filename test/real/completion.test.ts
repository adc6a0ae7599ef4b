import {execa} from 'execa';
import {afterAll, beforeAll, expect, test} from 'vitest';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {chosenBy, say, shell, turn, write, type Scenario} from '../fixtures/model-api/scenario.ts';
import {openStage, type Stage} from './stage.ts';

/** A model that stops too early twice: without a change, then with one that the check refuses. */
const hasty: Scenario = [
  turn(say('I looked at everything and am done.')),
  turn(write('a.txt', 'less\n')),
  turn(say('Now it is done.')),
  turn(write('a.txt', 'more\n')),
  turn(say('Now it really is.')),
];

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    hasty,
    idle: [1, 2, 3, 4, 5, 6].map(n => turn(say(`Nothing to do, time ${n}.`))),
    crash: [
      turn(say('Done.')),
      {...turn(shell('echo once >> count.txt')), hold: 'first'},
      turn(write('a.txt', 'more\n')),
      turn(say('done')),
    ],
  });
}, 900_000);
afterAll(async () => stage.stop(), 120_000);

const check = ['grep', '-q', 'more', 'a.txt'];
const spec = (agent: TaskSpecInput['agent'], scenario: string): TaskSpecInput => ({
  prompt: `Please do the work. ${chosenBy(scenario)}`,
  agent: {prompt: 'as_is', ...agent},
  checks: [check],
});

const agents = [
  {driver: 'claude'},
  {driver: 'codex', model: 'gpt-5'},
  {driver: 'gemini', model: 'gemini-2.5-pro'},
  {driver: 'opencode', model: 'm'},
] as const;

const show = async (branch: string | null, path: string): Promise<string> =>
  (await execa('git', ['-C', stage.repository.path, 'show', `${branch}:${path}`])).stdout;

const lines = (log: string, what: string): number => log.split('\n').filter(line => line.includes(what)).length;

test.for(agents)(
  '[RA60] $driver goes on in its session when it stops too early, is told why, and is let go when its work is complete',
  {timeout: 200_000},
  async agent => {
    const id = await stage.submit(spec(agent, 'hasty'));
    const task = await stage.bed.finished(id);
    const log = await stage.bed.log(id);
    expect(task, log.slice(-6_000)).toMatchObject({
      state: 'succeeded',
      epoch: 1,
      result: {git: {files_changed: 1, pushed: true}},
    });
    expect(await show(task.branch, 'a.txt')).toBe('more');
    expect(lines(log, '[switchyard] the agent is sent back (1 of 3): nothing was changed'), log).toBe(1);
    expect(lines(log, '[switchyard] the agent is sent back (2 of 3): the declared checks do not pass'), log).toBe(1);
    expect(lines(log, '[switchyard] running the declared check'), log).toBe(2);
  },
);

test('[RA61] claude that never gets there is let go after three reminders, and its attempt fails by its own code', async () => {
  const id = await stage.submit(spec({driver: 'claude'}, 'idle'));
  const task = await stage.bed.finished(id);
  const log = await stage.bed.log(id);
  expect(task.failures.at(-1), log).toMatchObject({code: 'agent_no_change'});
  expect(task.epoch).toBe(1);
  expect(lines(log, '[switchyard] the agent is sent back'), log).toBe(3);
  expect(stage.api.turnsPlayed('idle')).toEqual([0, 1, 2, 3]);
});

test('[RA62] a runner killed after it sent claude back goes on with the same turn: no second reminder and no second prompt', async () => {
  const id = await stage.submit(spec({driver: 'claude'}, 'crash'));
  await stage.bed.until(id, 'the turn after the reminder', () => stage.api.turnsPlayed('crash').includes(1));
  await stage.runner.kill('SIGKILL');
  await stage.runner.start();
  stage.api.release();
  const task = await stage.bed.finished(id);
  const log = await stage.bed.log(id);
  expect(task, log).toMatchObject({state: 'succeeded', epoch: 1});
  expect(await show(task.branch, 'count.txt')).toBe('once');
  expect(lines(log, '[switchyard] the agent is sent back'), log).toBe(1);
});
