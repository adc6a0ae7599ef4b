import {expect, test} from 'vitest';
import {oneLine} from '../../../runner/src/commands/shown-text.ts';
import {cut, table} from '../../../runner/src/commands/table.ts';

test('[CL3] columns are aligned by what is seen, and the last one is not padded', () => {
  const rows = [
    ['tsk_1', '\u001b[32mok\u001b[0m', 'first'],
    ['tsk_22', 'failed', 'ä'],
  ];
  expect(table(['TASK', 'STATE', 'TITLE'], rows, undefined)).toEqual([
    'TASK    STATE   TITLE',
    'tsk_1   ok      first',
    'tsk_22  failed  ä',
  ]);
});

test('[CL3] a line is cut at the width of the terminal, and never elsewhere', () => {
  const long = 'x'.repeat(300);
  expect(table(['A', 'B'], [['1', long]], 20)[1]).toBe(`1  ${'x'.repeat(16)}…`);
  expect(table(['A', 'B'], [['1', long]], undefined)[1]).toHaveLength(303);
  expect(cut('short', 20)).toBe('short');
});

test('[CL4] what others wrote cannot move the cursor, colour the screen or break a line', () => {
  expect(oneLine('a\u001b[2Jb\u001b]0;title\u0007c\r\nd\u009b31me\u0000')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  expect(table(['TITLE'], [['a\nb']], undefined)).toEqual(['TITLE', 'a b']);
});
