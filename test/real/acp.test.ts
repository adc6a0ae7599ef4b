import {execa} from 'execa';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {usageOfTurn} from '../fixtures/model-api/model-api.ts';
import {chosenBy, say, shell, turn, write} from '../fixtures/model-api/scenario.ts';
import {meteredOf, openStage, REAL_KEY, type Stage} from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({
    edit: [
      turn(say('I will write the file.'), write('hello.txt', 'hi\n')),
      turn(shell('cat hello.txt')),
      turn(say('It is there.')),
    ],
    readonly: [turn(write('forbidden.txt', 'x')), turn(say('I could not.'))],
  });
}, 900_000);
afterAll(async () => stage.stop(), 120_000);

const agents = [
  {driver: 'codex', model: 'gpt-5', header: 'authorization', value: `Bearer ${REAL_KEY}`},
  {driver: 'gemini', model: 'gemini-2.5-pro', header: 'x-goog-api-key', value: REAL_KEY},
  {driver: 'opencode', model: 'm', header: 'authorization', value: `Bearer ${REAL_KEY}`},
] as const;

test.for(agents)(
  '[RA11] $driver edits in a worktree over the Agent Client Protocol, its key behind the proxy',
  {timeout: 200_000},
  async ({header, value, ...agent}) => {
    stage.api.requests.length = 0;
    const id = await stage.submit({prompt: `Please do the work. ${chosenBy('edit')}`, agent});
    const task = await stage.bed.finished(id, 150_000);
    const log = await stage.bed.log(id);
    expect(task, log.slice(-6_000)).toMatchObject({
      state: 'succeeded',
      result: {git: {commits: 1, files_changed: 1, pushed: true}},
    });
    const {stdout} = await execa('git', ['-C', stage.repository.path, 'show', `${task.branch}:hello.txt`]);
    expect(stdout).toBe('hi');
    expect(new Set(stage.api.requests.map(({credentials}) => credentials[header]))).toEqual(new Set([value]));
    expect(log).not.toContain('CANARY');
    const turns = stage.api.turnsPlayed('edit').map(usageOfTurn);
    expect(turns).toHaveLength(3);
    const metered = (): unknown => meteredOf(stage, id).map(({input, output}) => ({input, output}));
    // Beside the turns there may be a title, which codex asks for at its end and may not wait for.
    await expect.poll(metered).toEqual(expect.arrayContaining(turns));
    expect(meteredOf(stage, id).length).toBeLessThanOrEqual(stage.api.requests.length);
  },
);

test.for(agents)(
  '[RA12] $driver cannot write with the readonly profile',
  {timeout: 200_000},
  async ({driver, model}) => {
    const id = await stage.submit({
      prompt: `Please do the work. ${chosenBy('readonly')}`,
      agent: {driver, model, profile: 'readonly'},
      expect_change: false,
    });
    const task = await stage.bed.finished(id, 150_000);
    expect(task.finished_ms).not.toBeNull();
    expect(stage.api.turnsPlayed('readonly')).toContain(0);
    expect(task.result?.git?.files_changed ?? 0, (await stage.bed.log(id)).slice(-6_000)).toBe(0);
  },
);
