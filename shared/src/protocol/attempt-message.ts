import * as z from 'zod';
import {epochSchema, taskIdSchema} from '../domain/id.ts';

/** Every message about an attempt names it by these two; a lower epoch than the task's is answered with `gone`. */
export const attemptRef = {task: taskIdSchema, epoch: epochSchema};

/** Milliseconds of the runner's boot clock, opaque to the server: it only ever echoes them. */
export const bootMs = z.number().nonnegative();

export const attemptPhases = [
  'accepted',
  'preparing',
  'running',
  'finishing',
  'stopping',
  'exited',
  'reported',
] as const;
export const attemptPhaseSchema = z.enum(attemptPhases);
export type AttemptPhase = z.infer<typeof attemptPhaseSchema>;

export const heldAttemptSchema = z.strictObject({
  ...attemptRef,
  phase: attemptPhaseSchema,
  /** Bytes in the log spool of this attempt. */
  spool_len: z.int().nonnegative(),
});
export type HeldAttempt = z.infer<typeof heldAttemptSchema>;

/** Most attempts that this runner will hold, per class of slot. 0 while it drains. */
export const slotsSchema = z
  .record(z.string().min(1).max(40), z.int().min(0).max(256))
  .refine(slots => Object.keys(slots).length <= 16, 'at most 16 classes');
