import * as z from 'zod';
import {utf8} from '../crypto/bytes.ts';
import {limits} from '../policy/limits.ts';
import {usdPattern} from '../policy/money.ts';
import {taskIdSchema} from './id.ts';
import {asksModel, promptRoleOf} from './role-defaults.ts';
import {taskBriefSchema} from './task-brief.ts';

/** What a runner offers and a task may ask for. */
export const labelSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._=/:+-]{0,99}$/, 'expected a label such as os=linux');
const key = z.string().min(1).max(200);
const argv = z
  .array(
    z
      .string()
      .max(8_192)
      .refine(text => !text.includes('\0'), 'no NUL'),
  )
  .min(1)
  .max(64);

/** A branch or commit to start from; what it must not be is checked before git ever sees it. */
const gitRef = z
  .string()
  .regex(
    /^(?![-./])(?!.*\.\.)(?!.*\/[./])(?!.*\.lock\/)(?!.*@\{)(?!@$)[A-Za-z0-9._/+@-]{1,200}(?<![./])(?<!\.lock)$/,
    'expected the name of a branch',
  );

/** Control characters and a leading dash would reach git's command line; the runner parses the rest. */
const repositoryUrl = z
  .string()
  .min(1)
  .max(2_048)
  .regex(/^(?!-)[^\s\u0000-\u001f\u007f-\u009f]+$/, 'expected an https, ssh or file URL');

export const repositorySchema = z.strictObject({
  url: repositoryUrl,
  /** The branch to start from; the default branch of the repository when absent. */
  base: gitRef.optional(),
  /**
   * The branch that what `base` names is to be merged into, for whoever reviews or mends it; the default branch of the
   * repository when absent.
   */
  against: gitRef.optional(),
  /** Whether the work is put on top of the newest base before it is checked and pushed. */
  rebase: z.boolean().optional(),
});

export const agentSchema = z.strictObject({
  /** The role: what kind of work this is; `coding` when absent. */
  type: z.enum(['starter', 'coding', 'reviewer', 'deployer', 'verifier', 'auditor']).optional(),
  /** The codec that speaks to the agent's program. `scripted` is the bundled agent that needs no model. */
  driver: z.enum(['claude', 'codex', 'gemini', 'opencode', 'exec', 'scripted']).default('scripted'),
  /** The command of the `exec` driver; the prompt arrives on its standard input. */
  command: argv.optional(),
  /** Whose models the command asks: it finds their addresses and a key of this attempt alone in its environment. */
  models: z
    .array(z.enum(['anthropic', 'openai', 'google']))
    .min(1)
    .max(3)
    .optional(),
  /**
   * What a model is told: `role` is the prompt of its role, made from this task, and asks for an outcome; `as_is` is the
   * prompt of the task and nothing else. When absent, `role` where `type` is stated and `as_is` where it is not.
   */
  prompt: z.enum(['role', 'as_is']).optional(),
  /** How standard output is read: `json` as one event per line, `text` as it is. */
  output: z.enum(['text', 'json']).default('text'),
  /** What the agent may do at all: by its role when absent. */
  profile: z.enum(['readonly', 'developer', 'full-access']).optional(),
  /** The exact tools, whatever the profile says. */
  tools: z
    .array(z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,99}$/, 'expected the name of a tool such as Read'))
    .max(64)
    .optional(),
  /** The model as the agent's program names it; its own choice when absent. */
  model: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}$/, 'expected the name of a model')
    .optional(),
  /** How often the agent may ask its model within one attempt. */
  turns_max: z.int().min(1).max(10_000).optional(),
});

const spendingSchema = {
  tokens_max: z.int().min(1).max(1_000_000_000).optional(),
  /** Dollars as a decimal text, such as `2.50`. */
  cost_usd_max: z.string().regex(usdPattern, 'expected dollars such as 2.50').optional(),
  /** Answers of a model. */
  turns_max: z.int().min(1).max(100_000).optional(),
};

/** What one attempt may spend, and under `total` all attempts of the task together; budgets of the team come on top. */
export const budgetSchema = z.strictObject({...spendingSchema, total: z.strictObject(spendingSchema).optional()});

export const concurrencySchema = z.strictObject({
  key,
  limit: z.int().min(1).max(1_000).default(1),
  mode: z.enum(['queue', 'cancel_in_progress', 'cancel_newest']).default('queue'),
});

