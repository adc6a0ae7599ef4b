import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {listCosts} from '@switchyard/shared/api/budget-contracts.ts';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {fileVault} from '../../runner/src/secrets/file-vault.ts';
import {modelKeys} from '../../runner/src/secrets/model-keys.ts';
import {Bed, patientLease} from '../fixtures/installation.ts';
import {ModelApi} from '../fixtures/model-api/model-api.ts';
import {chosenBy, say, turn} from '../fixtures/model-api/scenario.ts';

const KEY = 'sk-real-0123456789-CANARY-0123456789';

let bed: Bed;
let api: ModelApi;
beforeAll(async () => {
  api = await ModelApi.start({hello: [turn(say('hello'))]});
  bed = await Bed.start({lease: patientLease});
  const directory = join(bed.folder, 'runner', 'runner');
  mkdirSync(directory, {recursive: true, mode: 0o700});
  const keys = modelKeys(fileVault(directory, ''), directory);
  for (const provider of ['anthropic', 'openai']) await keys.set(provider, KEY, api.url);
  await bed.runner('runner');
});
afterAll(async () => {
  await bed.stop();
  await api.close();
});

/** Asks each model that it finds an address for, as often as it is told, and says what it got. */
const asks = `
const content = ${JSON.stringify(`Please say it. ${chosenBy('hello')}`)};
const messages = [{role: 'user', content}];
const {ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN, OPENAI_BASE_URL, OPENAI_API_KEY} = process.env;
const send = async (url, token, body) => {
  const headers = {authorization: 'Bearer ' + token, 'content-type': 'application/json'};
  const answer = await fetch(url, {method: 'POST', headers, body: JSON.stringify({model: 'm', max_tokens: 99, ...body})});
  console.log(answer.status + ' ' + (await answer.text()));
};
for (let count = 0; count < Number(process.argv[1]); count += 1) {
  const tools = [{name: 't', input_schema: {type: 'object'}}];
  if (ANTHROPIC_BASE_URL) await send(ANTHROPIC_BASE_URL + '/v1/messages', ANTHROPIC_AUTH_TOKEN, {messages, tools});
  if (OPENAI_BASE_URL) await send(OPENAI_BASE_URL + '/chat/completions', OPENAI_API_KEY, {messages});
}
`;

const spec = (
  models: NonNullable<TaskSpecInput['agent']>['models'],
  script: string,
  ...args: string[]
): TaskSpecInput => ({
  prompt: 'look',
  agent: {driver: 'exec', models, command: [process.execPath, '-e', `(async () => {${script}})()`, ...args]},
  attempts_max: 1,
});

test('[EM1] a command reaches the models that its task names, under a token of its attempt and on the meter', async () => {
  api.requests.length = 0;
  const {id} = await bed.submit(spec(['anthropic', 'openai'], asks, '2'));
  const task = await bed.finished(id);
  const log = await bed.log(id);
  expect(task.state, log).toBe('succeeded');
  expect(log.match(/^200 /gm), log).toHaveLength(4);
  expect(api.requests.map(({dialect}) => dialect)).toEqual(['anthropic', 'chat', 'anthropic', 'chat']);
  const [first, second] = api.requests.map(({credentials}) => credentials);
  expect([first, second]).toEqual([{'x-api-key': KEY}, {authorization: `Bearer ${KEY}`}]);
  const {costs} = await bed.client.call(listCosts, {query: {by: 'task'}});
  expect(costs.find(({key}) => key === id)).toMatchObject({turns: 4});
  expect(log).not.toContain('CANARY');
});

test('[EM2] a command that has spent the budget of its task is told so in the form of the provider', async () => {
  const {id} = await bed.submit({...spec(['anthropic'], asks, '3'), budget: {turns_max: 1}});
  await bed.finished(id);
  const log = await bed.log(id);
  expect(log.match(/^\d{3} /gm), log).toEqual(['200 ', '429 ', '429 ']);
  expect(log).toContain('billing_error');
});

test('[EM3] a command that names no models finds none, and one whose models this machine has no key for is not started', async () => {
  const silent = await bed.submit(spec(undefined, 'console.log(Object.keys(process.env).sort().join(" "))'));
  expect((await bed.finished(silent.id)).state).toBe('succeeded');
  expect(await bed.log(silent.id)).not.toMatch(/ANTHROPIC|OPENAI|GEMINI/);
  const keyless = await bed.submit(spec(['anthropic', 'google'], 'console.log("started")'));
  const task = await bed.finished(keyless.id);
  expect(task.failures).toMatchObject([{code: 'model_refused', detail: expect.stringContaining('no key for google')}]);
  expect(await bed.log(keyless.id)).not.toMatch(/^started/m);
});

test('[EM4] the token of a command is worth nothing once its attempt has ended', async () => {
  // It outlives its attempt in the only way there is: as what it printed, in pieces that no one takes for a token.
  const print = 'console.log(process.env.ANTHROPIC_BASE_URL, ...process.env.ANTHROPIC_AUTH_TOKEN)';
  const {id} = await bed.submit(spec(['anthropic'], print));
  await bed.finished(id);
  const [, url = '', letters = ''] = /^(http:\S+) (s w a .+)$/m.exec(await bed.log(id)) ?? [];
  const headers = {authorization: `Bearer ${letters.replaceAll(' ', '')}`};
  const answer = await fetch(`${url}/v1/messages`, {method: 'POST', headers, body: '{}'});
  expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('holds its lease no more')]);
});

test('[EM5] only the exec driver is told whose models to open', () => {
  const agent = {driver: 'claude', models: ['anthropic']} as const;
  const refused = taskSpecSchema.safeParse({prompt: 'x', agent});
  expect(refused.error?.issues[0]).toMatchObject({path: ['agent', 'models']});
});
