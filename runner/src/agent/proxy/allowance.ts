import {addUsage, noUsage, totalTokens, type Usage} from './usage-reader.ts';

/** What an attempt may still spend; null where nothing limits it. */
export type Budget = {readonly tokensMax: number | null; readonly turnsMax: number | null};

/** What an attempt has spent, and what answers that are still on their way may cost. */
export type Spending = {
  readonly usage: Usage;
  readonly turns: number;
  readonly reservedTokens: number;
  readonly reservedTurns: number;
};

export const nothingSpent: Spending = {usage: noUsage, turns: 0, reservedTokens: 0, reservedTurns: 0};

export type Reservation =
  | {readonly allowed: true; readonly spending: Spending}
  | {readonly allowed: false; readonly why: string};

/**
 * Sets aside what one request may cost, so that requests at the same time do not pass the limit together. Refused as
 * soon as what was spent and set aside reaches the limit: one request may pass it, by what its estimate was short of.
 */
export function reserve(spending: Spending, {tokensMax, turnsMax}: Budget, estimate: number): Reservation {
  const tokens = totalTokens(spending.usage) + spending.reservedTokens;
  if (tokensMax !== null && tokens >= tokensMax)
    return {allowed: false, why: `token budget reached (${tokens}/${tokensMax})`};
  const turns = spending.turns + spending.reservedTurns;
  if (turnsMax !== null && turns >= turnsMax)
    return {allowed: false, why: `turn budget reached (${turns}/${turnsMax})`};
  return {
    allowed: true,
    spending: {
      ...spending,
      reservedTokens: spending.reservedTokens + estimate,
      reservedTurns: spending.reservedTurns + 1,
    },
  };
}

/** Gives back what was set aside and counts what it really was; an answer without tokens was no turn. */
export function settle(spending: Spending, estimate: number, used: Usage): Spending {
  return {
    usage: addUsage(spending.usage, used),
    turns: spending.turns + (totalTokens(used) > 0 ? 1 : 0),
    reservedTokens: Math.max(0, spending.reservedTokens - estimate),
    reservedTurns: Math.max(0, spending.reservedTurns - 1),
  };
}
