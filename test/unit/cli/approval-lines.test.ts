import {expect, test} from 'vitest';
import type {ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import {approvalLines, approvalTable, askedText} from '../../../runner/src/commands/approval-lines.ts';

const approval = {
  id: 'apr_01arz3ndektsv4rrffq69g5fav',
  task: 'tsk_01arz3ndektsv4rrffq69g5fav',
  epoch: 2,
  kind: 'permission',
  state: 'open',
  tool: 'Bash',
  tool_call: 'toolu_1',
  input: {command: 'git push\norigin main', timeout: 5},
  reason: 'the charter asks a person about: git push',
  rule: 'git push',
  created_ms: 1_000,
  expires_ms: 86_400_000,
  decided_ms: null,
  decided_by: null,
  text: null,
  granted: null,
} as unknown as ApprovalView;

test('[PV15] a person sees what is asked in one line, and all of its input', () => {
  expect(askedText(approval)).toBe(String.raw`Bash: git push\norigin main`);
  const lines = approvalLines(approval).join('\n');
  expect(lines).toContain('because    the charter asks a person about: git push');
  expect(lines).toContain('until      1970-01-02T00:00:00.000Z');
  expect(lines).toContain('"timeout": 5');
  expect(lines).not.toContain('decided');
});

test.for([
  ['ls # all\nrm -rf /', String.raw`ls # all\nrm -rf /`],
  ['ls\r\nrm x', String.raw`ls\nrm x`],
  ['ls \u001b[2K\rrm x', String.raw`ls \u001b[2K\nrm x`],
  ['rm \u202ex\u3164', String.raw`rm \u202ex\u3164`],
] as const)('[SE20] a person sees each control in what is asked: %j', ([command, shown]) => {
  const asked = {...approval, tool: 'Bash\u001b[8m', input: {command}} as ApprovalView;
  expect(askedText(asked)).toBe(`${String.raw`Bash\u001b[8m`}: ${shown}`.replace(String.raw`\u001b[8m`, ''));
  expect(approvalLines(asked).join('')).not.toMatch(/[\u001b\u202e\u3164\r\n]/);
});

test('[PV15] the inbox shows what is asked on a terminal of eighty columns', () => {
  const long = {...approval, input: {command: `git push ${'x'.repeat(200)}`}} as ApprovalView;
  const [head, first] = approvalTable([approval, long], 61_000, 80);
  expect(head).toMatch(/^APPROVAL +STATE +AGE +ASKS/);
  expect(first).toContain(String.raw`Bash: git push\norigin main`);
  const [, , whole] = approvalTable([approval, long], 61_000, undefined);
  expect(whole).toMatch(/Bash: git push x+…  tsk_01arz3ndektsv4rrffq69g5fav$/);
});

test('[BG50] what was granted of a budget is shown', () => {
  const granted = {cost_usd: '50.00', tokens: null, turns: 9, until_ms: 86_400_000};
  const shown = approvalLines({...approval, kind: 'budget', state: 'approved', granted}).join('\n');
  expect(shown).toContain('granted    $50.00, 9 turns until 1970-01-02T00:00:00.000Z');
  expect(approvalLines(approval).join('\n')).not.toContain('granted');
});

test('[BG25] the question of a budget belongs to no task', () => {
  const input = {budget: 'every-day', limits: {turns: 10}};
  const asked = {...approval, kind: 'budget', tool: 'budget', task: null, epoch: 0, input} as ApprovalView;
  expect(askedText(asked)).toBe('budget: every-day');
  expect(approvalLines(asked).join('\n')).not.toContain('task');
});

test('[PV15] who decided is told, and nobody is nobody', () => {
  const decided = {...approval, state: 'expired', decided_ms: 2_000, text: 'nobody decided in time'} as ApprovalView;
  const lines = approvalLines(decided).join('\n');
  expect(lines).toContain('decided    1970-01-01T00:00:02.000Z by nobody');
  expect(lines).toContain('said       nobody decided in time');
  expect(lines).not.toContain('until');
});
