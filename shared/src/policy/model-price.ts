/** Tokens of one answer. `input` is what was neither read from a cache nor written to one. */
export type TokenCounts = {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  /** The part of `cacheWrite` that is kept for an hour instead of minutes. */
  readonly cacheWriteLong: number;
};

/** Micro-dollars for a token, which is the same number as dollars for a million tokens. */
type Price = {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly cacheWriteLong: number;
};

type PricedModel = Price & {
  readonly model: RegExp;
  /** From this day on, UTC. Of several that match, the newest that has begun counts. */
  readonly since: string;
  /** Holds for requests whose prompt, caches included, has at least this many tokens. */
  readonly promptTokensMin: number;
};

type Row = readonly [
  model: RegExp,
  since: string,
  price: {
    readonly input: number;
    readonly output: number;
    readonly cacheRead?: number;
    readonly cacheWrite?: number;
    readonly cacheWriteLong?: number;
  },
  promptTokensMin?: number,
];

/** Anthropic bills a write that is kept for minutes at 1.25, and one that is kept for an hour at 2 times the input. */
const claude = (input: number, output: number, cacheRead: number): Row[2] => ({
  input,
  output,
  cacheRead,
  cacheWrite: input * 1.25,
  cacheWriteLong: input * 2,
});

/**
 * The list prices of providers as they were published up to 20 November 2026: platform.claude.com/docs/en/about-claude/
 * pricing, developers.openai.com/api/docs/pricing, ai.google.dev/gemini-api/docs/pricing, docs.x.ai. A cache price that is
 * not listed is that of the input.
 */
const rows: readonly Row[] = [
  [/^claude-(?:fable|mythos)-5-1\b/, '2026-01-01', claude(10, 50, 0.25)],
  [/^claude-(?:fable|mythos)-5(?!-\d\b)/, '2026-01-01', claude(10, 50, 1)],
  [/^claude-opus-5-5\b/, '2026-01-01', claude(4, 20, 0.2)],
  [/^claude-opus-(?:4-[5-9]|5)(?!-\d\b)/, '2025-11-01', claude(5, 25, 0.5)],
  [/^claude-(?:opus-4(?!-[5-9]\b)|3-opus)/, '2024-01-01', claude(15, 75, 1.5)],
  [/^claude-sonnet-5-5\b/, '2026-01-01', claude(2, 10, 0.2)],
  [/^claude-sonnet-5-5\b/, '2026-10-07', claude(2, 10, 0.1)],
  [/^claude-sonnet-5(?!-\d\b)/, '2026-01-01', claude(2, 10, 0.2)],
  [/^claude-(?:sonnet-4|3-[57]-sonnet)/, '2024-01-01', claude(3, 15, 0.3)],
  [/^claude-haiku-5-5\b/, '2026-10-07', claude(0.1, 0.5, 0.01)],
  [/^claude-haiku-5-5\b/, '2026-10-07', claude(0.5, 2.5, 0.05), 100_000],
  [/^claude-haiku-4-5\b/, '2025-10-01', claude(1, 5, 0.1)],
  [/^claude-3-5-haiku\b/, '2024-01-01', claude(0.8, 4, 0.08)],

  [/^gpt-6-astra\b/, '2026-09-03', {input: 10, output: 50, cacheRead: 1}],
  [/^gpt-6-sol\b/, '2026-09-22', {input: 2, output: 10, cacheRead: 0.2, cacheWrite: 2.5}],
  [/^gpt-6-luna\b/, '2026-09-22', {input: 0.1, output: 0.5, cacheRead: 0.01, cacheWrite: 0.125}],
  [/^gpt-5\.6(?:-sol\b|$)/, '2026-07-09', {input: 5, output: 30, cacheRead: 0.5, cacheWrite: 6.25}],
  [/^gpt-5\.6(?:-sol\b|$)/, '2026-07-09', {input: 10, output: 45, cacheRead: 1, cacheWrite: 12.5}, 272_000],
  [/^gpt-5\.6-terra\b/, '2026-07-30', {input: 2, output: 12, cacheRead: 0.2, cacheWrite: 2.5}],
  [/^gpt-5\.6-terra\b/, '2026-07-30', {input: 4, output: 18, cacheRead: 0.4, cacheWrite: 5}, 272_000],
  [/^gpt-5\.6-luna\b/, '2026-07-30', {input: 0.2, output: 1.2, cacheRead: 0.02, cacheWrite: 0.25}],
  [/^gpt-5\.6-luna\b/, '2026-07-30', {input: 0.4, output: 1.8, cacheRead: 0.04, cacheWrite: 0.5}, 200_000],
  [/^gpt-5\.5(?!-pro\b)/, '2026-04-01', {input: 5, output: 30, cacheRead: 0.5}],
  [/^gpt-5\.5(?!-pro\b)/, '2026-04-01', {input: 10, output: 45, cacheRead: 1}, 272_000],
  [/^gpt-5\.4(?!-(?:mini|nano|pro)\b)/, '2026-03-01', {input: 2.5, output: 15, cacheRead: 0.25}],
  [/^gpt-5\.4(?!-(?:mini|nano|pro)\b)/, '2026-03-01', {input: 5, output: 22.5, cacheRead: 0.5}, 272_000],
  [/^gpt-5\.4-mini\b/, '2026-03-01', {input: 0.75, output: 4.5, cacheRead: 0.075}],
  [/^gpt-5\.4-nano\b/, '2026-03-01', {input: 0.2, output: 1.25, cacheRead: 0.02}],
  [/^gpt-5\.[23](?!-pro\b)/, '2025-12-01', {input: 1.75, output: 14, cacheRead: 0.175}],
  [/^gpt-5(?:\.1)?(?:-codex)?(?:-\d{4}-\d{2}-\d{2})?$/, '2025-08-01', {input: 1.25, output: 10, cacheRead: 0.125}],
  [/^gpt-5-mini\b/, '2025-08-01', {input: 0.25, output: 2, cacheRead: 0.025}],
  [/^gpt-5\.2-pro\b/, '2025-12-01', {input: 21, output: 168}],

  [/^gemini-3\.1-pro\b/, '2026-02-01', {input: 2, output: 12, cacheRead: 0.2}],
  [/^gemini-3\.1-pro\b/, '2026-02-01', {input: 4, output: 18, cacheRead: 0.4}, 200_000],
  [/^gemini-3\.5-flash\b/, '2026-02-01', {input: 1.5, output: 9, cacheRead: 0.15}],
  [/^gemini-3\.[67]-flash\b/, '2026-02-01', {input: 0.75, output: 3.75, cacheRead: 0.075}],
  [/^gemini-2\.5-pro\b/, '2025-06-01', {input: 1.25, output: 10, cacheRead: 0.125}],
  [/^gemini-2\.5-pro\b/, '2025-06-01', {input: 2.5, output: 15, cacheRead: 0.25}, 200_000],
  [/^gemini-2\.5-flash(?!-lite)/, '2025-06-01', {input: 0.3, output: 2.5, cacheRead: 0.03}],
  [/^gemini-2\.5-flash-lite\b/, '2025-06-01', {input: 0.1, output: 0.4, cacheRead: 0.01}],

  [/^grok-4\.[56]\b/, '2026-06-01', {input: 2, output: 6, cacheRead: 0.5}],
  [/^grok-4\.[56]\b/, '2026-06-01', {input: 4, output: 12, cacheRead: 1}, 200_000],
  [/^deepseek-v4-flash\b/, '2026-04-01', {input: 0.14, output: 0.28, cacheRead: 0.0028}],
];

