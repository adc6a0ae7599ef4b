import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {runCli} from '../fixtures/cli.ts';
import {chosenBy, say, shell, turn} from '../fixtures/model-api/scenario.ts';
import {openStage, REAL_KEY, worktreeOf, type Stage} from './stage.ts';

const waits = shell('while [ ! -e go ]; do sleep 0.1; done');
/** Its last quarter begins before claude gives up a command, which it does after two minutes. */
const TIME_MS = 140_000;
const patience = {timeout: 180_000, interval: 250};

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    warned: [turn(waits), turn(say('I stop here.'))],
    rotated: [turn(waits), turn(shell('true')), turn(say('done'))],
    deleted: [turn(waits), turn(say('done'))],
  });
}, 900_000);
afterAll(async () => stage.stop(), 120_000);

const claude = (scenario: string, more: Partial<TaskSpecInput> = {}): TaskSpecInput => ({
  prompt: `Please do the work. ${chosenBy(scenario)}`,
  agent: {driver: 'claude'},
  expect_change: false,
  ...more,
});

const submitted = async (scenario: string, more?: Partial<TaskSpecInput>): Promise<TaskView['id']> => {
  const id = await stage.submit(claude(scenario, more));
  await expect.poll(() => stage.api.turnsPlayed(scenario), patience).toContain(0);
  return id;
};

/** Lets the tool of the first turn end. */
async function go(id: TaskView['id']): Promise<void> {
  writeFileSync(join(await worktreeOf(stage, id), 'go'), '');
}

async function keys(args: readonly string[], input = ''): Promise<void> {
  const state = join(stage.bed.folder, 'runner');
  const {code, stderr} = await runCli(['keys', ...args, '--state', state], {home: stage.bed.folder, input});
  expect(code, stderr).toBe(0);
}

const keysOf = (scenario: string, fromTurn: number): unknown[] =>
  stage.api.requests
    .filter(request => request.scenario === scenario && request.turn >= fromTurn)
    .map(({credentials}) => credentials['x-api-key']);

test(
  '[RA110] claude hears in its turn that its time is nearly used up, and ends before it is',
  {timeout: 400_000},
  async () => {
    const id = await submitted('warned', {timeout_ms: TIME_MS});
    await expect.poll(async () => stage.bed.log(id), patience).toContain('the time of the task is nearly used up');
    expect(stage.api.turnsPlayed('warned')).toEqual([0]);
    await go(id);
    const task = await stage.bed.finished(id);
    expect(task, await stage.bed.log(id)).toMatchObject({state: 'succeeded', epoch: 1});
    const heard = stage.api.requests.filter(({texts}) => texts.some(text => text.includes('of the time of this task')));
    expect(heard.map(({scenario, turn: at}) => [scenario, at])).toContainEqual(['warned', 1]);
    const told = /About (?<seconds>\d+) seconds are left of the time of this task/.exec(
      heard[0]?.texts.join('\n') ?? '',
    );
    const seconds = Number(told?.groups?.['seconds']);
    expect(seconds).toBeGreaterThan(0);
    // The last quarter of it.
    expect(seconds).toBeLessThanOrEqual(TIME_MS / 4_000);
  },
);

test(
  '[RA111] a key that is rotated while claude works is used from its next request on',
  {timeout: 300_000},
  async () => {
    const id = await submitted('rotated');
    await keys(['rotate', 'anthropic'], 'sk-ant-rotated');
    await go(id);
    const task = await stage.bed.finished(id);
    expect(task, await stage.bed.log(id)).toMatchObject({state: 'succeeded', epoch: 1});
    expect(keysOf('rotated', 0)[0]).toBe(REAL_KEY);
    expect(new Set(keysOf('rotated', 1))).toEqual(new Set(['sk-ant-rotated']));
  },
);

test(
  '[RA112] a key that is deleted while claude works stops its next request, and the failure names the next step',
  {timeout: 300_000},
  async () => {
    const id = await submitted('deleted');
    await keys(['delete', 'anthropic']);
    await go(id);
    const task = await stage.bed.finished(id);
    expect(task.failures, await stage.bed.log(id)).toMatchObject([
      {code: 'model_refused', detail: expect.stringContaining('switchyard keys set anthropic')},
    ]);
    expect(keysOf('deleted', 1)).toEqual([]);
    // And one that comes later is told so before anything is started.
    const later = await stage.bed.finished(await stage.submit(claude('deleted')));
    expect(later.failures).toMatchObject([
      {code: 'model_refused', detail: expect.stringContaining('switchyard keys set anthropic')},
    ]);
  },
);
