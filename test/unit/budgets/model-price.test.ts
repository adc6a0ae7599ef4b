import fc from 'fast-check';
import {expect, test} from 'vitest';
import {costMicros, isPriced} from '@switchyard/shared/policy/model-price.ts';
import {microsOfUsd, usdOfMicros, usdPattern} from '@switchyard/shared/policy/money.ts';

const million = 1_000_000;
const none = {input: 0, output: 0, cacheRead: 0, cacheWrite: 0, cacheWriteLong: 0};
const usd = (text: string): number => microsOfUsd(text);

test.for([
  {model: 'claude-sonnet-4-5-20250929', input: '3.00', output: '15.00'},
  {model: 'claude-opus-4-1-20250805', input: '15.00', output: '75.00'},
  {model: 'claude-opus-4-20250514', input: '15.00', output: '75.00'},
  {model: 'claude-opus-4-8', input: '5.00', output: '25.00'},
  {model: 'claude-opus-5', input: '5.00', output: '25.00'},
  {model: 'claude-opus-5-5', input: '4.00', output: '20.00'},
  {model: 'claude-sonnet-5', input: '2.00', output: '10.00'},
  {model: 'claude-haiku-4-5', input: '1.00', output: '5.00'},
  {model: 'anthropic/claude-haiku-4-5', input: '1.00', output: '5.00'},
  {model: 'gpt-5.3-codex', input: '1.75', output: '14.00'},
  {model: 'gpt-5.6-luna', input: '0.20', output: '1.20', tokens: 100_000},
  {model: 'gpt-5.6-luna', input: '0.40', output: '1.80', tokens: 400_000},
  {model: 'gemini-3.1-pro-preview', input: '4.00', output: '18.00'},
])('[BG1] $model costs $input dollars in and $output out for a million', ({model, input, output, tokens = million}) => {
  const counts = {...none, input: tokens};
  expect(costMicros(model, '2026-11-20', counts)).toBe((usd(input) * tokens) / million);
  // The length of the prompt chooses the price of the answer as well.
  const written = costMicros(model, '2026-11-20', {...counts, output: million}) - (usd(input) * tokens) / million;
  expect(written).toBe(usd(output));
});

test('[BG1] caches have prices of their own, and what is kept for an hour costs more', () => {
  const at = (counts: Partial<typeof none>): number => costMicros('claude-opus-5', '2026-11-20', {...none, ...counts});
  expect(at({cacheRead: million})).toBe(usd('0.50'));
  expect(at({cacheWrite: million})).toBe(usd('6.25'));
  expect(at({cacheWrite: million, cacheWriteLong: million})).toBe(usd('10.00'));
});

test('[BG1] a price counts from its day on', () => {
  const read = {...none, cacheRead: million};
  expect(costMicros('claude-sonnet-5-5', '2026-10-06', read)).toBe(usd('0.20'));
  expect(costMicros('claude-sonnet-5-5', '2026-10-07', read)).toBe(usd('0.10'));
});

test('[BG1] a model without a price counts at the dearest one, whatever its tokens are', () => {
  const counts = {input: 7, output: 11, cacheRead: 13, cacheWrite: 17, cacheWriteLong: 3};
  expect(isPriced('brand-new')).toBe(false);
  for (const model of ['claude-opus-4-1', 'gpt-5.2-pro', 'gpt-5.6-sol', 'claude-fable-5'])
    expect(costMicros('brand-new', '2026-11-20', counts)).toBeGreaterThanOrEqual(
      costMicros(model, '2026-11-20', counts),
    );
});

test('[BG1] the smallest answer costs something, in whole numbers', () => {
  expect(costMicros('gpt-6-luna', '2026-11-20', {...none, cacheRead: 1})).toBe(1);
  expect(costMicros('gpt-6-luna', '2026-11-20', none)).toBe(0);
});

test('[BG2] every amount is written and read again as it is', () => {
  fc.assert(
    fc.property(fc.integer({min: 0, max: 9_999_999_999_999}), micros => {
      const text = usdOfMicros(micros);
      expect(text).toMatch(usdPattern);
      expect(microsOfUsd(text)).toBe(micros);
    }),
  );
});

test.for([
  ['2.5', 2_500_000],
  ['0.000001', 1],
  ['10', 10_000_000],
] as const)('[BG2] %s dollars are %s millionths', ([text, micros]) => {
  expect(microsOfUsd(text)).toBe(micros);
});

test.for(['', '-1', '1.', '.5', '1e3', '01', '1.0000001', '12345678'])('[BG2] %j is no amount', text => {
  expect(text).not.toMatch(usdPattern);
});