const priced: readonly PricedModel[] = rows.map(([model, since, price, promptTokensMin = 0]) => {
  const {input, output, cacheRead = input, cacheWrite = input, cacheWriteLong = cacheWrite} = price;
  return {model, since, promptTokensMin, input, output, cacheRead, cacheWrite, cacheWriteLong};
});

const most = (of: (price: Price) => number): number => Math.max(...priced.map(of));

/** What a model counts for that has no price here: nobody gets past a budget of money under a name that is new. */
const dearest: Price = {
  input: most(({input}) => input),
  output: most(({output}) => output),
  cacheRead: most(({cacheRead}) => cacheRead),
  cacheWrite: most(({cacheWrite}) => cacheWrite),
  cacheWriteLong: most(({cacheWriteLong}) => cacheWriteLong),
};

/**
 * What an answer cost, in whole micro-dollars, a broken one counted whole. `model` is its name as the provider takes it,
 * a vendor in front of it (`anthropic/claude-…`) left out; `day` is the day of the request in UTC, `2026-11-20`.
 */
export function costMicros(model: string, day: string, counts: TokenCounts): number {
  const {input, output, cacheRead, cacheWrite, cacheWriteLong} = priceOf(model, day, counts);
  const {input: read, output: written, cacheRead: cached, cacheWrite: kept, cacheWriteLong: keptLong} = counts;
  const cost =
    read * input + written * output + cached * cacheRead + (kept - keptLong) * cacheWrite + keptLong * cacheWriteLong;
  // What binary fractions add is less than this.
  return Math.max(0, Math.ceil(cost - 1e-4));
}

/** Whether a price is known, in place of the dearest one. */
export function isPriced(model: string): boolean {
  const name = bareName(model);
  return priced.some(each => each.model.test(name));
}

function priceOf(model: string, day: string, {input, cacheRead, cacheWrite}: TokenCounts): Price {
  const name = bareName(model);
  const promptTokens = input + cacheRead + cacheWrite;
  const known = priced.filter(each => each.model.test(name) && promptTokens >= each.promptTokensMin);
  const begun = known.filter(({since}) => since <= day);
  return newest(begun.length > 0 ? begun : known) ?? dearest;
}

function newest(prices: readonly PricedModel[]): Price | undefined {
  const [first, ...rest] = prices;
  return rest.reduce<PricedModel | undefined>(
    (best, each) =>
      best === undefined ||
      each.since > best.since ||
      (each.since === best.since && each.promptTokensMin > best.promptTokensMin)
        ? each
        : best,
    first,
  );
}

const bareName = (model: string): string => model.slice(model.lastIndexOf('/') + 1).toLowerCase();
