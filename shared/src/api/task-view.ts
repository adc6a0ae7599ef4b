import * as z from 'zod';
import {taskIdSchema, runnerIdSchema} from '../domain/id.ts';
import {taskSpecSchema} from '../domain/task-spec.ts';
import {taskStates} from '../machine/task-machine.ts';
import {attemptPhases} from '../protocol/attempt-message.ts';
import {resourcesSchema} from '../protocol/resources.ts';
import {errorCodeSchema, gitEvidenceSchema, toldRoleSchema} from '../protocol/exit-record.ts';

export const taskStateSchema = z.enum(taskStates).meta({id: 'TaskState'});
const timeMs = z.int().nonnegative();

export const failureSchema = z
  .object({epoch: z.int(), at_ms: timeMs, code: errorCodeSchema, detail: z.string(), hint: z.string()})
  .meta({id: 'Failure'});
export type Failure = z.output<typeof failureSchema>;

/** One task as everybody sees it. Never holds a secret. */
export const taskViewSchema = z
  .object({
    id: taskIdSchema,
    pool: z.string(),
    state: taskStateSchema,
    /** What the attempt does while the state is `leased` or `cancelling`. */
    phase: z.enum(attemptPhases).nullable(),
    title: z.string(),
    spec: taskSpecSchema,
    epoch: z.int().nonnegative(),
    runner: runnerIdSchema.nullable(),
    branch: z.string().nullable(),
    created_ms: timeMs,
    queued_ms: timeMs.nullable(),
    started_ms: timeMs.nullable(),
    finished_ms: timeMs.nullable(),
    /** Place in the queue, from 1; only while it is queued and only where the caller reads one task. */
    position: z.int().positive().nullable(),
    /** Why a waiting task cannot start, in words for a person: no runner has a label, the pool is paused. */
    waiting_for: z.string().nullable(),
    result: z
      .object({
        summary: z.string().nullable(),
        exit_code: z.int().nullable(),
        git: gitEvidenceSchema.nullable(),
        log_bytes: z.int(),
        /** Which prompt of a role the agent was told, such as `coding@1.0.0`, and what it stated as its outcome. */
        role: toldRoleSchema.nullable(),
      })
      .nullable(),
    /** What the processes of the attempt use that runs, by the last look; of one that has ended what they used. */
    resources: resourcesSchema.nullable(),
    failures: z.array(failureSchema),
    retried_from: taskIdSchema.nullable(),
    /** The task whose agent made this one as a part of its work. */
    parent: taskIdSchema.nullable(),
    metadata: z.record(z.string(), z.string()),
  })
  .meta({id: 'Task'});
export type TaskView = z.output<typeof taskViewSchema>;

export const taskEventSchema = z
  .object({seq: z.int(), at_ms: timeMs, kind: z.string(), epoch: z.int(), data: z.json()})
  .meta({id: 'TaskEvent'});
export type TaskEventView = z.output<typeof taskEventSchema>;
