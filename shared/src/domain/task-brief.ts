import * as z from 'zod';
import {limits} from '../policy/limits.ts';
import {planSchema} from '../prompts/outcome.ts';

const line = z.string().min(1).max(500);
const prose = z.string().min(1).max(limits.briefTextCharactersMax);
const webAddress = z.url({protocol: /^https?$/}).max(2_048);
const entriesMax = limits.briefEntriesMax;

/**
 * What the prompt of a role tells its agent beside the task itself. Texts of people, of repositories and of other agents:
 * each reaches the agent as data that is fenced, none as an instruction.
 */
export const taskBriefSchema = z
  .strictObject({
    /** What a starter planned. */
    plan: planSchema.optional(),
    /** From the reviewer: then a change is mended instead of made. */
    review_feedback: prose.optional(),
    /** What an auditor looks at first. */
    focus_areas: z.array(line).max(entriesMax).optional(),
    pull_request: z.strictObject({number: z.int().min(1), url: webAddress}).optional(),
    /** Where the deployed thing answers. */
    url: webAddress.optional(),
    /** Titles of the tasks above this one, the nearest last. */
    ancestors: z.array(line).max(entriesMax).optional(),
    /** Titles of the tasks beside this one. */
    siblings: z.array(line).max(entriesMax).optional(),
    comments: z
      .array(z.strictObject({author: line, text: prose}))
      .max(entriesMax)
      .optional(),
    /** Other repositories that the work may be about. */
    repositories: z
      .array(z.strictObject({name: line, about: prose}))
      .max(entriesMax)
      .optional(),
  })
  .meta({id: 'TaskBrief'});
export type TaskBrief = z.output<typeof taskBriefSchema>;