const priority = z
  .union([z.int().min(1).max(5), z.enum(['high', 'normal'])])
  .default('normal')
  .transform(value => (value === 'high' ? 2 : value === 'normal' ? 3 : value))
  .pipe(z.int().min(1).max(5));

const millisecondsTime = z.int().min(0).max(8_640_000_000_000_000);

/**
 * Whether the spec fits into the dispatch that carries it as text inside JSON. One that did not would be refused by every
 * runner, together with the frame it came in. Escaping the text again makes no character longer than three bytes.
 */
function fitsEnvelope(spec: object): boolean {
  const text = JSON.stringify(spec);
  return text.length * 3 <= limits.specBytesMax || utf8(JSON.stringify(text)).length <= limits.specBytesMax;
}

/** What somebody asks for. Unknown fields are refused, so that a misspelt limit is never silently unlimited. */
export const taskSpecSchema = z
  .strictObject({
    title: z.string().min(1).max(500).optional(),
    prompt: z.string().min(1).max(limits.promptCharactersMax),
    brief: taskBriefSchema.optional(),
    repository: repositorySchema.optional(),
    agent: agentSchema.prefault({}),
    executor: z.enum(['host']).default('host'),
    /** Commands that must pass after the agent has ended, each an argument list, run in the worktree. */
    checks: z.array(argv).max(16).default([]),
    /** 1 is the most urgent; `high` is 2 and `normal` is 3. */
    priority,
    requires: z.array(labelSchema).max(limits.labelsMax).default([]),
    prefers: z.array(labelSchema).max(limits.labelsMax).default([]),
    /** Tasks of one key share the pool with tasks of other keys in turn; the repository when absent. */
    fairness_key: key.optional(),
    concurrency: concurrencySchema.optional(),
    depends_on: z.array(taskIdSchema).max(limits.dependenciesMax).default([]),
    /** Milliseconds since 1970 before which the task is not offered. */
    not_before_ms: millisecondsTime.optional(),
    /** Milliseconds since 1970 after which a task that still waits fails. */
    deadline_ms: millisecondsTime.optional(),
    budget: budgetSchema.optional(),
    /** How long one attempt may run: by its role when absent. */
    timeout_ms: z.int().min(1_000).max(limits.taskTimeoutMaxMs).optional(),
    /** What all processes of the agent may hold together; its machine may allow less. */
    memory_bytes_max: z.int().min(limits.attemptMemoryBytesMin).optional(),
    attempts_max: z.int().min(1).max(limits.attemptsMax).default(limits.attemptsMax),
    /** Whether the completion needs a commit on the branch of the attempt: by its role when absent. */
    expect_change: z.boolean().optional(),
    metadata: z
      .record(z.string().min(1).max(100), z.string().max(2_000))
      .refine(map => Object.keys(map).length <= 32, 'at most 32 entries')
      .default({}),
  })
  .refine(spec => spec.agent.driver !== 'exec' || spec.agent.command !== undefined, {
    path: ['agent', 'command'],
    message: 'the exec driver needs a command',
  })
  .refine(({agent}) => agent.models === undefined || agent.driver === 'exec', {
    path: ['agent', 'models'],
    message: 'only the exec driver is told whose models to open: every other one knows',
  })
  .refine(({agent}) => agent.prompt !== 'role' || asksModel(agent), {
    path: ['agent', 'prompt'],
    message: 'the prompt of a role is for a model: this driver takes the prompt as it is',
  })
  .refine(({agent, brief}) => brief === undefined || promptRoleOf(agent) !== undefined, {
    path: ['brief'],
    message: 'only the prompt of a role tells a brief: state agent.type and a driver that asks a model',
  })
  .refine(({agent, repository}) => repository?.against === undefined || promptRoleOf(agent) !== undefined, {
    path: ['repository', 'against'],
    message: 'only the prompt of a role tells a change: state agent.type and a driver that asks a model',
  })
  .refine(fitsEnvelope, `the whole task is larger than ${limits.specBytesMax} bytes as signed JSON`)
  .meta({id: 'TaskSpec'});

export type TaskSpec = z.output<typeof taskSpecSchema>;
export type TaskSpecInput = z.input<typeof taskSpecSchema>;
