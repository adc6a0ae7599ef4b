import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {noLimits} from '@switchyard/shared/policy/budget.ts';
import {costMicros} from '@switchyard/shared/policy/model-price.ts';
import {grantToken} from '../../../../runner/src/agent/proxy/grant.ts';
import {Ledger, USAGE_FILE} from '../../../../runner/src/agent/proxy/ledger.ts';
import {ModelProxy} from '../../../../runner/src/agent/proxy/model-proxy.ts';
import {noUsage} from '../../../../runner/src/agent/proxy/usage-reader.ts';
import {keptPort} from '../../../fixtures/kept-port.ts';
import {usageOfTurn} from '../../../fixtures/model-api/model-api.ts';
import {chosenBy, say, turn} from '../../../fixtures/model-api/scenario.ts';
import {ask, body, grant, place, REAL_KEY, secret} from './proxy-place.ts';

test('[MP1] the key goes to the provider, the token of the attempt goes nowhere, and the answer comes back as it was', async () => {
  const at = await place({scenario: [turn(say('hello from the model'))]});
  const answer = await ask(at, {headers: {cookie: 'a=b', 'anthropic-beta': 'x'}});
  expect(answer.status).toBe(200);
  expect(answer.text).toContain('hello from the model');
  expect(at.api.requests[0]?.credentials).toEqual({'x-api-key': REAL_KEY});
  expect(answer.text + JSON.stringify(answer.headers) + JSON.stringify(at.audit)).not.toContain(REAL_KEY);
});

test.for([
  {path: '/openai/v1/chat/completions', header: 'authorization', value: `Bearer ${REAL_KEY}`},
  {path: '/google/v1beta/models/m:generateContent', header: 'x-goog-api-key', value: REAL_KEY},
])('[MP1] $path takes the key in $header', async ({path, header, value}) => {
  const at = await place();
  const sent = path.startsWith('/google') ? JSON.stringify({contents: []}) : body();
  expect((await ask(at, {path, body: sent})).status).toBe(200);
  expect(at.api.requests[0]?.credentials).toEqual({[header]: value});
});

test.for([
  'nonsense',
  grantToken(new Uint8Array(32).fill(8), grant),
  grantToken(secret, grant).replace('.3.', '.4.'),
  `${grantToken(secret, grant)}A`,
  REAL_KEY,
])('[MP2] %s is no token of this machine: refused for good, not to be tried again', async token => {
  const at = await place();
  const answer = await ask(at, {token});
  expect(answer.status).toBe(403);
  expect(answer.headers['x-should-retry']).toBe('false');
  expect(at.api.requests).toEqual([]);
  expect(at.audit).toMatchObject([{task: null, status: 403, allowed: false, reason: 'unauthorized'}]);
});

test('[MP3] the token dies with the lease', async () => {
  const at = await place();
  expect((await ask(at)).status).toBe(200);
  at.live = false;
  const answer = await ask(at);
  expect(answer.status).toBe(403);
  expect(JSON.parse(answer.text)).toMatchObject({type: 'error', error: {type: 'permission_error'}});
  expect(at.api.requests).toHaveLength(1);
});

test.for([
  '/anthropic/v1/../v1/messages',
  '/anthropic/v1/%2e%2e/messages',
  '/anthropic/v1/messages%2f..%2ffiles',
  '/anthropic//v1/messages',
  '/anthropic/v1/files',
  '/anthropic/v1/organizations/api_keys',
  '/openai/v1/files',
  '/nobody/v1/messages',
  '/anthropic',
  '/',
])('[MP4] %s is not served', async path => {
  const at = await place();
  expect((await ask(at, {path})).status).toBe(403);
  expect(at.api.requests).toEqual([]);
});

test('[MP5] a request beyond the limit and one without a key on this machine are refused before the provider hears of them', async () => {
  const at = await place();
  expect((await ask(at, {body: 'x'.repeat(10_485_761)})).status).toBe(413);
  at.key = undefined;
  const answer = await ask(at);
  expect(answer.status).toBe(403);
  expect(answer.text).toContain('switchyard keys set anthropic');
  expect(at.api.requests).toEqual([]);
});

