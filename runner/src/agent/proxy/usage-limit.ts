import * as z from 'zod';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';

/** A refusal of a provider: its status, its headers and the beginning of what it wrote. */
export type RefusedAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
};

const bodySchema = z.looseObject({
  error: z.looseObject({
    type: z.string().nullish().catch(null),
    /** Codex with a ChatGPT plan: seconds since 1970, or from now on. */
    resets_at: z.number().nullish().catch(null),
    resets_in_seconds: z.number().nullish().catch(null),
    /** google.rpc.RetryInfo: `retryDelay` is a count of seconds with an s. */
    details: z
      .array(z.looseObject({retryDelay: z.string().nullish().catch(null)}))
      .nullish()
      .catch(null),
  }),
});

/**
 * When the provider takes requests again, in milliseconds since 1970 by the clock of this machine, where its refusal
 * says so and the wait is too long for the agent to sit through. A usage limit without a time is looked at again after a
 * while; any other refusal without one, such as that of an empty account, is undefined: nobody knows when it ends.
 */
export function usageLimitOf(answer: RefusedAnswer, nowMs: number): number | undefined {
  if (answer.status !== 429) return undefined;
  const providerMs = providerNowMs(answer, nowMs);
  const waits = [...headerTimes(answer, providerMs), ...bodyTimes(answer.text, providerMs)].map(
    time => time - providerMs,
  );
  const known = waits.filter(waitMs => waitMs >= limits.usageLimitMinMs);
  if (known.length > 0) return nowMs + Math.min(Math.max(...known), limits.usageLimitMaxMs);
  return waits.length === 0 && saysUsageLimit(answer.text) ? nowMs + limits.usageLimitUnknownMs : undefined;
}

/** The same of what an agent says that asks its model without our proxy. */
export function saidUsageLimit(text: string, nowMs: number): number | undefined {
  if (!saysUsageLimit(text)) return undefined;
  const [untilMs] = textTimes(text);
  const waitMs = untilMs === undefined ? limits.usageLimitUnknownMs : untilMs - nowMs;
  return nowMs + Math.min(Math.max(waitMs, limits.usageLimitMinMs), limits.usageLimitMaxMs);
}

const saysUsageLimit = (text: string): boolean => /\busage limit\b/i.test(text);

/** Claude Code writes the end of a limit behind its sentence: `Claude AI usage limit reached|1750000000`. */
function* textTimes(text: string): Generator<number> {
  const [, seconds] = /\busage limit reached\|(\d{9,11})\b/i.exec(text) ?? [];
  if (seconds !== undefined) yield Number(seconds) * 1_000;
}

/** Times that a provider names are by its own clock, which it says in each answer: the clock of this machine may be wrong. */
function providerNowMs({headers}: RefusedAnswer, nowMs: number): number {
  const {date} = headers;
  const said = typeof date === 'string' ? Date.parse(date) : Number.NaN;
  return Number.isNaN(said) ? nowMs : said;
}

function* headerTimes({headers}: RefusedAnswer, nowMs: number): Generator<number> {
  const header = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  const after = header('retry-after');
  if (after !== undefined && /^\d{1,9}$/.test(after)) yield nowMs + Number(after) * 1_000;
  else if (after !== undefined && !Number.isNaN(Date.parse(after))) yield Date.parse(after);
  const afterMs = header('retry-after-ms');
  if (afterMs !== undefined && /^\d{1,12}$/.test(afterMs)) yield nowMs + Number(afterMs);
  // Of a subscription: it says so although another window of it is still open.
  const unified = header('anthropic-ratelimit-unified-reset');
  if (unified !== undefined && header('anthropic-ratelimit-unified-status') !== 'allowed' && /^\d{9,11}$/.test(unified))
    yield Number(unified) * 1_000;
}

function* bodyTimes(text: string, nowMs: number): Generator<number> {
  yield* textTimes(text);
  const read = bodySchema.safeParse(parseJson(text));
  if (!read.success) return;
  const {resets_at: at, resets_in_seconds: inSeconds, details} = read.data.error;
  if (typeof at === 'number') yield at * 1_000;
  if (typeof inSeconds === 'number') yield nowMs + inSeconds * 1_000;
  for (const {retryDelay} of details ?? []) {
    const seconds = /^(?<seconds>\d{1,9}(?:\.\d+)?)s$/.exec(retryDelay ?? '')?.groups?.['seconds'];
    if (seconds !== undefined) yield nowMs + Number(seconds) * 1_000;
  }
}
