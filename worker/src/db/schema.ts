import {index, integer, primaryKey, sqliteTable, text} from 'drizzle-orm/sqlite-core';

/**
 * The directory and the history: relational, across pools, never on the path of a dispatch. Everything but teams, pools
 * and members comes from the Fleets' outboxes, so it can be written again from them; `at_ms` tells the newer of two rows.
 */
export const team = sqliteTable('team', {
  name: text().primaryKey(),
  createdMs: integer('created_ms').notNull(),
});

export const member = sqliteTable(
  'member',
  {
    team: text()
      .notNull()
      .references(() => team.name),
    login: text().notNull(),
    role: text({enum: ['owner', 'maintainer', 'viewer']}).notNull(),
    createdMs: integer('created_ms').notNull(),
  },
  table => [primaryKey({columns: [table.team, table.login]})],
);

export const pool = sqliteTable('pool', {
  name: text().primaryKey(),
  team: text()
    .notNull()
    .references(() => team.name),
  createdMs: integer('created_ms').notNull(),
});

export const runner = sqliteTable(
  'runner',
  {
    id: text().primaryKey(),
    pool: text().notNull(),
    name: text().notNull(),
    /** JSON list of texts. */
    labels: text().notNull(),
    /** Public key, base64url. */
    x: text().notNull(),
    state: text({enum: ['enrolled', 'draining', 'revoked']}).notNull(),
    enrolledMs: integer('enrolled_ms').notNull(),
    atMs: integer('at_ms').notNull(),
  },
  table => [index('runner_pool').on(table.pool)],
);

export const credential = sqliteTable(
  'credential',
  {
    id: text().primaryKey(),
    pool: text().notNull(),
    name: text().notNull(),
    kind: text({enum: ['token', 'hmac', 'ed25519']}).notNull(),
    scope: text({enum: ['read', 'write', 'admin']}).notNull(),
    /** SHA-256 of a token, hex. */
    hash: text(),
    createdMs: integer('created_ms').notNull(),
    revokedMs: integer('revoked_ms'),
    atMs: integer('at_ms').notNull(),
  },
  table => [index('credential_pool').on(table.pool)],
);

export const repository = sqliteTable(
  'repository',
  {
    pool: text().notNull(),
    url: text().notNull(),
    /** When an attempt last worked on it. */
    seenMs: integer('seen_ms').notNull(),
  },
  table => [primaryKey({columns: [table.pool, table.url]})],
);

export const attemptHistory = sqliteTable(
  'attempt_history',
  {
    task: text().notNull(),
    epoch: integer().notNull(),
    pool: text().notNull(),
    runner: text().notNull(),
    title: text().notNull(),
    repository: text(),
    agentType: text('agent_type').notNull(),
    taskState: text('task_state').notNull(),
    outcome: text().notNull(),
    code: text(),
    queuedMs: integer('queued_ms').notNull(),
    startedMs: integer('started_ms').notNull(),
    finishedMs: integer('finished_ms').notNull(),
    exitCode: integer('exit_code'),
    logBytes: integer('log_bytes').notNull(),
    /** JSON, as the runner reported it; null where the attempt was lost. */
    timings: text(),
    git: text(),
    /** Role and version of the prompt that the agent was told, such as `reviewer@1.2.0`; null where it was none. */
    prompt: text(),
    /** The name of the event that the agent stated as its outcome, and as JSON all of it, or what of it is kept. */
    outcomeEvent: text('outcome_event'),
    roleOutcome: text('role_outcome'),
  },
  table => [
    primaryKey({columns: [table.task, table.epoch]}),
    index('attempt_history_pool').on(table.pool, table.finishedMs),
    index('attempt_history_outcome').on(table.pool, table.outcomeEvent, table.finishedMs),
  ],
);

export const audit = sqliteTable(
  'audit',
  {
    pool: text().notNull(),
    seq: integer().notNull(),
    atMs: integer('at_ms').notNull(),
    actor: text().notNull(),
    action: text().notNull(),
    target: text().notNull(),
    detail: text().notNull(),
  },
  table => [primaryKey({columns: [table.pool, table.seq]})],
);
