import * as z from 'zod';
import type {Role} from './role.ts';

const line = z.string().min(1).max(500);
const prose = z.string().min(1).max(20_000);
const url = z.url({protocol: /^https?$/}).max(2_048);
const score = z.int().min(1).max(5);

const escalation = z.strictObject({event: z.literal('agent.escalation'), reason: prose});

/** What is to be done, before anybody does it. */
export const planSchema = z.strictObject({
  summary: prose,
  affectedFiles: z
    .array(z.strictObject({path: line, action: z.enum(['create', 'modify', 'delete']), description: prose}))
    .max(200),
  steps: z.array(prose).min(1).max(50),
  testingStrategy: prose,
  risks: z.array(prose).max(50).optional(),
  estimatedComplexity: z.enum(['low', 'medium', 'high']).optional(),
});

export const findingSchema = z.strictObject({
  severity: z.enum(['low', 'medium', 'high', 'critical']),
  category: z.enum(['bug', 'ux', 'performance', 'security', 'accessibility']),
  title: line,
  description: prose,
  steps: z.array(prose).max(50).optional(),
});

export const scoreNames = ['correctness', 'quality', 'security', 'tests', 'docs'] as const;
/** A change is taken when no score is lower. */
export const scoreToPass = 3;

const scores = z.strictObject({correctness: score, quality: score, security: score, tests: score, docs: score});
type Scores = z.output<typeof scores>;
const passes = (given: Scores): boolean => scoreNames.every(name => given[name] >= scoreToPass);

/**
 * The last word of an agent, by its role: the same as the event that it reports, so that a forgotten report loses
 * nothing. A review that contradicts its own scores is refused.
 */
export const outcomeSchemas = {
  starter: z.discriminatedUnion('event', [
    z.strictObject({event: z.literal('task.plan.created'), plan: planSchema}),
    z.strictObject({event: z.literal('audit.requested'), url, focusAreas: z.array(line).max(20).optional()}),
    z.strictObject({event: z.literal('deploy.requested'), reason: prose, commit: line.optional()}),
    z.strictObject({
      event: z.literal('task.closed'),
      reason: prose,
      resolution: z.enum(['already_resolved', 'duplicate', 'invalid', 'wont_fix', 'no_action_needed']),
    }),
    escalation,
  ]),
  coding: z.discriminatedUnion('event', [
    z.strictObject({event: z.literal('pr.created'), title: line, summary: prose}),
    z.strictObject({event: z.literal('pr.updated'), summary: prose}),
    escalation,
  ]),
  reviewer: z.discriminatedUnion('event', [
    z.strictObject({event: z.literal('pr.approved'), scores, summary: prose}).refine(given => passes(given.scores), {
      path: ['scores'],
      message: `an approval needs ${scoreToPass} everywhere`,
    }),
    z
      .strictObject({event: z.literal('pr.changes.requested'), scores, reviewComments: prose})
      .refine(given => !passes(given.scores), {
        path: ['scores'],
        message: `changes are asked for when a score is below ${scoreToPass}`,
      }),
    escalation,
  ]),
  deployer: z.discriminatedUnion('event', [
    z.strictObject({event: z.literal('deploy.completed'), url, status: line}),
    z.strictObject({event: z.literal('deploy.failed'), error: prose, logs: prose.optional()}),
    escalation,
  ]),
  verifier: z.discriminatedUnion('event', [
    z.strictObject({event: z.literal('verify.passed'), summary: prose}),
    z.strictObject({
      event: z.literal('verify.failed'),
      bug: z.strictObject({description: prose, steps: z.array(prose).min(1).max(50), expected: prose, actual: prose}),
    }),
    escalation,
  ]),
  auditor: z.discriminatedUnion('event', [
    z.strictObject({event: z.literal('audit.completed'), summary: prose, findings: z.array(findingSchema).max(200)}),
    escalation,
  ]),
} as const satisfies Readonly<Record<Role, z.ZodType>>;

export type Outcome = z.output<(typeof outcomeSchemas)[Role]>;

/** The same as JSON Schema, for the prompt and for agents that can be held to it. */
export function outcomeJsonSchema(role: Role): unknown {
  return z.toJSONSchema(outcomeSchemas[role], {io: 'input'});
}

/** The events that an agent of this role may end with. */
export function outcomeEvents(role: Role): readonly string[] {
  return outcomeSchemas[role].options.map(({shape}) => shape.event.value);
}
