import type {ToolCall} from '@switchyard/shared/policy/charter/act.ts';
import {judge} from '@switchyard/shared/policy/charter/judge.ts';
import type {Scene} from '@switchyard/shared/policy/charter/place.ts';
import type {Rulebook} from '@switchyard/shared/policy/charter/rulebook.ts';

/** What the owner of this machine says to a call. `default`: nothing, so what is usual for the agent holds. */
export type Ruling = {
  readonly decision: 'reject' | 'escalate' | 'approve' | 'default';
  readonly rule: string | null;
  readonly reason: string;
};

/** While a refusal is not understood, whatever is not approved may be what it was meant to refuse: a person decides. */
export function rulingOf(book: Rulebook, call: ToolCall, scene: Scene): Ruling {
  const {decision, rule = null, reason} = judge(book, call, scene);
  if (decision !== 'ask-default') return {decision, rule, reason};
  const [unread] = book.unread;
  if (unread === undefined) return {decision: 'default', rule, reason};
  return {decision: 'escalate', rule: unread, reason: `no rule understands this entry of the charter: ${unread}`};
}
