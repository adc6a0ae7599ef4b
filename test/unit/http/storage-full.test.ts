import {expect, test} from 'vitest';
import {isStorageFull} from '../../../worker/src/storage-full.ts';

const full = new Error('database or disk is full: SQLITE_FULL');

test.for([
  [full, true],
  [new Error('D1_ERROR: database or disk is full: SQLITE_FULL'), true],
  [new Error('broken.outputGateBroken; jsg.Error: database or disk is full: SQLITE_FULL; shouldRetry = false'), true],
  [new Error('the object was reset', {cause: new Error('x', {cause: full})}), true],
  [new Error('internal error; reference = 2tisng09acvas4lchorpbcjn'), false],
  [new Error('a column is named SQLITE_FULL_NAME: SQLITE_ERROR'), false],
  [new Error('UNIQUE constraint failed: task.id: SQLITE_CONSTRAINT'), false],
  ['database or disk is full: SQLITE_FULL', false],
  [undefined, false],
] as const)('[HT28] storage is full by what workerd says of it: %s', ([error, isFull]) => {
  expect(isStorageFull(error)).toBe(isFull);
});

test('[HT28] an error that is its own cause comes to an end', () => {
  const round = new Error('round');
  round.cause = round;
  expect(isStorageFull(round)).toBe(false);
});
