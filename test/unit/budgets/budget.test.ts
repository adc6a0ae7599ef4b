import fc from 'fast-check';
import {expect, test} from 'vitest';
import {ownLimits} from '@switchyard/shared/domain/spending.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {
  addFigures,
  enlarge,
  exhausted,
  firstSlice,
  growth,
  left,
  noFigures,
  noLimits,
  outstanding,
  percentSpent,
  spendingKinds,
  warningAt,
  type Figures,
  type Limits,
} from '@switchyard/shared/policy/budget.ts';
import {budgetPeriods, dayOf, nextPeriodMs, periodStartMs} from '@switchyard/shared/policy/budget-period.ts';

const amount = fc.integer({min: 0, max: 5_000_000});
const figures: fc.Arbitrary<Figures> = fc.record({cost_micros: amount, tokens: amount, turns: fc.nat(500)});
const limit = fc.option(fc.integer({min: 1, max: 5_000_000}), {nil: null});
const limits: fc.Arbitrary<Limits> = fc.record({cost_micros: limit, tokens: limit, turns: limit});

type Slice = {granted: Limits; spent: Figures};
type Step =
  | {readonly do: 'begin'}
  | {readonly do: 'ask'; readonly who: number; readonly more: Figures}
  | {readonly do: 'spend' | 'end' | 'repeat'; readonly who: number; readonly part: number};

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.constant({do: 'begin'} as const),
  fc.record({do: fc.constant('ask' as const), who: fc.nat(7), more: figures}),
  fc.record({
    do: fc.constantFrom('spend' as const, 'end' as const, 'repeat' as const),
    who: fc.nat(7),
    part: fc.integer({min: 0, max: 100}),
  }),
);

/** The attempts of one budget, as the Fleet keeps them: what was spent, and the slices of those that live. */
class Account {
  readonly limits: Limits;
  spent: Figures = noFigures;
  readonly live: Slice[] = [];

  constructor(of: Limits) {
    this.limits = of;
  }

  get reserved(): Figures {
    return this.live.reduce((sum, {granted, spent}) => addFigures(sum, outstanding(granted, spent)), noFigures);
  }

  get rest(): Limits {
    return left(this.limits, this.spent, this.reserved);
  }

  report(slice: Slice, reported: Figures): void {
    const more = growth(slice.spent, reported);
    slice.spent = addFigures(slice.spent, more);
    this.spent = addFigures(this.spent, more);
  }

  take(at: Step): void {
    if (at.do === 'begin') {
      if (exhausted(this.rest) === undefined) this.live.push({granted: firstSlice(this.rest), spent: noFigures});
      return;
    }
    const slice = this.live[at.who % Math.max(1, this.live.length)];
    if (slice === undefined) return;
    if (at.do === 'ask') {
      const wanted = addFigures(slice.spent, at.more);
      slice.granted = enlarge(slice.granted, {spent: slice.spent, wanted}, this.rest);
    } else if (at.do === 'end') {
      this.live.splice(this.live.indexOf(slice), 1);
    } else {
      const upTo = (kind: (typeof spendingKinds)[number]): number =>
        Math.floor(((slice.granted[kind] ?? 1_000) * at.part) / 100);
      const reported = {cost_micros: upTo('cost_micros'), tokens: upTo('tokens'), turns: upTo('turns')};
      this.report(slice, reported);
      if (at.do === 'repeat') this.report(slice, reported);
    }
  }
}

test('[BG9] what is set aside and what was spent never exceed the limit together, whatever attempts do', () => {
  fc.assert(
    fc.property(limits, fc.array(step, {maxLength: 60}), (of, steps) => {
      const account = new Account(of);
      for (const at of steps) {
        account.take(at);
        const all = addFigures(account.spent, account.reserved);
        for (const kind of spendingKinds) expect(all[kind]).toBeLessThanOrEqual(of[kind] ?? Infinity);
      }
      account.live.length = 0;
      expect(account.reserved).toEqual(noFigures);
    }),
  );
});

test('[BG9] while anything is left somebody gets something of it', () => {
  fc.assert(
    fc.property(limits, figures, (of, spent) => {
      const rest = left(of, spent, noFigures);
      fc.pre(exhausted(rest) === undefined);
      const slice = firstSlice(rest);
      for (const kind of spendingKinds) expect(slice[kind] ?? Infinity).toBeGreaterThan(0);
    }),
  );
});

test('[BG10] a question that was answered is answered the same way, and a slice never shrinks', () => {
  fc.assert(
    fc.property(limits, limits, figures, figures, (granted, rest, spent, wanted) => {
      const once = enlarge(granted, {spent, wanted}, rest);
      const again = enlarge(once, {spent, wanted}, rest);
      for (const kind of spendingKinds) expect(once[kind] ?? Infinity).toBeGreaterThanOrEqual(granted[kind] ?? 0);
      // What could not be given in full is given further when there is more.
      const answered = spendingKinds.filter(kind => (once[kind] ?? Infinity) >= wanted[kind]);
      expect(answered.map(kind => again[kind])).toEqual(answered.map(kind => once[kind]));
    }),
  );
});

