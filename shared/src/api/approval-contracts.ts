import * as z from 'zod';
import {approvalIdSchema, taskIdSchema} from '../domain/id.ts';
import {approvalKinds, approvalStates} from '../machine/approval-machine.ts';
import {limits} from '../policy/limits.ts';
import {isStated, limitsSchema, overrideMs, statedLimits, unstated} from './budget-contracts.ts';
import {contract} from './contract.ts';

const timeMs = z.int().nonnegative();

/** What a person is asked: whether a tool call may run, a question of an agent, or more of a budget that is spent. */
export const approvalViewSchema = z
  .object({
    id: approvalIdSchema,
    /** Null for a budget, which many tasks may wait for. */
    task: taskIdSchema.nullable(),
    /** The attempt that asked; 0 for a budget. */
    epoch: z.int(),
    kind: z.enum(approvalKinds),
    state: z.enum(approvalStates),
    tool: z.string(),
    tool_call: z.string(),
    /** The input of the tool call without secrets; text where it was too long and is cut. */
    input: z.json(),
    /** Why a person is asked. */
    reason: z.string(),
    /** The entry of the charter that wants it. */
    rule: z.string().nullable(),
    created_ms: timeMs,
    /** What nobody decided by then is rejected. */
    expires_ms: timeMs,
    decided_ms: timeMs.nullable(),
    /** The name of the credential that decided; null where nobody did. */
    decided_by: z.string().nullable(),
    /** The answer, or the reason of the decision. */
    text: z.string().nullable(),
    /** Of a budget, what was granted: limits of its period that hold so long; null is as before. */
    granted: z.object({...limitsSchema.shape, until_ms: timeMs}).nullable(),
  })
  .meta({id: 'Approval'});
export type ApprovalView = z.output<typeof approvalViewSchema>;

const params = z.strictObject({approval: approvalIdSchema});

export const listApprovals = contract({
  id: 'listApprovals',
  method: 'get',
  path: '/v1/approvals',
  summary: 'What agents asked people, newest first.',
  auth: 'read',
  query: z.strictObject({
    limit: z.coerce.number().int().min(1).max(limits.listLimitMax).default(limits.listLimitDefault),
    /** From `next` of the page before; opaque. */
    cursor: z.string().max(200).optional(),
    state: z.enum(approvalStates).optional(),
    task: taskIdSchema.optional(),
  }),
  responses: {200: z.object({approvals: z.array(approvalViewSchema), next: z.string().nullable()})},
});

export const getApproval = contract({
  id: 'getApproval',
  method: 'get',
  path: '/v1/approvals/:approval',
  summary: 'Read what an agent asked, and how it was decided.',
  auth: 'read',
  params,
  responses: {200: approvalViewSchema},
});

const why = z.string().max(limits.messageCharactersMax).default('');

export const decideApproval = contract({
  id: 'decideApproval',
  method: 'post',
  path: '/v1/approvals/:approval/decision',
  summary:
    'Decide: approve or reject a tool call, answer a question, grant more of a budget or reject that. A grant is an override, which only an admin may make. The first decision stands: the same again changes nothing, another is refused with already_decided.',
  auth: 'write',
  params,
  body: z.discriminatedUnion('decision', [
    /** The agent is told the reason of a rejection. */
    z.strictObject({decision: z.literal('approve'), reason: why}),
    z.strictObject({decision: z.literal('reject'), reason: why}),
    /** New limits of the whole period, for a while. */
    z
      .strictObject({decision: z.literal('grant'), reason: why, for_ms: overrideMs, ...statedLimits})
      .refine(isStated, unstated),
    z.strictObject({decision: z.literal('answer'), text: z.string().min(1).max(limits.messageCharactersMax)}),
  ]),
  responses: {200: approvalViewSchema},
});
