import {existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect, onTestFinished, test} from 'vitest';
import {listTaskEvents} from '@switchyard/shared/api/task-contracts.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {fileVault} from '../../runner/src/secrets/file-vault.ts';
import {modelKeys} from '../../runner/src/secrets/model-keys.ts';
import {Bed, patientLease} from '../fixtures/installation.ts';
import {ModelApi} from '../fixtures/model-api/model-api.ts';
import {until} from '../fixtures/until.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const patientMs = 120_000;
/** What was given back is offered here again soon. */
const lease = {...patientLease, offer_ms: 3_000};

/** A runner whose proxy can be broken and mended, with an agent that asks its model all the time until it is told to end. */
async function scene(how: 'loss' | 'hang') {
  const [api, bed] = [await ModelApi.start({}), await Bed.start({lease})];
  onTestFinished(async () => {
    await bed.stop();
    await api.close();
  });
  const directory = join(bed.folder, 'runner', 'runner');
  mkdirSync(directory, {recursive: true, mode: 0o700});
  writeFileSync(
    join(directory, 'policy.json'),
    JSON.stringify({version: 1, environment: {allow: ['STUB_*', 'ASKS_*']}}),
  );
  await modelKeys(fileVault(directory, ''), directory).set('google', 'sk-google', api.url);
  const programs = join(bed.folder, 'programs');
  mkdirSync(programs);
  symlinkSync(fixture('agents/acp-stub.mjs'), join(programs, 'gemini'));
  const [answers, ends] = [join(bed.folder, 'answers'), join(bed.folder, 'ends')];
  const runner = await bed.runner('runner', {
    nodeArgs: ['--import', fixture('break-servers.mjs')],
    env: {
      PATH: [programs, process.env['PATH'] ?? ''].join(delimiter),
      BREAK_SERVERS: how,
      STUB_STEPS: JSON.stringify([`'${process.execPath}' '${fixture('agents/asks-model.mjs')}'`]),
      STUB_PROMPTS: join(bed.folder, 'prompts'),
      ASKS_ANSWERS: answers,
      ASKS_UNTIL: ends,
    },
  });
  return {
    bed,
    runner,
    toggle: () => void runner.child().kill('SIGUSR2'),
    said: (text: string): number => runner.lines().filter(line => line.includes(text)).length,
    asked: (task: string): {token: string; got: unknown}[] =>
      (existsSync(answers) ? readFileSync(answers, 'utf8') : '')
        .split('\n')
        .slice(0, -1)
        .map(line => JSON.parse(line) as {task: string; token: string; got: unknown})
        .filter(each => each.task === task),
    end: () => writeFileSync(ends, ''),
  };
}

const asking: TaskSpecInput = {prompt: 'ask', agent: {driver: 'gemini', prompt: 'as_is'}, attempts_max: 1};
const command: TaskSpecInput = {prompt: 'x', agent: {driver: 'exec', command: ['true']}, attempts_max: 1};

test.for([
  {how: 'loss' as const, trouble: 'cannot be reached'},
  {how: 'hang' as const, trouble: 'does not answer in time'},
])(
  '[MP18] a runner whose proxy is broken ($how) takes nothing that needs a model until it is made anew, and agents go on with their tokens',
  async ({how, trouble}) => {
    const {bed, toggle, said, asked, end} = await scene(how);
    const running = await bed.submit(asking);
    await until('the agent asks its model', () => asked(running.id).some(({got}) => got === 200), patientMs);
    toggle();
    await until('the runner sees it', () => said(`the model proxy of this runner ${trouble}`) > 0, patientMs);
    const waiting = await bed.submit(asking);
    await bed.until(waiting.id, 'it is given back', ({state, epoch}) => state === 'queued' && epoch > 0, patientMs);
    const other = await bed.submit(command);
    expect((await bed.finished(other.id)).state).toBe('succeeded');
    const {events} = await bed.client.call(listTaskEvents, {params: {task: waiting.id}, query: {limit: 200}});
    expect(JSON.stringify(events)).toContain(`executor_unavailable: the model proxy of this runner ${trouble}`);
    expect(asked(waiting.id)).toEqual([]);
    toggle();
    await until('the runner heals it', () => said('the model proxy of this runner is well again') > 0, patientMs);
    const before = asked(running.id).length;
    await until(
      'the agent goes on',
      () =>
        asked(running.id)
          .slice(before)
          .some(({got}) => got === 200),
      patientMs,
    );
    await until('the task that waited runs', () => asked(waiting.id).some(({got}) => got === 200), patientMs);
    expect(new Set(asked(running.id).map(({token}) => token)).size).toBe(1);
    end();
    for (const {id} of [running, waiting])
      expect(await bed.finished(id), await bed.log(id)).toMatchObject({state: 'succeeded', epoch: expect.any(Number)});
    expect(await bed.log(running.id)).toMatch(/degraded: the model proxy[^]*the agent reaches its model again/);
  },
);
