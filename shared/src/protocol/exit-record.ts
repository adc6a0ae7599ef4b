import * as z from 'zod';
import {utf8} from '../crypto/bytes.ts';
import {errorCodes, isErrorCode} from '../domain/error.ts';
import {runnerIdSchema} from '../domain/id.ts';
import {limits} from '../policy/limits.ts';
import {askIdSchema} from './ask-message.ts';
import {attemptRef} from './attempt-message.ts';
import {resourcesSchema} from './resources.ts';
import {spentSchema} from './spending.ts';

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
const gitSha = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);

/** One of our codes: what the API answers with. */
export const errorCodeSchema = z.enum(Object.keys(errorCodes).filter(isErrorCode)).meta({id: 'ErrorCode'});

/**
 * A code as a runner reports it. A newer runner may know one that we do not: its report counts all the same, as
 * `internal`, because a refused report would be sent again for ever.
 */
export const reportedErrorCodeSchema = z.string().transform(code => (isErrorCode(code) ? code : 'internal'));

/** How an attempt ended, as the runner saw it: the driver's result and the evidence, never the exit code alone. */
export const attemptResultSchema = z.discriminatedUnion('kind', [
  z.strictObject({kind: z.literal('succeeded'), summary: z.string().max(20_000).optional()}),
  z.strictObject({
    kind: z.literal('failed'),
    code: reportedErrorCodeSchema,
    detail: z.string().max(4_000),
    /** False where the same attempt would fail again: the task ends at once. */
    retryable: z.boolean(),
    retry_after_ms: z.int().nonnegative().optional(),
  }),
  z.strictObject({kind: z.literal('timed_out')}),
  z.strictObject({kind: z.literal('cancelled')}),
  /** The runner was stopped on purpose: the task goes back to the queue and no attempt is burnt. */
  z.strictObject({kind: z.literal('interrupted'), detail: z.string().max(1_000)}),
  /** The agent was put off with these asks: its session waits on the machine, and no attempt is burnt. */
  z.strictObject({kind: z.literal('waiting'), asks: z.array(askIdSchema).min(1).max(limits.asksOpenMax)}),
]);
export type AttemptResult = z.infer<typeof attemptResultSchema>;

const conflictCommitsSchema = z
  .array(z.strictObject({sha: gitSha, subject: z.string().max(120)}))
  .max(limits.conflictCommitsMax);

/** What became of a rebase that the task asked for. After a conflict the branch is as it was. */
export const rebaseSchema = z.strictObject({
  outcome: z.enum(['up_to_date', 'rebased', 'conflict']),
  onto_sha: gitSha,
  conflicts: z
    .array(z.strictObject({path: z.string().max(400), ours: conflictCommitsSchema, theirs: conflictCommitsSchema}))
    .max(limits.conflictsMax),
  /** Files beyond those that are named. */
  conflicts_more: z.int().nonnegative(),
});
export type RebaseEvidence = z.infer<typeof rebaseSchema>;

export const gitEvidenceSchema = z.strictObject({
  base_sha: gitSha,
  head_sha: gitSha,
  branch: z.string().max(255),
  commits: z.int().nonnegative(),
  files_changed: z.int().nonnegative(),
  insertions: z.int().nonnegative(),
  deletions: z.int().nonnegative(),
  pushed: z.boolean(),
  rebase: rebaseSchema.optional(),
});
export type GitEvidence = z.infer<typeof gitEvidenceSchema>;

/**
 * What an agent stated as the outcome of its role. Its runner has read it by the schema of that role and version; here it
 * counts as it is, so that a runner with later prompts can report what came of them.
 */
export const statedOutcomeSchema = z
  .looseObject({event: z.string().max(100)})
  .refine(outcome => utf8(JSON.stringify(outcome)).length <= limits.outcomeBytesMax, 'the outcome is too long')
  .meta({id: 'StatedOutcome'});
export type StatedOutcome = z.infer<typeof statedOutcomeSchema>;

/** `prompt` is role and version, such as `coding@1.0.0`. */
export const toldRoleSchema = z.strictObject({
  prompt: z.string().max(100),
  outcome: statedOutcomeSchema.nullable(),
});
export type ToldRole = z.infer<typeof toldRoleSchema>;

/**
 * The payload that the runner signs (compact JWS, EdDSA, `typ` switchyard-exit+jws): provenance of a result. An exit is
 * accepted only with `log_receipt`, the TaskLog's word that it holds exactly these bytes; an empty log needs none.
 */
export const exitRecordSchema = z.strictObject({
  ...attemptRef,
  runner: runnerIdSchema,
  result: attemptResultSchema,
  exit_code: z.int().nullable(),
  signal: z.string().max(20).nullable(),
  log_len: z.int().nonnegative(),
  log_sha256: sha256Hex,
  log_receipt: z.string().max(200).nullable(),
  log_dropped: z.int().nonnegative(),
  git: gitEvidenceSchema.nullable(),
  /** What the attempt spent on models; not stated by a runner of an older protocol. */
  spent: spentSchema.optional(),
  /** What its processes used, by the last sample; not stated where none was taken. */
  resources: resourcesSchema.optional(),
  /** Where the agent was told the prompt of a role: which one, and what it stated as its outcome. */
  role: toldRoleSchema.optional(),
  /** Milliseconds spent, by the runner's boot clock. */
  timings: z.strictObject({
    prepare_ms: z.number().nonnegative(),
    run_ms: z.number().nonnegative(),
    finish_ms: z.number().nonnegative(),
  }),
});
export type ExitRecord = z.infer<typeof exitRecordSchema>;
