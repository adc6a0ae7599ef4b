import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import type {ErrorCode} from '@switchyard/shared/domain/error.ts';
import {noLimits} from '@switchyard/shared/policy/budget.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import {Ledger, USAGE_FILE} from '../../../../runner/src/agent/proxy/ledger.ts';
import {limitedResult, stopResult} from '../../../../runner/src/agent/proxy/stop.ts';
import {usageOfTurn} from '../../../fixtures/model-api/model-api.ts';
import {say, turn} from '../../../fixtures/model-api/scenario.ts';
import {ask, body, grant, place} from './proxy-place.ts';

const {input, output} = usageOfTurn(0);
const tokens = input + output;

test('[BG3] what is spent is counted for each model, in tokens, turns and money, and survives the process', async () => {
  const at = await place();
  for (const model of ['claude-opus-5', 'claude-haiku-4-5', 'claude-opus-5']) await ask(at, {body: body({model})});
  const opus = {turns: 2, cost_micros: 2 * (input * 5 + output * 25)};
  const haiku = {turns: 1, cost_micros: input + output * 5};
  await expect.poll(async () => readFile(join(at.runDir, USAGE_FILE), 'utf8').catch(() => '')).toContain('"turns":3');
  const again = new Ledger(() => at.runDir);
  await again.open(grant);
  expect(again.of(grant)).toMatchObject({
    turns: 3,
    cost_micros: opus.cost_micros + haiku.cost_micros,
    models: {'claude-opus-5': opus, 'claude-haiku-4-5': haiku},
  });
  expect(at.audit.map(({model, costMicros}) => ({model, costMicros}))[1]).toEqual({
    model: 'claude-haiku-4-5',
    costMicros: haiku.cost_micros,
  });
});

test.for(['__proto__', 'constructor', '../x', 'a'.repeat(200)])(
  '[BG3] an agent may name its model %j: it is counted all the same',
  async model => {
    const at = await place();
    expect((await ask(at, {body: body({model})})).status).toBe(200);
    const {turns, models} = at.ledger.of(grant);
    expect(turns).toBe(1);
    expect(Object.values(models).map(each => each.turns)).toEqual([1]);
  },
);

test('[BG3] models beyond a number are counted together', async () => {
  const at = await place();
  for (let index = 0; index < 34; index += 1) await ask(at, {body: body({model: `model-${index}`})});
  const {models} = at.ledger.of(grant);
  expect(Object.keys(models)).toHaveLength(33);
  expect(models['others']).toMatchObject({turns: 2});
});

test('[BG4] money runs out like tokens do', async () => {
  const at = await place({own: {...noLimits, cost_micros: 1}});
  expect((await ask(at)).status).toBe(200);
  const refused = await ask(at);
  expect(refused.status).toBe(429);
  expect(refused.text).toContain('cost budget reached');
});

test('[BG5] a slice that is too small is enlarged, and the agent never hears of it', async () => {
  const asked: number[] = [];
  const at = await place({
    slice: {...noLimits, tokens: 200},
    enlarge: async (wanted, held) => {
      asked.push(wanted.tokens);
      held.slice = {...noLimits, tokens: wanted.tokens};
      return true;
    },
  });
  for (let count = 0; count < 3; count += 1) expect((await ask(at)).status).toBe(200);
  expect(at.ledger.of(grant).turns).toBe(3);
  // The first request fits.
  expect(asked).toHaveLength(2);
  expect(asked[1]).toBeGreaterThan(2 * tokens);
});

test('[BG5] a slice that is large enough asks nobody', async () => {
  const at = await place({
    slice: {...noLimits, tokens: 1_000_000},
    enlarge: async () => Promise.reject(new Error('nobody is to be asked')),
  });
  expect((await ask(at)).status).toBe(200);
});

test('[BG6] a slice that is not enlarged stops the agent, and the attempt waits for its team', async () => {
  const at = await place({slice: {...noLimits, tokens}});
  expect((await ask(at)).status).toBe(200);
  const refused = await ask(at);
  expect(refused.status).toBe(429);
  expect(refused.headers['x-should-retry']).toBe('false');
  const stop = at.ledger.stopOf(grant);
  expect(stop).toMatchObject({kind: 'budget', by: 'slice'});
  expect(stop && stopResult(stop, 0)).toMatchObject({code: 'budget_spent', retryable: true});
  const again = new Ledger(() => at.runDir);
  await again.open(grant);
  expect(again.stopOf(grant)).toEqual(stop);
});

test('[BG6] a limit of the task itself is final, also where the slice is spent as well', async () => {
  const at = await place({own: {...noLimits, tokens}, slice: {...noLimits, tokens}});
  await ask(at);
  expect((await ask(at)).status).toBe(429);
  const stop = at.ledger.stopOf(grant);
  expect(stop && stopResult(stop, 0)).toMatchObject({code: 'budget_spent', retryable: false});
});

test('[BG6] an agent that gets a model again was not stopped', async () => {
  const at = await place({slice: {...noLimits, tokens}});
  await ask(at);
  await ask(at);
  at.slice = noLimits;
  expect((await ask(at)).status).toBe(200);
  expect(at.ledger.stopOf(grant)).toBeNull();
});

test('[BG7] a control plane that does not answer spends no budget: the agent may try again', async () => {
  const at = await place({slice: {...noLimits, tokens}, enlarge: async () => false});
  await ask(at);
  const refused = await ask(at);
  expect(refused.status).toBe(503);
  expect(refused.headers['x-should-retry']).toBeUndefined();
  expect(at.ledger.stopOf(grant)).toBeNull();
  expect(at.api.requests).toHaveLength(1);
});

