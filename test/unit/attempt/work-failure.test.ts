import {expect, test} from 'vitest';
import {failureOf} from '../../../runner/src/attempt/work-calls.ts';

test.for([
  {code: 'ENOSPC', told: 'disk_full'},
  {code: 'EDQUOT', told: 'disk_full'},
  {code: 'EACCES', told: 'internal'},
])('[HW6] $code is told as $told, and may be tried again', ({code, told}) => {
  const error = Object.assign(new Error(`${code}: a write failed`), {code});
  expect(failureOf(error)).toMatchObject({code: told, retryable: true});
});
