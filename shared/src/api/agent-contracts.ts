import * as z from 'zod';
import {taskIdSchema} from '../domain/id.ts';
import {agentSchema} from '../domain/task-spec.ts';
import {agentStatuses, agentViewSchema} from './agent-view.ts';
import {contract} from './contract.ts';
import {healthSchema} from './pool-contracts.ts';

/** The paths and shapes of the older orchestration API. Differences that are meant: a token is needed, lists have pages. */

const agentsPerPageMax = 100;
/** Ids are looked up, not understood: one that nobody was ever given is not found. */
const params = z.strictObject({id: z.string().min(1).max(100)});

export const listAgents = contract({
  id: 'listAgents',
  method: 'get',
  path: '/api/agents',
  summary:
    'List agents, newest first: an agent is one attempt of a task. A filtered page may be short and have a next.',
  auth: 'read',
  query: z.strictObject({
    limit: z.coerce.number().int().min(1).max(agentsPerPageMax).default(agentsPerPageMax),
    /** `next` of the page before. */
    cursor: z
      .string()
      .regex(/^\d{1,16}\.tsk_[0-9a-z]{26}\.\d{1,9}$/, 'expected next of the page before')
      .optional(),
    status: z.enum(agentStatuses).optional(),
    type: agentSchema.shape.type.unwrap().optional(),
    task: taskIdSchema.optional(),
  }),
  responses: {200: z.object({agents: z.array(agentViewSchema), next: z.string().nullable()})},
});

export const listActiveAgents = contract({
  id: 'listActiveAgents',
  method: 'get',
  path: '/api/agents/active',
  summary: 'The ids of the agents that have not ended, newest first.',
  auth: 'read',
  responses: {200: z.object({agents: z.array(z.string())})},
});

export const getAgent = contract({
  id: 'getAgent',
  method: 'get',
  path: '/api/agents/:id',
  summary: 'Read an agent.',
  auth: 'read',
  params,
  responses: {200: agentViewSchema},
});

/** A piece of the log as a row of the older table. */
export const agentLogRowSchema = z
  .object({
    /** Where the piece ends in the log of the agent; rises. `?after=` goes on from here. */
    id: z.int(),
    agent_id: z.string(),
    /** When it was stored; null where that was not noted. */
    timestamp: z.iso.datetime().nullable(),
    /** The runner merges standard output and standard error, so nothing finer is known. */
    stream: z.literal('combined'),
    content: z.string(),
  })
  .meta({id: 'AgentLogRow'});
export type AgentLogRow = z.output<typeof agentLogRowSchema>;

const agentLogSchema = z
  .object({
    /** Text of the bytes after `from`, or rows of it with `?format=rows`; what is not UTF-8 is replaced. */
    logs: z.union([z.string(), z.array(agentLogRowSchema)]),
    from: z.int(),
    /** `?after=` of the next page. */
    to: z.int(),
    /** Bytes held so far. */
    length: z.int(),
    /** The attempt has ended, and there is no page after this one. */
    complete: z.boolean(),
  })
  .meta({id: 'AgentLog'});
export type AgentLog = z.output<typeof agentLogSchema>;

export const getAgentLogs = contract({
  id: 'getAgentLogs',
  method: 'get',
  path: '/api/agents/:id/logs',
  summary:
    'Read the log of an agent: a page of JSON, or a live stream by the Accept header. The id of an event is the offset after it, so Last-Event-ID resumes; the stream ends with the event end and the status.',
  auth: 'read',
  params,
  query: z.strictObject({
    /** Bytes of the log that the caller has. */
    after: z.coerce.number().int().nonnegative().default(0),
    format: z.enum(['text', 'rows']).default('text'),
  }),
  responses: {200: agentLogSchema},
  alsoProduces: ['text/event-stream'],
});

export const getServiceHealth = contract({
  id: 'getServiceHealth',
  method: 'get',
  path: '/api/health',
  summary: 'Whether the control plane and the pool of the token work: each part is tried.',
  auth: 'read',
  responses: {200: healthSchema, 503: healthSchema},
});
