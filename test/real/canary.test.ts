import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {execa} from 'execa';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {listTaskEvents} from '@switchyard/shared/api/task-contracts.ts';
import {canaryEnvironment, canaryPolicy, Canaries, plantHome, writeDumpProgram} from '../fixtures/canaries.ts';
import {chosenBy, say, shell, turn, write} from '../fixtures/model-api/scenario.ts';
import {openStage, type Stage} from './stage.ts';

const canaries = new Canaries();
const key = `sk-ant-${canaries.make('the key of the models')}`;
const outside = mkdtempSync(join(tmpdir(), 'canary-'));
const program = writeDumpProgram(outside);

let stage: Stage;
beforeAll(async () => {
  const dumping = (name: string) => [
    turn(shell(`${program} ${join(outside, `dump-${name}`)}`)),
    turn(write('a.txt', 'a\n')),
    turn(say('done')),
  ];
  stage = await openStage(
    {'dump-claude': dumping('claude'), 'dump-codex': dumping('codex')},
    {'policy.json': canaryPolicy(canaries)},
    {env: canaryEnvironment(canaries), key, plant: home => plantHome(canaries, home)},
  );
}, 900_000);
afterAll(async () => {
  await stage.stop();
  rmSync(outside, {recursive: true, force: true});
}, 120_000);

test.for([
  {driver: 'claude', header: 'x-api-key', value: key},
  {driver: 'codex', model: 'gpt-5', header: 'authorization', value: `Bearer ${key}`},
] as const)(
  '[RA90] $driver sees no secret of its machine and leaves none, while its key reaches the model',
  {timeout: 300_000},
  async ({header, value, ...agent}) => {
    const prompt = `Please do the work. ${chosenBy(`dump-${agent.driver}`)}`;
    const id = await stage.submit({prompt, agent});
    const task = await stage.bed.finished(id, 200_000);
    const log = await stage.bed.log(id);
    expect(task.state, log.slice(-4_000)).toBe('succeeded');
    expect(stage.api.requests.some(({credentials}) => credentials[header] === value)).toBe(true);
    const seen = readFileSync(join(outside, `dump-${agent.driver}`), 'utf8');
    for (const part of ['== git', `SWITCHYARD_TASK=${id}`, 'remote.origin.url']) expect(seen).toContain(part);
    expect(canaries.in(seen)).toEqual([]);
    expect(canaries.in(log)).toEqual([]);
    const events = await stage.bed.client.call(listTaskEvents, {params: {task: id}, query: {}});
    expect(canaries.in(JSON.stringify([task, events]))).toEqual([]);
    const {stdout} = await execa('git', ['-C', stage.repository.path, 'log', '--all', '--patch']);
    expect(canaries.in(stdout)).toEqual([]);
    expect(canaries.inFiles(stage.runner.stateDirectory, [join(stage.runner.stateDirectory, 'policy.json')])).toEqual(
      [],
    );
  },
);