test.for([
  {path: '/anthropic/v1/messages', stream: true},
  {path: '/anthropic/v1/messages', stream: false},
  {path: '/openai/v1/chat/completions', stream: true},
  {path: '/openai/v1/chat/completions', stream: false},
  {path: '/openai/v1/responses', stream: true},
  {path: '/openai/v1/responses', stream: false},
  {path: '/google/v1beta/models/m:streamGenerateContent', stream: true},
  {path: '/google/v1beta/models/m:generateContent', stream: false},
])('[MP6] tokens of $path (stream: $stream) are metered as the provider counts them', async ({path, stream}) => {
  const at = await place({scenario: [turn(say('hi'))]});
  const prompt = chosenBy('s');
  const sent = path.includes('google')
    ? {contents: [{role: 'user', parts: [{text: prompt}]}], tools: [{functionDeclarations: [{name: 'Bash'}]}]}
    : path.endsWith('responses')
      ? {model: 'm', stream, input: prompt, tools: [{name: 'Bash'}]}
      : {
          model: 'm',
          stream,
          messages: [{role: 'user', content: prompt}],
          tools: [{name: 'Bash', function: {name: 'Bash'}}],
        };
  expect((await ask(at, {path, body: JSON.stringify(sent)})).status).toBe(200);
  const {input, output} = usageOfTurn(0);
  await expect.poll(() => at.audit).toMatchObject([{usage: {input, output, cacheRead: 0, cacheWrite: 0}}]);
  const spent = {
    usage: {input, output, cacheRead: 0, cacheWrite: 0, cacheWriteLong: 0},
    turns: 1,
    cost_micros: costMicros('m', '2026-11-20', {...noUsage, input, output}),
  };
  expect(JSON.parse(await readFile(join(at.runDir, USAGE_FILE), 'utf8'))).toEqual({
    ...spent,
    models: {m: spent},
    stop: null,
  });
});

test('[MP7] an attempt that has spent its budget is told so in the form that stops its agent at once', async () => {
  const at = await place({own: {...noLimits, tokens: 1_000}});
  expect((await ask(at)).status).toBe(200);
  const answer = await ask(at);
  expect(answer.status).toBe(429);
  expect(answer.headers['x-should-retry']).toBe('false');
  expect(JSON.parse(answer.text)).toMatchObject({
    error: {type: 'billing_error', message: 'token budget reached (1020/1000)'},
  });
  const openai = await ask(at, {path: '/openai/v1/chat/completions'});
  expect(JSON.parse(openai.text)).toMatchObject({error: {code: 'insufficient_quota'}});
});

test('[MP8] requests at the same time do not pass a budget together', async () => {
  const at = await place({scenario: [{...turn(say('slow')), hold: 'all'}], own: {...noLimits, turns: 2}});
  const asked = Array.from({length: 6}, async () => ask(at));
  await expect.poll(() => at.audit.filter(({reason}) => reason === 'budget')).toHaveLength(4);
  at.api.release();
  const statuses = (await Promise.all(asked)).map(({status}) => status);
  expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 200, 429, 429, 429, 429]);
});

test('[MP9] a runner that starts over knows the tokens of the agents that lived on, and what they had spent', async () => {
  const at = await place({own: {...noLimits, tokens: 1_000}, port: await keptPort()});
  expect((await ask(at)).status).toBe(200);
  await expect.poll(async () => readFile(join(at.runDir, USAGE_FILE), 'utf8').catch(() => '')).toContain('"turns":1');
  const {port} = at.proxy;
  await at.proxy.close();
  const next = await ModelProxy.start({
    callTool: async (from, tool, input) => at.calls.call(from, tool, input),
    port,
    secret,
    keyOf: async () => ({value: REAL_KEY, url: at.api.url}),
    isLive: () => true,
    budgetOf: () => ({own: {...noLimits, tokens: 1_000}, slice: noLimits}),
    enlarge: async () => true,
    ledger: new Ledger(() => at.runDir),
    audit: () => undefined,
    nowMs: () => performance.now(),
    wallMs: Date.now,
  });
  onTestFinished(async () => next.close());
  expect(next.port).toBe(port);
  expect((await ask({...at, proxy: next})).status).toBe(429);
});

test('[MP10] a refusal of the provider comes back word for word, and a provider that is not there is said without its address', async () => {
  const refused = await place({
    scenario: [
      {moves: [], refuse: {status: 529, type: 'overloaded_error', message: 'busy', headers: {'retry-after': '7'}}},
    ],
  });
  const answer = await ask(refused);
  expect(answer.status).toBe(529);
  expect(answer.headers['retry-after']).toBe('7');
  expect(JSON.parse(answer.text)).toEqual({type: 'error', error: {type: 'overloaded_error', message: 'busy'}});
  const away = await place({upstream: 'http://127.0.0.1:1'});
  const lost = await ask(away);
  expect(lost.status).toBe(502);
  expect(lost.text).not.toContain('127.0.0.1');
});

test('[MP11] an answer that breaks off in the middle is counted as far as it came, and the agent sees that it broke', async () => {
  const at = await place({scenario: [{...turn(say('long')), cut: true}]});
  await expect(ask(at)).rejects.toThrow('aborted');
  await expect.poll(() => at.audit[0]?.usage?.input).toBe(usageOfTurn(0).input);
});

test('[MP12] health is open to everybody on this machine and says nothing else', async () => {
  const at = await place();
  const answer = await ask(at, {path: '/agentauth/health', method: 'GET', token: 'none', body: ''});
  expect({status: answer.status, text: answer.text}).toEqual({status: 200, text: '{"status":"ok"}'});
});
