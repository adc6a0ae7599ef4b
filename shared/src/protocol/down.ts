import * as z from 'zod';
import {limits} from '../policy/limits.ts';
import {answerSchema} from './ask-message.ts';
import {attemptRef, bootMs} from './attempt-message.ts';
import {publicKeySchema} from './public-key.ts';
import {figuresSchema, limitsSchema} from './spending.ts';

/** Messages from the Fleet to the runner. */

export const challengeSchema = z.strictObject({t: z.literal('challenge'), nonce: z.string().min(16).max(100)});

/** Every time the runner keeps comes from here; none is compiled in. */
export const leaseConfigSchema = z.strictObject({
  ttl_ms: z.int().positive(),
  renew_ms: z.int().positive(),
  grace_ms: z.int().positive(),
  offer_ms: z.int().positive(),
  soft_stop_ms: z.int().nonnegative(),
  hard_kill_ms: z.int().nonnegative(),
});
export type LeaseConfig = z.infer<typeof leaseConfigSchema>;

/** `keep`: go on. `kill`: not yours any more. `send_exit`: the server waits for its exit. `forget`: the exit is in. */
export const verdictSchema = z.strictObject({...attemptRef, verdict: z.enum(['keep', 'kill', 'send_exit', 'forget'])});
export type Verdict = z.infer<typeof verdictSchema>;

export const welcomeSchema = z.strictObject({
  t: z.literal('welcome'),
  session: z.string().max(64),
  protocol: z.int(),
  /** The server's wall clock: the runner judges expiry of envelopes by it, never by its own. */
  server_time_ms: z.int(),
  config: leaseConfigSchema,
  verdicts: z.array(verdictSchema).max(limits.slotsMax * 4),
  /** The `ts` of the hello. What `keep` names is renewed as of it. */
  echo: bootMs,
});
export type Welcome = z.infer<typeof welcomeSchema>;

/** `envelope` is a compact JWS (`typ` switchyard-dispatch+jws); nothing outside it is trusted. */
export const offerSchema = z.strictObject({
  t: z.literal('offer'),
  ...attemptRef,
  envelope: z.string().max(limits.envelopeCharactersMax),
  expires_in_ms: z.int().positive(),
});
export type Offer = z.infer<typeof offerSchema>;

/** The only message on which an attempt starts. `echo` is the `ts` of the accept. */
export const goSchema = z.strictObject({
  t: z.literal('go'),
  ...attemptRef,
  echo: bootMs,
  /** Opens the log of this attempt; worthless for any other. */
  log_ticket: z.string().max(500),
});

export const goneSchema = z.strictObject({t: z.literal('gone'), ...attemptRef, why: z.string().max(200)});

export const renewedSchema = z.strictObject({
  t: z.literal('renewed'),
  items: z.array(z.strictObject(attemptRef)).max(limits.slotsMax * 4),
  echo: bootMs,
});

export const exitAckSchema = z.strictObject({t: z.literal('exit_ack'), ...attemptRef});

/** The exit could not be taken: the reason says what must come first. The runner corrects it and sends it again. */
export const exitNackSchema = z.strictObject({
  t: z.literal('exit_nack'),
  ...attemptRef,
  why: z.enum(['log_incomplete', 'bad_signature', 'invalid']),
});

export const cancelSchema = z.strictObject({
  t: z.literal('cancel'),
  ...attemptRef,
  grace_ms: z.int().nonnegative(),
  reason: z.string().max(500),
});

/** A message of a person to a running agent. `seq` makes its delivery idempotent. */
export const inputSchema = z.strictObject({
  t: z.literal('input'),
  ...attemptRef,
  seq: z.int().nonnegative(),
  data: z.string().max(limits.messageCharactersMax),
  /** The agent leaves what it is doing for it, instead of hearing of it in its own time. */
  interrupt: z.literal(true).optional(),
});

/** Answers `spending` where a budget holds: the slice of the attempt, by totals, from now on. */
export const allowanceMessageSchema = z.strictObject({
  t: z.literal('allowance'),
  ...attemptRef,
  slice: limitsSchema,
  /** The question that this answers; null where nothing was asked. */
  wants: figuresSchema.nullable(),
});

/** A budget that this attempt counts for is spent so far; said once for each step, to be written into its log. */
export const budgetWarningSchema = z.strictObject({
  t: z.literal('budget_warning'),
  ...attemptRef,
  budget: z.string().max(100),
  percent: z.int().nonnegative(),
});

export const drainSchema = z.strictObject({t: z.literal('drain')});
export const resumeSchema = z.strictObject({t: z.literal('resume')});
/** `x` is the key of this runner from now on: it connects again with it. The one before is good for a while. */
export const rotateSchema = z.strictObject({t: z.literal('rotate'), x: publicKeySchema});
export const serverDrainSchema = z.strictObject({t: z.literal('server_drain'), after_ms: z.int().nonnegative()});

export const downMessageSchema = z.discriminatedUnion('t', [
  challengeSchema,
  welcomeSchema,
  offerSchema,
  goSchema,
  goneSchema,
  renewedSchema,
  exitAckSchema,
  exitNackSchema,
  cancelSchema,
  inputSchema,
  drainSchema,
  resumeSchema,
  rotateSchema,
  serverDrainSchema,
  answerSchema,
  allowanceMessageSchema,
  budgetWarningSchema,
]);
export type DownMessage = z.infer<typeof downMessageSchema>;
