import * as z from 'zod';
import {runnerIdSchema} from '../domain/id.ts';
import {limits} from '../policy/limits.ts';
import {askSchema, askWithdrawnSchema} from './ask-message.ts';
import {attemptPhaseSchema, attemptRef, bootMs, heldAttemptSchema, slotsSchema} from './attempt-message.ts';
import {reportedErrorCodeSchema} from './exit-record.ts';
import {resourcesSchema} from './resources.ts';
import {figuresSchema, spentSchema} from './spending.ts';

/** Messages from the runner to the Fleet. All are safe to send again: the answers are idempotent. */

export const helloSchema = z.strictObject({
  t: z.literal('hello'),
  runner: runnerIdSchema,
  /** Chosen by the runner for each connection; the newest session wins. */
  session: z.string().min(8).max(64),
  /** Ed25519 over the UTF-8 text `switchyard-hello\n<nonce>\n<runner>\n<session>`, base64url. */
  sig: z.string().max(200),
  version: z.string().max(40),
  protocols: z.array(z.int()).min(1).max(16),
  boot_id: z.string().max(100),
  lease_class: z.enum(['standard', 'patient']),
  slots: slotsSchema,
  labels: z.array(z.string().max(100)).max(limits.labelsMax),
  inventory: z.array(heldAttemptSchema).max(limits.slotsMax * 4),
  ts: bootMs,
});
export type Hello = z.infer<typeof helloSchema>;

export const acceptSchema = z.strictObject({t: z.literal('accept'), ...attemptRef, ts: bootMs});

export const rejectSchema = z.strictObject({
  t: z.literal('reject'),
  ...attemptRef,
  code: reportedErrorCodeSchema,
  detail: z.string().max(2_000),
  /** True: another runner, or this one later, may take it. False: the task fails. */
  retryable: z.boolean(),
});

/** An inventory: only what it names is renewed. */
export const renewSchema = z.strictObject({
  t: z.literal('renew'),
  ts: bootMs,
  slots: slotsSchema,
  items: z.array(heldAttemptSchema).max(limits.slotsMax * 4),
});

export const phaseSchema = z.strictObject({
  t: z.literal('phase'),
  ...attemptRef,
  seq: z.int().nonnegative(),
  phase: attemptPhaseSchema,
  detail: z.string().max(500),
});

/** Something the agent did or said, as its driver understood it: progress, a tool call, tokens. */
export const agentEventSchema = z.strictObject({
  t: z.literal('event'),
  ...attemptRef,
  seq: z.int().nonnegative(),
  kind: z.string().regex(/^[a-z][a-z_.]{0,59}$/),
  data: z.json(),
});

/** `record` is the compact JWS of an `ExitRecord`; sent again until `exit_ack`. */
export const exitSchema = z.strictObject({
  t: z.literal('exit'),
  ...attemptRef,
  record: z.string().max(limits.exitRecordCharactersMax),
});

export const drainingSchema = z.strictObject({t: z.literal('draining'), held: z.int().nonnegative()});

export const inputAckSchema = z.strictObject({
  t: z.literal('input_ack'),
  ...attemptRef,
  seq: z.int().nonnegative(),
  /** False when the agent takes no input (any more). */
  delivered: z.boolean(),
});

/** What an attempt has spent so far, with every renewal and when its slice of a budget is nearly spent. */
export const spendingSchema = z.strictObject({
  t: z.literal('spending'),
  ...attemptRef,
  spent: spentSchema,
  /** How far the slice should reach, by totals; null where it is large enough. */
  wants: figuresSchema.nullable(),
});

export const metricsSchema = z.strictObject({
  t: z.literal('metrics'),
  load1: z.number().nonnegative(),
  memory_free_bytes: z.number().nonnegative(),
  disk_free_bytes: z.number().nonnegative(),
  rss_bytes: z.number().nonnegative(),
  /** Of each attempt whose agent runs. */
  attempts: z
    .array(z.strictObject({...attemptRef, ...resourcesSchema.shape}))
    .max(limits.slotsMax * 4)
    .optional(),
});

export const upMessageSchema = z.discriminatedUnion('t', [
  helloSchema,
  acceptSchema,
  rejectSchema,
  renewSchema,
  phaseSchema,
  agentEventSchema,
  exitSchema,
  drainingSchema,
  inputAckSchema,
  metricsSchema,
  askSchema,
  askWithdrawnSchema,
  spendingSchema,
]);
export type UpMessage = z.infer<typeof upMessageSchema>;
