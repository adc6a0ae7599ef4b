import {expect, test} from 'vitest';
import {proxyLine} from '../../../runner/src/commands/proxy-line.ts';

test('[CL31] the model proxy of a machine is told in one line with its next step', () => {
  expect(proxyLine({state: 'listening', trouble: null, since_ms: 0, attempts: 2}, 65_000)).toBe(
    'listening for 1 min 5 s, used by 2 attempts',
  );
  const trouble = 'the model proxy of this runner cannot be reached';
  expect(proxyLine({state: 'healing', trouble, since_ms: 60_000, attempts: 1}, 65_000)).toBe(
    `healing for 5.0 s, used by 1 attempt; ${trouble}, and the runner makes it anew`,
  );
  expect(proxyLine({state: 'dead', trouble, since_ms: null, attempts: null}, 65_000)).toMatch(
    /^dead; .* cannot be reached: no runner runs here, switchyard runner start or up starts one$/,
  );
});
