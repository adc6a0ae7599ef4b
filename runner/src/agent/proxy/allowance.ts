import {costMicros} from '@switchyard/shared/policy/model-price.ts';
import {
  addFigures,
  growth,
  noFigures,
  spendingKinds,
  type Figures,
  type Limits,
  type SpendingKind,
} from '@switchyard/shared/policy/budget.ts';
import {addUsage, noUsage, totalTokens, type Usage} from './usage-reader.ts';

/**
 * What an attempt may still spend: `own` is what its task states, for this attempt and for what earlier ones left; `slice`
 * is what the control plane has set aside for it so far, and may enlarge.
 */
export type Budget = {readonly own: Limits; readonly slice: Limits};

/** What an attempt has spent with one model. */
export type ModelSpending = {readonly usage: Usage; readonly turns: number; readonly cost_micros: number};

/** What an attempt has spent, and what answers that are still on their way may cost. */
export type Spending = ModelSpending & {
  readonly models: Readonly<Record<string, ModelSpending>>;
  readonly reserved: Figures;
};

const nothing: ModelSpending = {usage: noUsage, turns: 0, cost_micros: 0};

export const nothingSpent: Spending = {...nothing, models: {}, reserved: noFigures};

/** In the units that budgets count in. */
export const spentFigures = ({usage, turns, cost_micros}: ModelSpending): Figures => ({
  cost_micros,
  tokens: totalTokens(usage),
  turns,
});

/** A request before it is sent: which model, and what it may use at most by a guess on the safe side. */
export type AskedRequest = {readonly model: string; readonly day: string; readonly estimate: Usage};

export type Reservation =
  | {readonly allowed: true; readonly spending: Spending}
  | {readonly allowed: false; readonly by: 'own' | 'slice'; readonly why: string};

const words: Readonly<Record<SpendingKind, string>> = {cost_micros: 'cost', tokens: 'token', turns: 'turn'};

/**
 * Sets aside what one request may cost, so that requests at the same time do not pass the limit together. Refused as
 * soon as what was spent and set aside reaches the limit: one request may pass it, by what its estimate was short of.
 */
export function reserve(spending: Spending, {own, slice}: Budget, request: AskedRequest): Reservation {
  const taken = takenBy(spending);
  for (const [by, limits] of [['own', own] as const, ['slice', slice] as const])
    for (const kind of spendingKinds) {
      const limit = limits[kind];
      if (limit !== null && taken[kind] >= limit)
        return {allowed: false, by, why: `${words[kind]} budget reached (${taken[kind]}/${limit})`};
    }
  return {allowed: true, spending: {...spending, reserved: addFigures(spending.reserved, estimated(request))}};
}

/** How far the slice would have to reach for this request; null where it does. */
export function wantedFor(spending: Spending, {slice}: Pick<Budget, 'slice'>, request: AskedRequest): Figures | null {
  const wanted = addFigures(takenBy(spending), estimated(request));
  return spendingKinds.some(kind => slice[kind] !== null && wanted[kind] > slice[kind]) ? wanted : null;
}

/** Gives back what was set aside and counts what it really was; an answer without tokens was no turn. */
export function settle(spending: Spending, request: AskedRequest, used: Usage): Spending {
  const {model, day} = request;
  const more = totalTokens(used) > 0 ? {usage: used, turns: 1, cost_micros: costMicros(model, day, used)} : nothing;
  return {
    ...added(spending, more),
    models: more.turns === 0 ? spending.models : withModel(spending.models, model, more),
    // What stays is set aside for others.
    reserved: growth(estimated(request), spending.reserved),
  };
}

/** An agent names its models itself; beyond this many they are counted together. */
const MODELS_MAX = 32;
const OTHER_MODELS = 'others';

function withModel(models: Spending['models'], model: string, more: ModelSpending): Spending['models'] {
  const isRoom = Object.hasOwn(models, model) || Object.keys(models).length < MODELS_MAX;
  const name = isRoom ? model : OTHER_MODELS;
  const before = Object.hasOwn(models, name) ? models[name] : undefined;
  return {...models, [name]: added(before ?? nothing, more)};
}

const added = (a: ModelSpending, b: ModelSpending): ModelSpending => ({
  usage: addUsage(a.usage, b.usage),
  turns: a.turns + b.turns,
  cost_micros: a.cost_micros + b.cost_micros,
});

const takenBy = (spending: Spending): Figures => addFigures(spentFigures(spending), spending.reserved);

const estimated = ({model, day, estimate}: AskedRequest): Figures => ({
  cost_micros: costMicros(model, day, estimate),
  tokens: totalTokens(estimate),
  turns: 1,
});
