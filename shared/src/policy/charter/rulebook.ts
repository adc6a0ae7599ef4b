import type {Condition, Rule} from './condition.ts';
import {conditionsOf, nearest, type Side} from './sentence.ts';

/** An entry as it stands in a charter: a sentence, or a rule in our own form. */
export type Entry =
  | string
  | {readonly name: string; readonly conditions: readonly Condition[]; readonly reason?: string | undefined};

export type Heuristics = {
  readonly autoApprove: readonly Entry[];
  readonly alwaysReject: readonly Entry[];
  readonly escalate: readonly Entry[];
};

/** The rules that a charter means, and the refusals in it that nobody understands. */
export type Rulebook = {
  readonly reject: readonly Rule[];
  readonly escalate: readonly Rule[];
  readonly approve: readonly Rule[];
  /** While one is left nothing is approved: what it was meant to refuse could be approved by mistake. */
  readonly unread: readonly string[];
};

export type Finding = {
  readonly list: keyof Heuristics | 'hardConstraints';
  readonly entry: string;
  /**
   * An approval that is not understood approves nothing; a refusal that is not understood protects nobody. A constraint
   * is told to agents either way.
   */
  readonly severity: 'error' | 'warning';
  readonly nearest: readonly string[];
};

const sides = {alwaysReject: 'refusal', escalate: 'refusal', autoApprove: 'approval'} as const satisfies Record<
  keyof Heuristics,
  Side
>;

/** `constraints` are refusals where a rule understands them, and no more than words where none does. */
export function rulebookOf(heuristics: Heuristics, constraints: readonly Entry[] = []): Rulebook {
  const rules = (entries: readonly Entry[], side: Side): readonly Rule[] =>
    entries.flatMap(entry => ruleOf(entry, side) ?? []);
  return {
    reject: [...rules(heuristics.alwaysReject, 'refusal'), ...rules(constraints, 'refusal')],
    escalate: rules(heuristics.escalate, 'refusal'),
    approve: rules(heuristics.autoApprove, 'approval'),
    unread: lint(heuristics)
      .filter(({severity}) => severity === 'error')
      .map(({entry}) => entry),
  };
}

function ruleOf(entry: Entry, side: Side): Rule | undefined {
  if (typeof entry !== 'string') return entry;
  const conditions = conditionsOf(entry, side);
  return conditions === undefined ? undefined : {name: entry, conditions};
}

/** Every entry that no rule understands, with those that are most like it. */
export function lint(heuristics: Heuristics, constraints: readonly Entry[] = []): readonly Finding[] {
  const lists = (['alwaysReject', 'escalate', 'autoApprove'] as const).map(list => ({
    list,
    entries: heuristics[list],
    side: sides[list],
    severity: sides[list] === 'refusal' ? ('error' as const) : ('warning' as const),
  }));
  const told = {list: 'hardConstraints', entries: constraints, side: 'refusal', severity: 'warning'} as const;
  return [...lists, told].flatMap(({list, entries, side, severity}) =>
    entries.flatMap((entry): readonly Finding[] => {
      if (typeof entry !== 'string' || conditionsOf(entry, side) !== undefined) return [];
      return [{list, entry, severity, nearest: nearest(entry, side)}];
    }),
  );
}
