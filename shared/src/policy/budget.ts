/** What is counted: money in millionths of a dollar, tokens of every kind, answers of a model. */
export const spendingKinds = ['cost_micros', 'tokens', 'turns'] as const;
export type SpendingKind = (typeof spendingKinds)[number];

/** Who pays for what an agent spends: a plan that its owner is logged in to, or a key that is billed by what it uses. */
export const sources = ['subscription', 'api'] as const;
export type Source = (typeof sources)[number];

export type Figures = {readonly [Kind in SpendingKind]: number};

/** How far each kind may go; null where nothing limits it. */
export type Limits = {readonly [Kind in SpendingKind]: number | null};

export const noFigures: Figures = {cost_micros: 0, tokens: 0, turns: 0};
export const noLimits: Limits = {cost_micros: null, tokens: null, turns: null};

function each<Value>(of: (kind: SpendingKind) => Value): {readonly [Kind in SpendingKind]: Value} {
  return {cost_micros: of('cost_micros'), tokens: of('tokens'), turns: of('turns')};
}

export const addFigures = (a: Figures, b: Figures): Figures => each(kind => a[kind] + b[kind]);
export const subtractFigures = (a: Figures, b: Figures): Figures => each(kind => a[kind] - b[kind]);

/** Spending is reported in totals that only grow: an older report, or the same one again, adds nothing. */
export const growth = (known: Figures, reported: Figures): Figures =>
  each(kind => Math.max(0, reported[kind] - known[kind]));

export const isLimited = (limits: Limits): boolean => spendingKinds.some(kind => limits[kind] !== null);

/** The strictest of several. */
export function smallest(limits: readonly Limits[]): Limits {
  return each(kind => {
    const set = limits.map(limit => limit[kind]).filter(value => value !== null);
    return set.length === 0 ? null : Math.min(...set);
  });
}

/** What nobody has spent or may spend by now; never below 0, although a last answer may have passed a limit. */
export function left(limits: Limits, spent: Figures, reserved: Figures): Limits {
  return each(kind => {
    const limit = limits[kind];
    return limit === null ? null : Math.max(0, limit - spent[kind] - reserved[kind]);
  });
}

/** A part of limits, in percent, rounded down; nothing only of nothing. */
export const shareOf = (limits: Limits, percent: number): Limits =>
  each(kind => {
    const limit = limits[kind];
    if (limit === null) return null;
    return limit === 0 || percent === 0 ? 0 : Math.max(1, Math.floor((limit * percent) / 100));
  });

/** The kind that has nothing left; undefined while every limited kind has something. */
export function exhausted(rest: Limits): SpendingKind | undefined {
  return spendingKinds.find(kind => rest[kind] !== null && rest[kind] <= 0);
}

/** A slice is this part of what is left, so that many attempts can share a budget and the last ones get little. */
const SLICE_PART = 0.1;
/** Not less than this, so that a slice is good for a request: a cent, a short prompt, one answer. */
const SLICE_MIN: Figures = {cost_micros: 10_000, tokens: 10_000, turns: 1};

const portion = (kind: SpendingKind, rest: number): number =>
  Math.min(rest, Math.max(Math.ceil(rest * SLICE_PART), SLICE_MIN[kind]));

/** What an attempt may spend before it has to ask for more. `rest` is what is left of every budget that it counts for. */
export function firstSlice(rest: Limits): Limits {
  return each(kind => {
    const of = rest[kind];
    return of === null ? null : portion(kind, of);
  });
}

/**
 * A larger slice, by totals: `wanted` is how far the attempt wants to go, `spent` how far it has gone. A kind that reaches
 * far enough stays as it is, so the same question again changes nothing. One that no budget limits any more is set free,
 * and one that a budget has begun to limit starts with a slice beyond what was spent before.
 */
export function enlarge(
  granted: Limits,
  {spent, wanted}: {readonly spent: Figures; readonly wanted: Figures},
  rest: Limits,
): Limits {
  return each(kind => {
    const [has, of] = [granted[kind], rest[kind]];
    if (of === null) return null;
    if (has === null) return spent[kind] + portion(kind, of);
    return wanted[kind] <= has ? has : has + Math.min(of, Math.max(wanted[kind] - has, portion(kind, of)));
  });
}

/** What is set aside for an attempt: the part of its slice that it has not spent. */
export function outstanding(granted: Limits, spent: Figures): Figures {
  return each(kind => Math.max(0, (granted[kind] ?? 0) - spent[kind]));
}

/** Where a budget says that it is nearly spent, in percent. */
export const warningPercents = [50, 75, 90, 100] as const;
export type WarningPercent = (typeof warningPercents)[number];

/** By the kind that is nearest to its limit; whole percents, rounded down. */
export function percentSpent(limits: Limits, spent: Figures): number {
  return Math.max(
    0,
    ...spendingKinds.map(kind => {
      const limit = limits[kind];
      if (limit === 0) return 100;
      return limit === null ? 0 : Math.floor((spent[kind] / limit) * 100);
    }),
  );
}

/** The highest warning that is reached; 0 before the first. */
export function warningAt(percent: number): WarningPercent | 0 {
  return warningPercents.findLast(level => percent >= level) ?? 0;
}
