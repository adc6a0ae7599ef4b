import * as z from 'zod';

const text = z.string().max(20_000);
const count = z.int().nonnegative();

/**
 * What an agent does and says, whichever driver reads it. The names are those of the session updates of the Agent Client
 * Protocol (https://agentclientprotocol.com) where it has one; the rest is what a queue must know beyond an editor. An
 * agent may tell of more under names of its own: those pass through as they are.
 */
export const agentEventData = {
  session_started: z.object({
    session: z.string().max(200).nullable(),
    agent: z.string().max(100),
    version: z.string().max(100).nullable(),
    model: z.string().max(200).nullable(),
  }),
  /** A message of ours reached the agent: `started` means that the model has it. */
  message_delivered: z.object({
    message: z.string().max(100),
    state: z.enum(['queued', 'started', 'completed', 'cancelled']),
  }),
  agent_message_chunk: z.object({text}),
  agent_thought_chunk: z.object({text}),
  tool_call: z.object({id: z.string().max(200), tool: z.string().max(200), title: z.string().max(2_000)}),
  tool_call_update: z.object({id: z.string().max(200), status: z.enum(['in_progress', 'completed', 'failed']), text}),
  plan: z.object({
    entries: z
      .array(z.object({content: z.string().max(2_000), status: z.enum(['pending', 'in_progress', 'completed'])}))
      .max(200),
  }),
  /** Totals of the attempt so far, never increments: reading one twice changes nothing. */
  usage_update: z.object({
    input_tokens: count,
    output_tokens: count,
    cache_read_tokens: count,
    cache_write_tokens: count,
    turns: count,
    cost_usd: z.number().nonnegative().nullable(),
  }),
  /** The agent waits before it asks the model again. */
  retry: z.object({
    attempt: count,
    attempts_max: count,
    delay_ms: count,
    status: count.nullable(),
    error: z.string().max(500),
  }),
  /** What policy said to a tool call, and why. */
  permission: z.object({
    id: z.string().max(200),
    tool: z.string().max(200),
    decision: z.enum(['allowed', 'denied', 'escalated']),
    by: z.enum(['profile', 'charter', 'person', 'agent']),
    reason: z.string().max(2_000),
  }),
  turn_finished: z.object({
    outcome: z.enum(['completed', 'deferred', 'limit', 'model_error', 'aborted', 'failed']),
    text,
  }),
} as const;

export type AgentEventKind = keyof typeof agentEventData;
export type AgentEventOf<Kind extends AgentEventKind> = z.output<(typeof agentEventData)[Kind]>;
