import type {Figures, Limits} from '@switchyard/shared/policy/budget.ts';
import {usdOfMicros} from '@switchyard/shared/policy/money.ts';

type View<Money, Count> = {readonly cost_usd: Money; readonly tokens: Count; readonly turns: Count};

/** As people read it: dollars in place of their millionths. */
export const figuresView = ({cost_micros, tokens, turns}: Figures): View<string, number> => ({
  cost_usd: usdOfMicros(cost_micros),
  tokens,
  turns,
});

export const limitsView = ({cost_micros, tokens, turns}: Limits): View<string | null, number | null> => ({
  cost_usd: cost_micros === null ? null : usdOfMicros(cost_micros),
  tokens,
  turns,
});
