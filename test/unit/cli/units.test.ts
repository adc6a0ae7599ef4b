import {expect, test} from 'vitest';
import {byteText} from '@switchyard/shared/policy/byte-size.ts';
import {duration, moment, parseCount, parseDuration} from '../../../runner/src/commands/units.ts';
import {UsageError} from '../../../runner/src/commands/usage-error.ts';

test.for([
  [0, '0 ms'],
  [999, '999 ms'],
  [1_000, '1.0 s'],
  [9_949, '9.9 s'],
  [12_400, '12 s'],
  [60_000, '1 min'],
  [185_000, '3 min 5 s'],
  [7_800_000, '2 h 10 min'],
  [90_000_000, '1 d 1 h'],
] as const)('[CL1] %i ms is shown as %s', ([ms, shown]) => {
  expect(duration(ms)).toBe(shown);
});

test.for([
  [0, '0 B'],
  [1_023, '1023 B'],
  [1_536, '1.5 KiB'],
  [268_435_456, '256 MiB'],
] as const)('[CL1] %i bytes are shown as %s', ([count, shown]) => {
  expect(byteText(count)).toBe(shown);
});

test.for([
  ['90s', 90_000],
  ['500ms', 500],
  ['10m', 600_000],
  ['10min', 600_000],
  ['2h', 7_200_000],
  ['3d', 259_200_000],
  ['45', 45_000],
] as const)('[CL2] the time %s is %i ms', ([text, ms]) => {
  expect(parseDuration('--timeout', text)).toBe(ms);
});

test.for(['', '-1', '1.5h', '10 minutes', 'soon', '9999999999s'])(
  '[CL2] the time "%s" is refused by the name of its option',
  text => {
    expect(() => parseDuration('--timeout', text)).toThrow(/--timeout/);
    expect(() => parseDuration('--timeout', text)).toThrow(UsageError);
  },
);

test.for(['0', '65536', '8x', '', '-1', '1e3', ' 5'])('[CL2] the count "%s" is refused with its bounds', text => {
  expect(() => parseCount('--port', text, [1, 65_535])).toThrow(/--port .* from 1 to 65535/);
});

test.for([
  [0, '1970-01-01T00:00:00.000Z'],
  [8.64e15, '+275760-09-13T00:00:00.000Z'],
  [8.64e15 + 1, '8640000000000001 ms'],
  [Number.MAX_SAFE_INTEGER, '9007199254740991 ms'],
] as const)('[CL1] the point %i is shown as %s', ([ms, shown]) => {
  expect(moment(ms)).toBe(shown);
});
