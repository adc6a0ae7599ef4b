import * as z from 'zod';
import {approvalIdSchema, runnerIdSchema} from '../domain/id.ts';
import {agentSchema, repositorySchema} from '../domain/task-spec.ts';
import {budgetPeriods, knownPeriods} from '../policy/budget-period.ts';
import {sources} from '../policy/budget.ts';
import {limits} from '../policy/limits.ts';
import {usdPattern} from '../policy/money.ts';
import {contract} from './contract.ts';

/** Dollars as a decimal text, such as `2.50`. */
const usd = z.string().regex(usdPattern, 'expected dollars such as 25.00');
const count = z.int().nonnegative();
const agentType = agentSchema.shape.type.unwrap();
/** As its tasks name it: anything else, such as a path, would be a budget of nothing. */
const repository = repositorySchema.shape.url.regex(
  /^(?:[a-z][a-z0-9+.-]*:\/\/|[\w.-]+@[\w.-]+:)/,
  'expected the URL of a repository, as its tasks name it',
);

const spendingSchema = z.object({cost_usd: usd, tokens: count, turns: count});
export const limitsSchema = z.object({cost_usd: usd.nullable(), tokens: count.nullable(), turns: count.nullable()});

export const budgetViewSchema = z
  .object({
    id: z.string(),
    /** The repository or the type of agent that it is for; all null for the whole pool. */
    repository: z.string().nullable(),
    agent_type: z.string().nullable(),
    /** Or who pays for it: a plan that the owner of a machine is logged in to, or a key. */
    source: z.enum(sources).nullable(),
    /** Of the machine whose charter says so; null for a budget that somebody made. */
    runner: runnerIdSchema.nullable(),
    period: z.enum(knownPeriods),
    /** Begin and end of the period that is running, in milliseconds since 1970; `total` never ends. */
    from_ms: count,
    until_ms: count.nullable(),
    /** As they stand without an override; null is no limit. */
    limits: limitsSchema,
    spent: spendingSchema,
    /** Given to attempts that run, and not spent by them so far. */
    reserved: spendingSchema,
    /** Of the kind that is nearest to its limit, an override included; more than 100 where a last answer passed it. */
    percent: count,
    /** Nothing is left, so what counts for it waits. */
    blocks: z.boolean(),
    /** The highest warning of this period that was said; 0 before the first. */
    warned_percent: count,
    /** The question for more that waits for a person. */
    approval: approvalIdSchema.nullable(),
    override: z.object({limits: limitsSchema, until_ms: count, by: z.string(), why: z.string()}).nullable(),
  })
  .meta({id: 'Budget'});
export type BudgetView = z.output<typeof budgetViewSchema>;

/** Limits as people state them. */
export const statedLimits = {
  cost_usd_max: usd.optional(),
  tokens_max: z.int().min(1).max(1_000_000_000_000).optional(),
  turns_max: z.int().min(1).max(1_000_000_000).optional(),
};

type Stated = {readonly [Kind in keyof typeof statedLimits]?: unknown};

export const isStated = ({cost_usd_max, tokens_max, turns_max}: Stated): boolean =>
  cost_usd_max !== undefined || tokens_max !== undefined || turns_max !== undefined;

export const unstated = 'name a limit: cost_usd_max, tokens_max or turns_max';

/** How long other limits hold. */
export const overrideMs = z.int().min(1_000).max(limits.overrideMaxMs);

const params = z.strictObject({
  budget: z.string().regex(/^[a-z][a-z0-9-]{0,38}[a-z0-9]$/, 'expected a name such as every-day'),
});

/** Also of a budget that follows from a charter. */
const anyBudget = z.strictObject({
  budget: z.string().regex(/^[a-z][A-Za-z0-9_.-]{0,158}[A-Za-z0-9]$/, 'expected a name such as every-day'),
});

export const listBudgets = contract({
  id: 'listBudgets',
  method: 'get',
  path: '/v1/budgets',
  summary: 'List the budgets of the pool with what was spent in the period that is running.',
  auth: 'read',
  responses: {200: z.object({budgets: z.array(budgetViewSchema)})},
});

export const putBudget = contract({
  id: 'putBudget',
  method: 'put',
  path: '/v1/budgets/:budget',
  summary:
    'Make or replace a budget of the whole pool, of one repository, of one type of agent or of one source (subscription, api). What was spent in the period counts from its beginning; an override stays.',
  auth: 'admin',
  params,
  body: z
    .strictObject({
      period: z.enum(budgetPeriods),
      repository: repository.optional(),
      agent_type: agentType.optional(),
      source: z.enum(sources).optional(),
      /** The part of the limits that this budget has, so that one total can be shared out among several. */
      share_percent: z.int().min(1).max(100).default(100),
      ...statedLimits,
    })
    .refine(isStated, unstated)
    .refine(
      ({repository, agent_type, source}) =>
        [repository, agent_type, source].filter(scope => scope !== undefined).length <= 1,
      'a budget is for a repository, a type of agent or a source, for one of them',
    ),
  responses: {200: budgetViewSchema},
});

export const overrideBudget = contract({
  id: 'overrideBudget',
  method: 'post',
  path: '/v1/budgets/:budget/override',
  summary:
    'Set other limits for a while. Those that are not named stay as they are; the next override replaces this one.',
  auth: 'admin',
  params: anyBudget,
  body: z
    .strictObject({
      for_ms: overrideMs,
      why: z.string().min(1).max(500),
      ...statedLimits,
    })
    .refine(isStated, unstated),
  responses: {200: budgetViewSchema},
});

export const deleteBudget = contract({
  id: 'deleteBudget',
  method: 'delete',
  path: '/v1/budgets/:budget',
  summary: 'Remove a budget. What attempts have spent stays in the costs.',
  auth: 'admin',
  params,
  responses: {200: z.object({id: z.string()})},
});

export const costGroups = ['task', 'type', 'repository', 'source', 'day'] as const;
export type CostGroup = (typeof costGroups)[number];

const day = z.iso.date();

export const costSchema = z
  .object({
    /** The task, the type of agent, the repository (empty where there was none), the source or the day. */
    key: z.string(),
    cost_usd: usd,
    input_tokens: count,
    output_tokens: count,
    cache_read_tokens: count,
    cache_write_tokens: count,
    turns: count,
    attempts: count,
  })
  .meta({id: 'Cost'});
export type CostView = z.output<typeof costSchema>;

export const listCosts = contract({
  id: 'listCosts',
  method: 'get',
  path: '/v1/costs',
  summary: `What attempts spent on models, by the day on which they spent it (UTC). Days come in order, everything else dearest first, at most ${limits.costDaysMax} rows.`,
  auth: 'read',
  query: z.strictObject({
    by: z.enum(costGroups).default('day'),
    /** First and last day; the thirty days up to today when absent. */
    from: day.optional(),
    to: day.optional(),
  }),
  responses: {
    200: z.object({
      by: z.enum(costGroups),
      from: day,
      to: day,
      costs: z.array(costSchema),
      /** Of all rows, also of those that are not listed. */
      total: costSchema.omit({key: true}),
    }),
  },
});
