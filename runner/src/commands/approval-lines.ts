import type {ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import {oneLine} from './shown-text.ts';
import {cut, table} from './table.ts';
import {duration, moment} from './units.ts';

/** What is asked, in one line: the question, the command or the file, not the whole input. */
export function askedText({tool, input}: Pick<ApprovalView, 'tool' | 'input'>): string {
  // Behind a comment, a line that looked like a part of it would be read as one.
  return oneLine(`${tool}: ${wordsOf(input).replaceAll(/\r\n|\r|\n/g, String.raw`\n`)}`);
}

const ASKED_CHARACTERS_MAX = 100;

/** The inbox; what is asked stands where a terminal of eighty columns still shows it. */
export function approvalTable(
  approvals: readonly ApprovalView[],
  nowMs: number,
  columns: number | undefined,
): readonly string[] {
  const rows = approvals.map(each => [
    each.id,
    each.state,
    duration(Math.max(0, nowMs - each.created_ms)),
    cut(askedText(each), ASKED_CHARACTERS_MAX),
    each.task ?? '-',
  ]);
  return table(['APPROVAL', 'STATE', 'AGE', 'ASKS', 'TASK'], rows, columns);
}

function wordsOf(input: ApprovalView['input']): string {
  if (typeof input === 'string') return input;
  if (typeof input === 'object' && input !== null && !Array.isArray(input))
    for (const key of ['question', 'command', 'file_path', 'path', 'url', 'budget']) {
      const value = input[key];
      if (typeof value === 'string') return value;
    }
  return JSON.stringify(input);
}

/** One approval for a person: what is asked and why, then how it was decided. */
export function approvalLines(approval: ApprovalView): readonly string[] {
  const {id, task, state, epoch, reason, rule, expires_ms, decided_by, decided_ms, text, granted} = approval;
  const rows: readonly (readonly [string, string | null])[] = [
    ['approval', id],
    ['task', task === null ? null : `${task}, attempt ${epoch}`],
    ['state', state],
    ['because', reason],
    ['rule', rule],
    ['until', state === 'open' ? moment(expires_ms) : null],
    ['decided', decided_ms === null ? null : `${moment(decided_ms)} by ${decided_by ?? 'nobody'}`],
    ['granted', granted === null ? null : grantedText(granted)],
    ['said', text === '' ? null : text],
  ];
  return [
    askedText(approval),
    ...rows.flatMap(([name, value]) => (value === null ? [] : [`  ${name.padEnd(11)}${oneLine(value)}`])),
    ...inputLines(approval.input),
  ];
}

function grantedText({cost_usd: cost, tokens, turns, until_ms: untilMs}: NonNullable<ApprovalView['granted']>): string {
  const amounts = [
    cost === null ? null : `$${cost}`,
    tokens === null ? null : `${tokens} tokens`,
    turns === null ? null : `${turns} turns`,
  ];
  return `${amounts.filter(amount => amount !== null).join(', ')} until ${moment(untilMs)}`;
}

/** Whoever decides has to see all of it. */
function inputLines(input: ApprovalView['input']): readonly string[] {
  const text = typeof input === 'string' ? input : JSON.stringify(input, null, 2);
  return text.split('\n').map(line => `  | ${oneLine(line)}`);
}
