import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import type {Limits} from '@switchyard/shared/policy/budget.ts';
import type {ApprovalRow} from './approval-row.ts';
import {limitsView} from './money-view.ts';

/** What a person granted of a budget that asked for more: other limits of its period, from the decision on. */
export type Granted = {readonly limits: Limits; readonly forMs: number};

const figure = z.int().nullable();
const grantedSchema = z.object({
  limits: z.object({cost_micros: figure, tokens: figure, turns: figure}),
  forMs: z.int(),
});

/** As a row keeps it: the same text for the same grant. */
export function grantedText({limits: {cost_micros, tokens, turns}, forMs}: Granted): string {
  return JSON.stringify({limits: {cost_micros, tokens, turns}, forMs});
}

type GrantedView = ReturnType<typeof limitsView> & {readonly until_ms: number};

/** Null where nothing was granted, or before what was granted was kept. */
export function grantedView({granted, decided_ms: decidedMs}: ApprovalRow): GrantedView | null {
  const kept = grantedSchema.safeParse(parseJson(granted ?? ''));
  if (!kept.success || decidedMs === null) return null;
  return {...limitsView(kept.data.limits), until_ms: decidedMs + kept.data.forMs};
}

/** Why a decision comes too late, and what may be done for a budget that was granted another amount. */
export function decidedText(row: ApprovalRow): string {
  const by = row.decided_by === null ? '' : ` by ${row.decided_by}`;
  if (row.kind !== 'budget' || row.state !== 'approved') return `${row.id} is ${row.state}${by}`;
  const granted = grantedView(row);
  const what = granted === null ? '' : `: ${grantedWords(granted)}`;
  const budget = row.ask.slice(0, row.ask.lastIndexOf('/'));
  return `${row.id} is granted${by}${what}; switchyard budget override ${budget} sets other limits`;
}

function grantedWords({cost_usd: cost, tokens, turns, until_ms: untilMs}: GrantedView): string {
  const words = [
    ...(cost === null ? [] : [`$${cost}`]),
    ...(tokens === null ? [] : [`${tokens} tokens`]),
    ...(turns === null ? [] : [`${turns} turns`]),
  ];
  return `${words.join(', ')} until ${new Date(untilMs).toISOString()}`;
}
