import * as z from 'zod';
import {limits} from '../policy/limits.ts';
import {attemptRef} from './attempt-message.ts';

/** What an agent asks has the id of its tool call: the same after a restart of anything, and after a resume. */
export const askIdSchema = z.string().min(1).max(200);

/**
 * The agent waits for a person, or for the Fleet itself. Sent again after every `welcome` until it is answered, so neither this nor the answer
 * needs an acknowledgement.
 */
export const askSchema = z.strictObject({
  t: z.literal('ask'),
  ...attemptRef,
  id: askIdSchema,
  /**
   * `permission`: whether the tool call may run. `question`: the input holds it, and the text of the answer is wanted.
   * `call`: a tool of the Fleet, which answers by itself and once for each id of an attempt; the input is whole.
   */
  kind: z.enum(['permission', 'question', 'call']),
  tool: z.string().max(200),
  /** JSON, without the secrets that the log would not show either, and cut where it is too long. */
  input: z.string().max(limits.askInputCharactersMax),
  reason: z.string().max(2_000),
  /** The entry of the charter that wants a person to decide. */
  rule: z.string().max(limits.charterEntryCharactersMax).nullable(),
  expires_in_ms: z.int().positive().max(limits.approvalTtlMaxMs),
});
export type AskMessage = z.infer<typeof askSchema>;

/** The agent does not wait for it any more, although its attempt goes on. */
export const askWithdrawnSchema = z.strictObject({t: z.literal('ask_withdrawn'), ...attemptRef, id: askIdSchema});
export type AskWithdrawnMessage = z.infer<typeof askWithdrawnSchema>;

/** What a person said, or that nobody did in time: then it is rejected by nobody. */
export const answerSchema = z.strictObject({
  t: z.literal('answer'),
  ...attemptRef,
  id: askIdSchema,
  decision: z.enum(['approve', 'reject', 'answer']),
  text: z.string().max(limits.messageCharactersMax),
  by: z.string().max(200).nullable(),
});
export type AnswerMessage = z.infer<typeof answerSchema>;
