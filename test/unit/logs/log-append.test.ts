import {decideLogAppend} from '@switchyard/shared/domain/log-append.ts';
import fc from 'fast-check';
import {expect, test} from 'vitest';

test.for([
  [10, 11, 5, {kind: 'nack', len: 10}],
  [10, 10, 5, {kind: 'append', skip: 0, len: 15}],
  [10, 7, 5, {kind: 'append', skip: 3, len: 12}],
  [10, 5, 5, {kind: 'ack', len: 10}],
  [10, 0, 5, {kind: 'ack', len: 10}],
  [0, 0, 1, {kind: 'append', skip: 0, len: 1}],
] as const)('[LF5] stored %i, offset %i, %i bytes', ([stored, offset, bytes, verdict]) => {
  expect(decideLogAppend(stored, {offset, bytes})).toEqual(verdict);
});

test('[LF5] in whatever order pieces of a text arrive, what is stored is a prefix of it that never shrinks', () => {
  const text = Array.from({length: 200}, (_, index) => index);
  const pieces = fc.array(fc.tuple(fc.nat({max: 199}), fc.integer({min: 1, max: 60})), {maxLength: 100});
  fc.assert(
    fc.property(pieces, all => {
      let stored: number[] = [];
      for (const [offset, bytes] of all) {
        const piece = text.slice(offset, offset + bytes);
        const verdict = decideLogAppend(stored.length, {offset, bytes: piece.length});
        const next = verdict.kind === 'append' ? [...stored, ...piece.slice(verdict.skip)] : stored;
        expect(next.length).toBeGreaterThanOrEqual(stored.length);
        expect(verdict.len).toBe(next.length);
        expect(next).toEqual(text.slice(0, next.length));
        stored = next;
      }
    }),
  );
});
