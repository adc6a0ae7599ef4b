import * as z from 'zod';
import {agentSchema} from './task-spec.ts';

/** What an agent asks of the control plane, which answers by itself. The descriptions are read by models. */
export const agentCalls = {
  emit_event: {
    description:
      'Report an event of your role, such as pr.created or audit.finding, with its fields as data. One that is refused says what is wrong: correct it and report it again. The same report again counts once.',
    input: z.strictObject({
      event: z.string().min(1).max(60),
      data: z.looseObject({}).default({}),
    }),
  },
  create_subtask: {
    description:
      'Hand a part of the work to another agent: it starts at once, by itself, in the same repository, and knows only what its prompt says. Answers with the id of its task. The same call again makes no second one.',
    input: z.strictObject({
      title: z.string().min(1).max(200),
      prompt: z.string().min(1).max(10_000),
      agent_type: agentSchema.shape.type,
    }),
  },
} as const;

export type AgentCallName = keyof typeof agentCalls;
export type SubtaskWish = z.output<(typeof agentCalls)['create_subtask']['input']>;