test('[BG7] the token is dead when the lease was lost while the control plane was asked', async () => {
  const at = await place({
    slice: {...noLimits, tokens: 1},
    enlarge: async (_, held) => {
      held.live = false;
      held.slice = noLimits;
      return true;
    },
  });
  expect((await ask(at)).status).toBe(403);
  expect(at.api.requests).toEqual([]);
});

const noon = Date.UTC(2026, 10, 20, 12);
const refusal = (headers: Record<string, string>, status = 429, message = 'too many requests') => [
  {
    moves: [],
    refuse: {status, type: 'rate_limit_error', message, headers: {date: new Date(noon).toUTCString(), ...headers}},
  },
];

test.for([
  {headers: {'retry-after': '3600'}, untilMs: noon + 3_600_000},
  {headers: {'retry-after': new Date(noon + 7_200_000).toUTCString()}, untilMs: noon + 7_200_000},
  {headers: {'retry-after-ms': '90000'}, untilMs: noon + 90_000},
  {
    headers: {
      'anthropic-ratelimit-unified-status': 'rejected',
      'anthropic-ratelimit-unified-reset': String(noon / 1_000 + 18_000),
    },
    untilMs: noon + 18_000_000,
  },
])('[BG8] a provider that names $headers lets the task wait until then', async ({headers, untilMs}) => {
  const at = await place({scenario: refusal(headers)});
  expect((await ask(at)).status).toBe(429);
  await expect.poll(() => at.ledger.stopOf(grant)).toMatchObject({kind: 'usage_limit', untilMs});
  const stop = at.ledger.stopOf(grant);
  expect(stop && stopResult(stop, noon)).toMatchObject({
    code: 'usage_limited',
    retryable: true,
    retry_after_ms: untilMs - noon,
  });
});

test.for([
  {headers: {'retry-after': '59'}},
  {headers: {}},
  {headers: {'retry-after': 'soon'}},
  {headers: {'retry-after': '3600'}, status: 529},
  {
    headers: {
      'anthropic-ratelimit-unified-status': 'allowed',
      'anthropic-ratelimit-unified-reset': String(noon / 1_000 + 18_000),
    },
  },
])('[BG8] $headers with $status is the agent’s own matter', async ({headers, status}) => {
  const at = await place({scenario: refusal({...headers}, status)});
  await ask(at);
  await expect.poll(() => at.audit).toHaveLength(1);
  expect(at.ledger.stopOf(grant)).toBeNull();
});

const hoursMs = (count: number): number => count * 3_600_000;

test.for([
  // The clock of this machine is two hours late, or early: what counts is how long the provider says.
  {headers: {date: new Date(noon + hoursMs(2)).toUTCString()}, until: noon + hoursMs(5), untilMs: noon + hoursMs(3)},
  {headers: {date: new Date(noon - hoursMs(2)).toUTCString()}, until: noon + hoursMs(1), untilMs: noon + hoursMs(3)},
  {headers: {date: 'never'}, until: noon + hoursMs(1), untilMs: noon + hoursMs(1)},
])('[BG8] a time by the clock of the provider is a wait by ours: $headers', async ({headers, until, untilMs}) => {
  const reset = {'anthropic-ratelimit-unified-reset': String(until / 1_000)};
  const at = await place({scenario: refusal({...headers, ...reset, 'anthropic-ratelimit-unified-status': 'rejected'})});
  await ask(at);
  await expect.poll(() => at.ledger.stopOf(grant)).toMatchObject({kind: 'usage_limit', untilMs});
});

test.for([
  {message: 'Claude AI usage limit reached', untilMs: noon + limits.usageLimitUnknownMs},
  {message: `Claude AI usage limit reached|${noon / 1_000 + 18_000}`, untilMs: noon + hoursMs(5)},
  {message: 'Usage limit reached', headers: {'retry-after': '99999999'}, untilMs: noon + limits.usageLimitMaxMs},
])('[BG8] $message parks the task', async ({message, headers = {}, untilMs}) => {
  const at = await place({scenario: refusal({...headers}, 429, message)});
  await ask(at);
  await expect.poll(() => at.ledger.stopOf(grant)).toMatchObject({kind: 'usage_limit', untilMs});
});

test('[BG37] what an agent says of a usage limit counts where its model was asked without our proxy', () => {
  const failed = (detail: string, code: ErrorCode = 'model_unavailable'): AttemptResult => ({
    ...{kind: 'failed', code, detail, retryable: true},
  });
  const waits = (result: AttemptResult) => limitedResult(result, noon);
  expect(waits(failed(`Claude AI usage limit reached|${noon / 1_000 + 600}`))).toMatchObject({
    code: 'usage_limited',
    retryable: true,
    retry_after_ms: 600_000,
  });
  // A time that has passed is no reason to ask again at once.
  expect(waits(failed(`usage limit reached|${noon / 1_000 - 9}`))).toMatchObject({
    retry_after_ms: limits.usageLimitMinMs,
  });
  expect(waits(failed('usage limit reached'))).toMatchObject({retry_after_ms: limits.usageLimitUnknownMs});
  for (const other of [failed('overloaded'), failed('usage limit reached', 'checks_failed')])
    expect(waits(other)).toEqual(other);
});

test('[BG8] a provider that answers again has no limit any more', async () => {
  const [limited] = refusal({'retry-after': '3600'});
  const once = limited === undefined ? [] : [{...limited, refuse: {...limited.refuse, times: 1}, ...turn(say('hi'))}];
  const at = await place({scenario: once});
  expect((await ask(at)).status).toBe(429);
  expect((await ask(at)).status).toBe(200);
  await expect.poll(() => at.ledger.stopOf(grant)).toBeNull();
});
