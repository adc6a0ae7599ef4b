import {
  formatLogDown,
  formatLogUp,
  logControlCharsMax,
  parseLogDown,
  parseLogUp,
} from '@switchyard/shared/protocol/log-control.ts';
import {expect, test} from 'vitest';

test('[LF4] what is sent is read back', () => {
  const sealed = {t: 'sealed', len: 5, receipt: 'r'} as const;
  expect(parseLogDown(formatLogDown(sealed))).toEqual({kind: 'message', message: sealed});
  const end = {t: 'end', len: 5, sha256: 'a'.repeat(64)} as const;
  expect(parseLogUp(formatLogUp(end))).toEqual({kind: 'message', message: end});
});

test('[LF4] an unknown type is not malformed, so that the other side may be newer', () => {
  expect(parseLogDown('{"t":"later","x":1}')).toEqual({kind: 'unknown', t: 'later'});
  expect(parseLogUp('{"t":"later"}')).toEqual({kind: 'unknown', t: 'later'});
});

test.for(['', '{', '[]', 'null', '{"t":1}', '{"t":"ack"}', '{"t":"ack","len":-1}', '{"t":"ack","len":1.5}'])(
  '[LF4] malformed: %s',
  text => {
    expect(parseLogDown(text).kind).toBe('malformed');
  },
);

test('[LF4] a runner may say nothing that is not in the schema, and nothing at length', () => {
  expect(parseLogUp(`{"t":"end","len":1,"sha256":"${'a'.repeat(64)}","more":1}`).kind).toBe('malformed');
  expect(parseLogUp('{"t":"end","len":1,"sha256":"A"}').kind).toBe('malformed');
  expect(parseLogDown(JSON.stringify({t: 'later', x: 'x'.repeat(logControlCharsMax)})).kind).toBe('malformed');
});
