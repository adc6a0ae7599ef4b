/** What the charter of a machine lets its agents spend. */
export type TokenBudget = {
  /** Percent of each budget, by who pays. */
  readonly subscription?: number | undefined;
  readonly api?: number | undefined;
  /** Tokens, whoever pays. */
  readonly hourly?: number | undefined;
  readonly daily?: number | undefined;
};

const prefix = 'charter.';
const kinds = ['subscription', 'api', 'hourly', 'daily'] as const;

/** The labels with which a runner tells it to the control plane: they come with its hello, so that no offer comes before. */
export function tokenBudgetLabels(budget: TokenBudget): readonly string[] {
  return kinds.flatMap(kind => (budget[kind] === undefined ? [] : [`${prefix}${kind}=${budget[kind]}`]));
}

/** The same read back: the narrowest where something is said twice, and nothing of what cannot be read. */
export function tokenBudgetOf(labels: Iterable<string>): TokenBudget {
  const found: {-readonly [Kind in keyof TokenBudget]: TokenBudget[Kind]} = {};
  for (const label of labels) {
    const kind = kinds.find(each => label.startsWith(`${prefix}${each}=`));
    if (kind === undefined) continue;
    const value = valueOf(kind, label.slice(label.indexOf('=') + 1));
    if (value !== undefined) found[kind] = Math.min(value, found[kind] ?? Infinity);
  }
  return found;
}

function valueOf(kind: (typeof kinds)[number], text: string): number | undefined {
  const value = /^\d{1,15}(?:\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  const isPercent = kind === 'subscription' || kind === 'api';
  return (isPercent ? value <= 100 : Number.isSafeInteger(value) && value > 0) ? value : undefined;
}
