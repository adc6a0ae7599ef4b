import {microsOfUsd} from '../policy/money.ts';
import {left, noFigures, noLimits, smallest, type Figures, type Limits} from '../policy/budget.ts';
import type {Spent} from '../protocol/spending.ts';
import type {TaskSpec} from './task-spec.ts';

/** In the units that budgets count in. */
export function figuresOf({cost_micros, turns, ...tokens}: Spent): Figures {
  const {input_tokens, output_tokens, cache_read_tokens, cache_write_tokens} = tokens;
  return {
    cost_micros,
    tokens: input_tokens + output_tokens + cache_read_tokens + cache_write_tokens,
    turns,
  };
}

type StatedLimits = {
  readonly tokens_max?: number | null | undefined;
  readonly cost_usd_max?: string | null | undefined;
  readonly turns_max?: number | null | undefined;
};

export function limitsOf({tokens_max, cost_usd_max, turns_max}: StatedLimits): Limits {
  return {
    cost_micros: typeof cost_usd_max === 'string' ? microsOfUsd(cost_usd_max) : null,
    tokens: tokens_max ?? null,
    turns: turns_max ?? null,
  };
}

/** What was spent before an attempt began. */
export type SpentBefore = {
  /** By all earlier attempts of the task. */
  readonly task: Figures;
  /** By those of them whose session this one goes on with: it is the same work, so it counts as if it were one attempt. */
  readonly session: Figures;
};

/** What the task itself lets this attempt spend. */
export function ownLimits({budget, agent}: Pick<TaskSpec, 'budget' | 'agent'>, {task, session}: SpentBefore): Limits {
  const total = left(limitsOf(budget?.total ?? {}), task, noFigures);
  const each = smallest([limitsOf(budget ?? {}), {...noLimits, turns: agent.turns_max ?? null}]);
  return smallest([left(each, session, noFigures), total]);
}
