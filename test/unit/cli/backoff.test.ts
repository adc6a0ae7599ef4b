import fc from 'fast-check';
import {expect, test} from 'vitest';
import {backoff, backoffMs, failuresAfterExit} from '../../../runner/src/services/backoff.ts';

test('[SV1] the pause before a restart doubles up to 300 s, and chance takes at most half of it', () => {
  fc.assert(
    fc.property(fc.nat({max: 200}), fc.double({min: 0, max: 0.999, noNaN: true}), (failures, chance) => {
      const longest = Math.min(backoff.baseMs * 2 ** Math.min(failures, 30), 300_000);
      const pause = backoffMs(failures, () => chance);
      expect(pause).toBeGreaterThanOrEqual(Math.floor(longest / 2));
      expect(pause).toBeLessThanOrEqual(longest);
    }),
  );
});

test('[SV1] five minutes of health forgive the failures before', () => {
  expect(failuresAfterExit(6, 299_999)).toBe(7);
  expect(failuresAfterExit(6, 300_000)).toBe(1);
});
