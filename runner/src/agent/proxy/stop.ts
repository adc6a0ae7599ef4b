import * as z from 'zod';
import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import {saidUsageLimit} from './usage-limit.ts';

/** Why the proxy lets no more requests of an attempt through, or the provider answers none. */
export const stopSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('budget'),
    /** `own`: that of the task itself. `slice`: that of its team, which may go on later. */
    by: z.enum(['own', 'slice']),
    why: z.string().max(1_000),
  }),
  /** The provider said when it takes requests again, in milliseconds since 1970. */
  z.strictObject({kind: z.literal('usage_limit'), untilMs: z.number(), why: z.string().max(1_000)}),
]);
export type Stop = z.output<typeof stopSchema>;

/** A usage limit as a stop. */
export function usageLimitStop(untilMs: number): Stop {
  return {kind: 'usage_limit', untilMs, why: `the provider takes requests again at ${new Date(untilMs).toISOString()}`};
}

/**
 * What a stop means for an attempt whose agent failed, whatever the agent says of it: a spent budget of the task is final;
 * a spent budget of the team and a usage limit of the provider let the task wait, and go on by itself.
 */
export function stopResult(stop: Stop, nowMs: number): AttemptResult {
  if (stop.kind === 'budget')
    return {kind: 'failed', code: 'budget_spent', detail: stop.why, retryable: stop.by === 'slice'};
  return {
    kind: 'failed',
    code: 'usage_limited',
    detail: stop.why,
    retryable: true,
    retry_after_ms: Math.max(0, Math.ceil(stop.untilMs - nowMs)),
  };
}

/** The failure of an agent that asked its model without our proxy: what it says of a usage limit is all that is known. */
export function limitedResult(result: AttemptResult, nowMs: number): AttemptResult {
  if (result.kind !== 'failed' || result.code !== 'model_unavailable') return result;
  const untilMs = saidUsageLimit(result.detail, nowMs);
  return untilMs === undefined ? result : stopResult(usageLimitStop(untilMs), nowMs);
}
