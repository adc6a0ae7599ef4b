/** After which a budget begins again, by UTC: weeks begin on Monday, `total` never ends. */
export const budgetPeriods = ['day', 'week', 'month', 'total'] as const;

/** And those that only charters speak of. */
export const knownPeriods = ['hour', ...budgetPeriods] as const;
export type BudgetPeriod = (typeof knownPeriods)[number];

const hourMs = 3_600_000;
const dayMs = 86_400_000;
const weekMs = 7 * dayMs;
/** 1 January 1970 was a Thursday. */
const mondayOffsetMs = 4 * dayMs;

/** When the period that holds this moment began, in milliseconds since 1970. */
export function periodStartMs(period: BudgetPeriod, nowMs: number): number {
  switch (period) {
    case 'hour':
      return nowMs - (nowMs % hourMs);
    case 'day':
      return nowMs - (nowMs % dayMs);
    case 'week':
      return nowMs - ((nowMs + weekMs - mondayOffsetMs) % weekMs);
    case 'month': {
      const now = new Date(nowMs);
      return Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1);
    }
    case 'total':
      return 0;
  }
}

/** When the next period begins; `Infinity` for a budget that never begins again. */
export function nextPeriodMs(period: BudgetPeriod, nowMs: number): number {
  const startMs = periodStartMs(period, nowMs);
  switch (period) {
    case 'hour':
      return startMs + hourMs;
    case 'day':
      return startMs + dayMs;
    case 'week':
      return startMs + weekMs;
    case 'month': {
      const start = new Date(startMs);
      return Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1);
    }
    case 'total':
      return Infinity;
  }
}

/** The day of a moment in UTC: `2026-11-20`. */
export function dayOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10);
}
