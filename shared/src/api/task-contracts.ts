import * as z from 'zod';
import {taskIdSchema} from '../domain/id.ts';
import {taskSpecSchema} from '../domain/task-spec.ts';
import {taskStates} from '../machine/task-machine.ts';
import {limits} from '../policy/limits.ts';
import {commaList} from './comma-list.ts';
import {contract} from './contract.ts';
import {taskEventSchema, taskViewSchema} from './task-view.ts';

const params = z.strictObject({task: taskIdSchema});
const pageQuery = {
  limit: z.coerce.number().int().min(1).max(limits.listLimitMax).default(limits.listLimitDefault),
  /** From `next` of the page before; opaque. */
  cursor: z.string().max(200).optional(),
};

export const createTask = contract({
  id: 'createTask',
  method: 'post',
  path: '/v1/tasks',
  summary:
    'Queue a task. The header Idempotency-Key, or webhook-id of a signed request, makes a repeated call answer with the first task.',
  auth: 'signed',
  query: z.strictObject({
    /** `false`: refuse with capacity_reached when no runner is free at once. */
    queue: z.enum(['true', 'false']).default('true'),
  }),
  body: taskSpecSchema,
  responses: {201: taskViewSchema, 200: taskViewSchema},
});

export const createTasks = contract({
  id: 'createTasks',
  method: 'post',
  path: '/v1/tasks/batch',
  summary: 'Queue many tasks in one transaction: all or none.',
  auth: 'write',
  body: z.strictObject({tasks: z.array(taskSpecSchema).min(1).max(limits.batchTasksMax)}),
  bodyBytesMax: limits.batchBodyBytesMax,
  responses: {201: z.object({ids: z.array(taskIdSchema)})},
});

export const listTasks = contract({
  id: 'listTasks',
  method: 'get',
  path: '/v1/tasks',
  summary: 'List tasks, newest first.',
  auth: 'read',
  query: z.strictObject({
    ...pageQuery,
    state: commaList(z.enum(taskStates)).optional(),
    repository: z.string().max(2_048).optional(),
    /** Only what the agent of this task made. */
    parent: taskIdSchema.optional(),
  }),
  responses: {200: z.object({tasks: z.array(taskViewSchema), next: z.string().nullable()})},
});

export const getTask = contract({
  id: 'getTask',
  method: 'get',
  path: '/v1/tasks/:task',
  summary: 'Read a task.',
  auth: 'read',
  params,
  responses: {200: taskViewSchema},
});

export const listTaskEvents = contract({
  id: 'listTaskEvents',
  method: 'get',
  path: '/v1/tasks/:task/events',
  summary: 'The history of a task: every change of state, and what its agents reported.',
  auth: 'read',
  params,
  query: z.strictObject({after: z.coerce.number().int().nonnegative().default(0), limit: pageQuery.limit}),
  responses: {200: z.object({events: z.array(taskEventSchema), next: z.int().nullable()})},
});

export const cancelTask = contract({
  id: 'cancelTask',
  method: 'post',
  path: '/v1/tasks/:task/cancel',
  summary:
    'Cancel a task. A running agent gets a soft stop, ten seconds, then it is killed. Calling it again changes nothing.',
  auth: 'write',
  params,
  body: z
    .strictObject({
      reason: z.string().max(500).default('cancelled by request'),
      grace_ms: z.int().min(0).max(600_000).default(limits.cancelGraceMs),
    })
    .prefault({}),
  responses: {200: taskViewSchema},
});

export const retryTask = contract({
  id: 'retryTask',
  method: 'post',
  path: '/v1/tasks/:task/retry',
  summary: 'Queue a new task with the same spec as a finished one.',
  auth: 'write',
  params,
  responses: {201: taskViewSchema},
});

export const messageTask = contract({
  id: 'messageTask',
  method: 'post',
  path: '/v1/tasks/:task/messages',
  summary:
    'Send a message to the agent of a task; it is kept until the agent takes it. After the end a new task goes on with it.',
  auth: 'write',
  params,
  body: z.strictObject({
    text: z.string().min(1).max(limits.messageCharactersMax),
    /** The agent leaves what it is doing for it; otherwise it hears of it before its next step. */
    interrupt: z.boolean().optional(),
  }),
  /** `task` has the message as its prompt, with `seq` 0, where the one that was named has ended. */
  responses: {202: z.object({seq: z.int(), task: taskIdSchema})},
});

/**
 * `GET /v1/tasks/:task/log` has three forms, chosen by Accept, so its answer is not one JSON schema: the bytes from
 * `?from=` (application/octet-stream), `{log,…}` (application/json), and a live stream (text/event-stream, `id:` is the
 * offset after the chunk, so that Last-Event-ID resumes). `/v1/tasks/:task/log/live` is the same over a WebSocket.
 */
export const logPageSchema = z
  .object({
    epoch: z.int(),
    from: z.int(),
    to: z.int(),
    /** Bytes held so far, of the attempt that was named or of all. */
    length: z.int(),
    sealed: z.boolean(),
    /** Text of the bytes; what is not UTF-8 is replaced. */
    text: z.string(),
  })
  .meta({id: 'LogPage'});
export const getTaskLog = contract({
  id: 'getTaskLog',
  method: 'get',
  path: '/v1/tasks/:task/log',
  summary: 'Read the log of a task: bytes, JSON or a live stream, by the Accept header.',
  auth: 'read',
  params,
  query: z.strictObject({
    /** First byte wanted. */
    from: z.coerce.number().int().nonnegative().default(0),
    /** Offsets count from the start of this attempt; all attempts, one after the other, when absent. */
    epoch: z.coerce.number().int().min(1).optional(),
  }),
  responses: {200: logPageSchema},
  alsoProduces: ['application/octet-stream', 'text/event-stream'],
});
