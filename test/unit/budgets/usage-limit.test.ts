import {expect, test} from 'vitest';
import {usageLimitOf} from '../../../runner/src/agent/proxy/usage-limit.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);
const at = (error: object): number | undefined =>
  usageLimitOf({status: 429, headers: {}, text: JSON.stringify({error})}, nowMs);

test.for([
  {error: {type: 'usage_limit_reached', resets_at: nowMs / 1_000 + 600}, waitMs: 600_000},
  {error: {type: 'usage_limit_reached', resets_in_seconds: 700}, waitMs: 700_000},
  {error: {code: 429, details: [{reason: 'x'}, {retryDelay: '86399.5s'}]}, waitMs: 86_399_500},
])('[BG8] $error names the time in its body', ({error, waitMs}) => {
  expect(at(error)).toBe(nowMs + waitMs);
});

test.for([
  {type: 'insufficient_quota', code: 'insufficient_quota'},
  {type: 'usage_limit_reached', resets_in_seconds: 5},
  {details: 'nothing'},
  {details: [{retryDelay: 'later'}]},
  {resets_at: 'tomorrow'},
])('[BG8] %j names none that is worth waiting for', error => {
  expect(at(error)).toBeUndefined();
});
