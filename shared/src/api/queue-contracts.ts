import * as z from 'zod';
import {taskIdSchema} from '../domain/id.ts';
import {contract} from './contract.ts';

/** The two queues of a pool under the names that clients know: what has the urgency of `high` by now, and the rest. */
export const queueNames = ['high', 'normal'] as const;

/** The level from which on a task stands in the queue `high`: that of priority 2, by its own or by waiting. */
export const highLevel = 1;

export function queueTopic(pool: string, queue: (typeof queueNames)[number]): string {
  return `queue:${pool}:${queue}`;
}

export const queueViewSchema = z
  .object({
    /** `queue:<pool>:high` or `queue:<pool>:normal`. */
    topic: z.string(),
    /** Tasks that may be offered at once; what waits for a time or for other tasks is in neither queue. */
    waiting: z.int(),
    /** The task at the head of it: the one that waits longest by its priority. */
    next: taskIdSchema.nullable(),
    next_queued_ms: z.int().nullable(),
  })
  .meta({id: 'Queue'});
export type QueueView = z.output<typeof queueViewSchema>;

export const listQueues = contract({
  id: 'listQueues',
  method: 'get',
  path: '/v1/queues',
  summary: 'The queues of the pool by their topics. A task that waits long enough moves up to `high`.',
  auth: 'read',
  responses: {200: z.object({queues: z.array(queueViewSchema)})},
});
