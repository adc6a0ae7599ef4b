import {expect, test} from 'vitest';
import {rebaseLines} from '../../../runner/src/commands/rebase-lines.ts';

const onto = 'b'.repeat(40);
const report = {onto_sha: onto, conflicts: [], conflicts_more: 0};

test('[RB6] a person sees the newest base, and of a conflict every file with the commits of both sides', () => {
  expect(rebaseLines(undefined)).toEqual([]);
  expect(rebaseLines({...report, outcome: 'rebased'})).toEqual(['  base    bbbbbbbbbbbb (rebased onto it)']);
  expect(rebaseLines({...report, outcome: 'up_to_date'})).toEqual(['  base    bbbbbbbbbbbb (still the newest)']);
  const conflicts = [
    {
      path: 'src/a\u001b[2J.txt',
      ours: [{sha: '1'.repeat(40), subject: 'Say ours'}],
      theirs: [{sha: '2'.repeat(40), subject: 'Say\ntheirs'}],
    },
  ];
  const lines = rebaseLines({...report, outcome: 'conflict', conflicts, conflicts_more: 3});
  expect(lines[0]).toBe('  base    bbbbbbbbbbbb: the work conflicts with it in');
  expect(lines.join('\n')).not.toContain('\u001b');
  expect(lines.slice(2)).toEqual([
    '      ours  111111111111 Say ours',
    expect.stringMatching(/^ {6}base {2}222222222222 Say.theirs$/),
    '    and 3 more',
  ]);
});
