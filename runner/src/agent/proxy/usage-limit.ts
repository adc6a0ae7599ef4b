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
 * When the provider takes requests again, in milliseconds since 1970, where its refusal says so and the wait is too long
 * for the agent to sit through; undefined for anything else. A refusal that names no time, such as an empty account, is
 * none of these: nobody knows when it ends.
 */
export function usageLimitOf(answer: RefusedAnswer, nowMs: number): number | undefined {
  if (answer.status !== 429) return undefined;
  const known = [...headerTimes(answer, nowMs), ...bodyTimes(answer.text, nowMs)].filter(
    time => time - nowMs >= limits.usageLimitMinMs,
  );
  return known.length === 0 ? undefined : Math.max(...known);
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
