import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {listCosts} from '@switchyard/shared/api/budget-contracts.ts';
import {ModelApi} from '../fixtures/model-api/model-api.ts';
import {chosenBy, say, shell, turn, write} from '../fixtures/model-api/scenario.ts';
import {openStage, type Stage} from './stage.ts';

const login = 'sk-ant-oat01-OWN0123456789OWN0123456789OWN0123456789';
const scenario = [
  turn(shell('env; tr "\\0" "\\n" </proc/$PPID/environ')),
  turn(write('a.txt', 'a\n')),
  turn(say('done')),
];

let api: ModelApi;
let stage: Stage;
let credentials = '';
beforeAll(async () => {
  api = await ModelApi.start({own: scenario});
  stage = await openStage(
    {},
    {'policy.json': JSON.stringify({version: 1, agents: {claude: {login: 'own'}}})},
    {
      // Where the owner's own sessions go too; a person with a gateway has such a setting.
      env: {ANTHROPIC_BASE_URL: api.url},
      plant: home => {
        const expiresAt = Date.now() + 86_400_000;
        const scopes = ['user:inference', 'user:profile'];
        const claudeAiOauth = {accessToken: login, refreshToken: 'r', expiresAt, scopes, subscriptionType: 'max'};
        credentials = join(home, '.claude', '.credentials.json');
        mkdirSync(join(home, '.claude'), {mode: 0o700});
        writeFileSync(credentials, JSON.stringify({claudeAiOauth}), {mode: 0o600});
        const hook = {type: 'command', command: `touch ${join(home, 'hook-ran')}`};
        writeFileSync(
          join(home, '.claude', 'settings.json'),
          JSON.stringify({env: {OF_THE_PERSON: '1'}, hooks: {SessionStart: [{hooks: [hook]}]}}),
        );
      },
    },
  );
}, 900_000);
afterAll(async () => {
  await stage.stop();
  await api.close();
}, 120_000);

test('[OL4] claude works under the login of its owner, which only its own program reads, and is metered by its own words', async () => {
  const id = await stage.submit({prompt: `Please do the work. ${chosenBy('own')}`, agent: {driver: 'claude'}});
  const task = await stage.bed.finished(id);
  const log = await stage.bed.log(id);
  expect(task.state, log.slice(-5_000)).toBe('succeeded');
  expect(api.requests.length).toBeGreaterThan(0);
  for (const {credentials: sent} of api.requests) expect(sent).toEqual({authorization: `Bearer ${login}`});
  expect(stage.api.requests).toEqual([]);
  expect(log).toContain(`CLAUDE_CONFIG_DIR=${join(stage.bed.folder, '.claude')}`);
  expect(log).not.toMatch(/ANTHROPIC_AUTH_TOKEN|ANTHROPIC_API_KEY|OAUTH_TOKEN|OF_THE_PERSON|\bswa\./);
  expect(log).not.toContain(login);
  expect(log).not.toContain(`HOME=${stage.bed.folder}\n`);
  expect(readFileSync(credentials, 'utf8')).toContain(login);
  expect(() => readFileSync(join(stage.bed.folder, 'hook-ran'))).toThrow('ENOENT');
  const {costs} = await stage.bed.client.call(listCosts, {query: {by: 'task'}});
  const row = costs.find(({key}) => key === id);
  expect(row?.turns).toBeGreaterThanOrEqual(scenario.length);
  expect(Number(row?.cost_usd)).toBeGreaterThan(0);
});
