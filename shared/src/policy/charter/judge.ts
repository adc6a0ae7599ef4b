import type {Act, ToolCall} from './act.ts';
import type {Rule} from './condition.ts';
import {best, type Match} from './match-path.ts';
import {approves, refuses, type Sight} from './match-rule.ts';
import type {Scene} from './place.ts';
import {lookedUpOnce} from './look-once.ts';
import {readCall} from './read-call.ts';
import type {Rulebook} from './rulebook.ts';

/**
 * `reject`: it must not run. `escalate`: a person decides. `approve`: it runs without a question. `ask-default`: the
 * charter says nothing, and what is usual for the agent holds; it never means that the charter approves.
 */
export type Decision = 'reject' | 'escalate' | 'approve' | 'ask-default';

export type Judgement = {
  readonly decision: Decision;
  /** The entry of the charter that decided. */
  readonly rule: string | undefined;
  /** For the agent and for people. */
  readonly reason: string;
  /** What was understood of the call. */
  readonly parsed: readonly Act[];
};

/**
 * Judges a call by a charter: rejections come first, then escalations, then approvals. One act that is refused refuses
 * the whole call; it is approved only when every act is. What cannot be seen may be what a rule refuses, so a person is
 * asked; it is never approved. Pure, but for the links that `scene` follows.
 */
export function judge(book: Rulebook, call: ToolCall, given: Scene): Judgement {
  const scene = lookedUpOnce(given);
  const parsed = readCall(call, scene);
  const sight: Sight = {scene, tool: call.tool};
  const matches = new Map<Rule, Match>();
  const matchOf = (rule: Rule): Match => {
    const match = matches.get(rule) ?? best(parsed.map(act => refuses(rule, act, sight)));
    matches.set(rule, match);
    return match;
  };
  const met = (rules: readonly Rule[], match: Match): Rule | undefined => rules.find(rule => matchOf(rule) === match);
  const rejected = met(book.reject, 'yes');
  if (rejected !== undefined)
    return {decision: 'reject', rule: rejected.name, reason: reasonOf(rejected, 'rejects'), parsed};
  const escalated = met(book.escalate, 'yes');
  if (escalated !== undefined)
    return {decision: 'escalate', rule: escalated.name, reason: reasonOf(escalated, 'asks a person about'), parsed};
  const possible = met(book.reject, 'maybe') ?? met(book.escalate, 'maybe');
  if (possible !== undefined)
    return {
      decision: 'escalate',
      rule: possible.name,
      reason: `${whyPossible(possible, parsed, sight)}, and it may be: ${possible.name}`,
      parsed,
    };
  return approval(book, parsed, sight);
}

function reasonOf({name, reason}: Rule, verb: string): string {
  return reason ?? `the charter ${verb}: ${name}`;
}

function whyPossible(rule: Rule, parsed: readonly Act[], sight: Sight): string {
  const act = parsed.find(each => refuses(rule, each, sight) === 'maybe');
  if (act?.kind === 'unseen') return act.why;
  if (act?.kind === 'read' && act.inside !== undefined) return `it reads what lies in ${act.place.source}`;
  if (act?.kind === 'write' && act.inside !== undefined)
    return `it writes into ${act.place.source} what nobody has named`;
  return 'a part of it is not seen before it runs';
}

function approval({approve, unread}: Rulebook, parsed: readonly Act[], sight: Sight): Judgement {
  // What a program only perhaps does with its words is part of what was approved about it.
  const sure = parsed.filter(({isSure}) => isSure);
  // A text that some program may run and nobody can read: to approve a whole tool is not to approve that.
  const isDoubtful = parsed.some(({kind, isSure}) => kind === 'unseen' && !isSure);
  const usable = isDoubtful ? approve.filter(rule => rule.conditions.every(({kind}) => kind !== 'tool')) : approve;
  const by = sure.map(act => usable.find(rule => approves(rule, act, sight)));
  const [first] = by;
  const missing = sure[by.indexOf(undefined)];
  if (first === undefined || missing !== undefined) {
    const reason =
      missing?.kind === 'unseen'
        ? `it is not understood: ${missing.why}`
        : 'no entry of the charter approves all of it';
    return {decision: 'ask-default', rule: undefined, reason, parsed};
  }
  const [open] = unread;
  if (open !== undefined)
    return {
      decision: 'ask-default',
      rule: undefined,
      reason: `nothing is approved while nobody understands: ${open}`,
      parsed,
    };
  return {
    decision: 'approve',
    rule: first.name,
    reason: `the charter approves: ${[...new Set(by)].map(rule => rule?.name).join(', ')}`,
    parsed,
  };
}
