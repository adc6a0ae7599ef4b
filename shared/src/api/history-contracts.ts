import * as z from 'zod';
import {taskIdSchema} from '../domain/id.ts';
import {agentSchema} from '../domain/task-spec.ts';
import {taskStates} from '../machine/task-machine.ts';
import {limits} from '../policy/limits.ts';
import {statedOutcomeSchema} from '../protocol/exit-record.ts';
import {commaList} from './comma-list.ts';
import {contract} from './contract.ts';

/** An attempt that has ended, as it is remembered after its task was forgotten. */
export const pastAttemptSchema = z
  .object({
    task: taskIdSchema,
    epoch: z.int(),
    runner: z.string(),
    title: z.string(),
    repository: z.string().nullable(),
    agent_type: z.string(),
    /** The state of the task to which this attempt led. */
    task_state: z.enum(taskStates),
    /** How it ended, such as `succeeded` or `lease_lost`. */
    end: z.string(),
    code: z.string().nullable(),
    queued_ms: z.int(),
    started_ms: z.int(),
    finished_ms: z.int(),
    exit_code: z.int().nullable(),
    log_bytes: z.int(),
    /** Role and version of the prompt that its agent was told. */
    prompt: z.string().nullable(),
    /** What its agent stated as the outcome of its role; of a long one only the event and the commit. */
    outcome: statedOutcomeSchema.nullable(),
  })
  .meta({id: 'PastAttempt'});
export type PastAttempt = z.output<typeof pastAttemptSchema>;

export const listHistory = contract({
  id: 'listHistory',
  method: 'get',
  path: '/v1/history',
  summary:
    'List attempts that have ended, newest first, also those of tasks that are forgotten. One that has just ended may come a moment later.',
  auth: 'read',
  query: z.strictObject({
    limit: z.coerce.number().int().min(1).max(limits.listLimitMax).default(limits.listLimitDefault),
    /** `next` of the page before. */
    cursor: z
      .string()
      .regex(/^\d{1,16}\.tsk_[0-9a-z]{26}\.\d{1,9}$/, 'expected next of the page before')
      .optional(),
    /** States of the task to which the attempt led. */
    state: commaList(z.enum(taskStates)).optional(),
    /** The event that the agent stated as its outcome, such as `pr.approved`. */
    outcome: z.string().max(100).optional(),
    agent_type: agentSchema.shape.type.unwrap().optional(),
    repository: z.string().max(2_048).optional(),
    task: taskIdSchema.optional(),
  }),
  responses: {200: z.object({attempts: z.array(pastAttemptSchema), next: z.string().nullable()})},
});
