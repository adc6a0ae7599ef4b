import * as z from 'zod';

/** 26 characters of Crockford's base 32 in lower case: 48 bits of milliseconds, 80 of randomness; sorts by time. */
const ULID = '[0-7][0-9a-hjkmnp-tv-z]{25}';
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

const idSchema = (prefix: string): z.ZodString =>
  z.string().regex(new RegExp(`^${prefix}_${ULID}$`), `expected ${prefix}_ and 26 characters`);

export const taskIdSchema = idSchema('tsk').brand<'TaskId'>();
export type TaskId = z.infer<typeof taskIdSchema>;

export const runnerIdSchema = idSchema('rnr').brand<'RunnerId'>();
export type RunnerId = z.infer<typeof runnerIdSchema>;

export const approvalIdSchema = idSchema('apr').brand<'ApprovalId'>();
export type ApprovalId = z.infer<typeof approvalIdSchema>;

/** A pool's name is part of tokens, of object names and of URLs. */
export const poolSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,38}[a-z0-9]$/, 'expected 2 to 40 of a-z, 0-9 and -, beginning with a letter')
  .brand<'Pool'>();
export type Pool = z.infer<typeof poolSchema>;

export const epochSchema = z.int().min(1);

/** Fills a buffer with random bytes, such as `crypto.getRandomValues`. */
export type RandomBytes = (length: number) => Uint8Array;

function ulid(nowMs: number, randomBytes: RandomBytes): string {
  if (!Number.isSafeInteger(nowMs) || nowMs < 0 || nowMs >= 2 ** 48)
    throw new RangeError(`${nowMs} is no time of an id`);
  let time = '';
  for (let rest = nowMs, index = 0; index < 10; index += 1, rest = Math.floor(rest / 32))
    time = ALPHABET[rest % 32] + time;
  return time + Array.from(randomBytes(16), byte => ALPHABET[byte % 32]).join('');
}

/** A new id; ids made in one millisecond differ in 80 random bits. Throws a `RangeError` for a time outside 48 bits. */
export function newTaskId(nowMs: number, randomBytes: RandomBytes): TaskId {
  return taskIdSchema.parse(`tsk_${ulid(nowMs, randomBytes)}`);
}

export function newRunnerId(nowMs: number, randomBytes: RandomBytes): RunnerId {
  return runnerIdSchema.parse(`rnr_${ulid(nowMs, randomBytes)}`);
}

export function newApprovalId(nowMs: number, randomBytes: RandomBytes): ApprovalId {
  return approvalIdSchema.parse(`apr_${ulid(nowMs, randomBytes)}`);
}

/** The branch on which one attempt works: a later attempt never shares it, so a stale agent can only push to its own. */
export function attemptBranch(task: string, epoch: number): string {
  return `switchyard/${task}/e${epoch}`;
}