test('[BG10] a report that was overtaken by a later one adds nothing', () => {
  fc.assert(
    fc.property(figures, figures, (a, more) => {
      expect(growth(addFigures(a, more), a)).toEqual(noFigures);
    }),
  );
});

test.for([
  {period: 'day', now: '2026-11-21T13:40:00Z', start: '2026-11-21', next: '2026-11-22'},
  {period: 'week', now: '2026-11-21T13:40:00Z', start: '2026-11-16', next: '2026-11-23'},
  {period: 'week', now: '2026-11-16T00:00:00Z', start: '2026-11-16', next: '2026-11-23'},
  {period: 'week', now: '2026-11-15T23:59:59.999Z', start: '2026-11-09', next: '2026-11-16'},
  {period: 'month', now: '2026-12-31T23:59:59.999Z', start: '2026-12-01', next: '2027-01-01'},
  {period: 'month', now: '2028-02-29T00:00:00Z', start: '2028-02-01', next: '2028-03-01'},
] as const)(
  '[BG11] the $period of $now begins on $start and ends with the day before $next',
  ({period, now, start, next}) => {
    expect(dayOf(periodStartMs(period, Date.parse(now)))).toBe(start);
    expect(nextPeriodMs(period, Date.parse(now))).toBe(Date.parse(next));
  },
);

test('[BG11] every moment lies in the period that begins before it and ends after it', () => {
  const moment = fc.integer({min: 0, max: Date.UTC(2100, 0, 1)});
  fc.assert(
    fc.property(fc.constantFrom(...budgetPeriods), moment, (period, nowMs) => {
      const [start, next] = [periodStartMs(period, nowMs), nextPeriodMs(period, nowMs)];
      expect(start).toBeLessThanOrEqual(nowMs);
      expect(next).toBeGreaterThan(nowMs);
      if (period === 'total') return;
      expect(periodStartMs(period, next)).toBe(next);
      expect(periodStartMs(period, next - 1)).toBe(start);
    }),
  );
});

test.for([
  [0, 0],
  [49, 0],
  [50, 50],
  [74, 50],
  [75, 75],
  [89, 75],
  [90, 90],
  [99, 90],
  [100, 100],
  [250, 100],
] as const)('[BG12] at %s percent the warning is that of %s', ([percent, warning]) => {
  expect(warningAt(percent)).toBe(warning);
});

test('[BG12] the kind that is nearest to its limit counts', () => {
  const of = {...noLimits, cost_micros: 1_000, tokens: 100};
  expect(percentSpent(of, {cost_micros: 10, tokens: 91, turns: 9_999})).toBe(91);
  expect(percentSpent(noLimits, {cost_micros: 10, tokens: 91, turns: 9_999})).toBe(0);
});

const spec = (budget: object, turns_max?: number) => taskSpecSchema.parse({prompt: 'x', agent: {turns_max}, budget});

const before = (task: Figures, session: Figures = noFigures) => ({task, session});

test('[BG4] an attempt may spend its own limit or what is left for all attempts, whichever is less', () => {
  const budget = {tokens_max: 100, cost_usd_max: '1.50', total: {tokens_max: 150, cost_usd_max: '9'}};
  expect(ownLimits(spec(budget), before(noFigures))).toEqual({cost_micros: 1_500_000, tokens: 100, turns: null});
  const spent = {cost_micros: 8_000_000, tokens: 120, turns: 3};
  expect(ownLimits(spec(budget), before(spent))).toEqual({cost_micros: 1_000_000, tokens: 30, turns: null});
  expect(ownLimits(spec(budget), before({...spent, tokens: 151}))).toMatchObject({tokens: 0});
});

test('[BG29] an attempt that goes on for one that waited has what that one left of the limits for each', () => {
  const spent = {cost_micros: 400_000, tokens: 60, turns: 2};
  const limits = ownLimits(spec({tokens_max: 100, cost_usd_max: '1'}, 3), before(spent, spent));
  expect(limits).toEqual({cost_micros: 600_000, tokens: 40, turns: 1});
  expect(ownLimits(spec({tokens_max: 50}), before(spent, spent))).toMatchObject({tokens: 0});
  const total = {tokens_max: 100, total: {tokens_max: 70}};
  expect(ownLimits(spec(total), before(spent, spent))).toMatchObject({tokens: 10});
});

test('[BG4] turns are bounded by the agent, the attempt and the task', () => {
  expect(ownLimits(spec({turns_max: 5}, 3), before(noFigures)).turns).toBe(3);
  expect(ownLimits(spec({turns_max: 2}, 3), before(noFigures)).turns).toBe(2);
  expect(ownLimits(spec({total: {turns_max: 4}}, 3), before({...noFigures, turns: 2})).turns).toBe(2);
});
