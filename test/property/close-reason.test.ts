import fc from 'fast-check';
import {expect, test} from 'vitest';
import {closeReason} from '@switchyard/shared/protocol/close-reason.ts';
import {tries} from './fuzz-settings.ts';
import {hostileText} from './hostile-input.ts';

test('[PB18] a reason of any text is cut to what a close frame holds, between two characters', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        hostileText,
        fc.array(fc.constantFrom('漢', 'é', '🧵', 'a', '\ud83e'), {maxLength: 90}).map(parts => parts.join('')),
      ),
      text => {
        const reason = closeReason(text);
        expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
        const sent = Buffer.from(text).toString();
        expect(sent.startsWith(reason) || Buffer.byteLength(sent) > 123).toBe(true);
        expect(Buffer.byteLength(sent) <= 123 ? reason : '').toBe(Buffer.byteLength(sent) <= 123 ? sent : '');
      },
    ),
    tries(200),
  );
});

test.for(['\ufeff', 'a\ufeffb'])('[PB18] a reason keeps its byte order mark: %j', text => {
  expect(closeReason(text)).toBe(text);
});
