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
  readonly list: keyof Heuristics;
  readonly entry: string;
  /** An approval that is not understood approves nothing; a refusal that is not understood protects nobody. */
  readonly severity: 'error' | 'warning';
  readonly nearest: readonly string[];
};

const sides = {alwaysReject: 'refusal', escalate: 'refusal', autoApprove: 'approval'} as const satisfies Record<
  keyof Heuristics,
  Side
>;

export function rulebookOf(heuristics: Heuristics): Rulebook {
  const rules = (list: keyof Heuristics): readonly Rule[] =>
    heuristics[list].flatMap(entry => ruleOf(entry, sides[list]) ?? []);
  return {
    reject: rules('alwaysReject'),
    escalate: rules('escalate'),
    approve: rules('autoApprove'),
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
export function lint(heuristics: Heuristics): readonly Finding[] {
  return (['alwaysReject', 'escalate', 'autoApprove'] as const).flatMap(list =>
    heuristics[list].flatMap((entry): readonly Finding[] => {
      if (typeof entry !== 'string' || conditionsOf(entry, sides[list]) !== undefined) return [];
      const severity = sides[list] === 'refusal' ? 'error' : 'warning';
      return [{list, entry, severity, nearest: nearest(entry, sides[list])}];
    }),
  );
}
