import {env} from 'cloudflare:workers';
import {beforeAll, describe, expect, test} from 'vitest';
import type {Pool, RunnerId, TaskId} from '@switchyard/shared/domain/id.ts';
import {deliverToDirectory, registerPool} from '../../../worker/src/db/directory.ts';
import type {
  AuditRow,
  DirectoryCredentialRow,
  DirectoryRow,
  DirectoryRunnerRow,
  HistoryAttemptRow,
} from '../../../worker/src/fleet/outbox-row.ts';
import {migrated} from './api-world.ts';

beforeAll(migrated);

const runner: DirectoryRunnerRow = {
  kind: 'directory.runner',
  at_ms: 10,
  pool: 'p1',
  runner: 'rnr_01k00000000000000000000000' as RunnerId,
  name: "o'brien",
  labels: ['os=linux', 'gpu'],
  x: 'x'.repeat(43),
  state: 'enrolled',
  enrolled_ms: 5,
};
const credential: DirectoryCredentialRow = {
  kind: 'directory.credential',
  at_ms: 10,
  pool: 'p1',
  id: 'abcdefgh',
  name: 'ci',
  credential_kind: 'token',
  scope: 'write',
  hash: null,
  created_ms: 1,
  revoked_ms: null,
};
const attempt: HistoryAttemptRow = {
  kind: 'history.attempt',
  at_ms: 20,
  pool: 'p1',
  task: 'tsk_01k00000000000000000000000' as TaskId,
  epoch: 1,
  runner: runner.runner,
  title: 'a "title"',
  repository: 'https://example.test/a.git',
  agent_type: 'coding',
  task_state: 'succeeded',
  outcome: 'succeeded',
  code: null,
  queued_ms: 1,
  started_ms: 2,
  finished_ms: 3,
  exit_code: 0,
  log_bytes: 12,
  timings: {prepare_ms: 1, run_ms: 2, finish_ms: 3},
  git: null,
  role: null,
};
const audit: AuditRow = {
  kind: 'audit',
  at_ms: 1,
  pool: 'p1',
  seq: 1,
  actor: 'root',
  action: 'credential.created',
  target: 'abcdefgh',
  detail: 'admin',
};
const all: readonly DirectoryRow[] = [runner, credential, attempt, audit];

const rows = async (query: string) => (await env.DB.prepare(query).all()).results;

describe('the directory', () => {
  test('[DI1] rows of every kind arrive once, however often they are delivered', async () => {
    for (let time = 0; time < 3; time += 1) await deliverToDirectory(env.DB, all);
    await deliverToDirectory(env.DB, []);
    expect(await rows('SELECT name, labels, state FROM runner')).toEqual([
      {name: "o'brien", labels: '["os=linux","gpu"]', state: 'enrolled'},
    ]);
    expect(await rows('SELECT kind, hash, revoked_ms FROM credential')).toEqual([
      {kind: 'token', hash: null, revoked_ms: null},
    ]);
    expect(await rows('SELECT title, exit_code, timings, git, code FROM attempt_history')).toEqual([
      {title: 'a "title"', exit_code: 0, timings: '{"prepare_ms":1,"run_ms":2,"finish_ms":3}', git: null, code: null},
    ]);
    expect(await rows('SELECT pool, url, seen_ms FROM repository')).toEqual([
      {pool: 'p1', url: 'https://example.test/a.git', seen_ms: 3},
    ]);
    expect(await rows("SELECT action FROM audit WHERE pool = 'p1'")).toEqual([{action: 'credential.created'}]);
  });

  test('[DI6] an attempt keeps the prompt that its agent was told and the outcome that it stated', async () => {
    const outcome = {event: 'pr.approved', summary: 'it\'s "fine"', commit: 'a'.repeat(40)};
    const told = {...attempt, role: {prompt: 'reviewer@1.2.0', outcome}};
    const silent = {...attempt, epoch: 3, role: {prompt: 'starter@1.1.0', outcome: null}};
    const {role: _role, ...older} = {...attempt, epoch: 4};
    // An outbox may hold rows from before there was anything to say.
    await deliverToDirectory(env.DB, [{...told, epoch: 2}, silent, older as HistoryAttemptRow]);
    const found = await rows(
      'SELECT prompt, outcome_event, role_outcome FROM attempt_history WHERE epoch > 1 ORDER BY epoch',
    );
    expect(found).toEqual([
      {prompt: 'reviewer@1.2.0', outcome_event: 'pr.approved', role_outcome: JSON.stringify(outcome)},
      {prompt: 'starter@1.1.0', outcome_event: null, role_outcome: null},
      {prompt: null, outcome_event: null, role_outcome: null},
    ]);
  });

  test('[DI2] an older row never replaces a newer one, also within one delivery', async () => {
    const revoked = {...runner, at_ms: 12, state: 'revoked'} as const;
    await deliverToDirectory(env.DB, [revoked, {...runner, at_ms: 11, state: 'draining'}]);
    await deliverToDirectory(env.DB, [runner, {...credential, at_ms: 30, revoked_ms: 30}, credential]);
    expect(await rows('SELECT state, at_ms FROM runner')).toEqual([{state: 'revoked', at_ms: 12}]);
    expect(await rows('SELECT revoked_ms FROM credential')).toEqual([{revoked_ms: 30}]);
  });

  test('[DI3] a delivery that fails leaves nothing of itself', async () => {
    const broken = {...audit, seq: 9, actor: null} as unknown as AuditRow;
    await expect(deliverToDirectory(env.DB, [{...runner, runner: 'rnr_x' as RunnerId}, broken])).rejects.toThrow(
      'NOT NULL',
    );
    expect(await rows("SELECT id FROM runner WHERE id = 'rnr_x'")).toEqual([]);
  });

  test('[DI4] a hundred rows are one statement', async () => {
    const many = Array.from({length: 100}, (_, index) => ({...audit, pool: 'many', seq: index + 1}));
    await deliverToDirectory(env.DB, many);
    expect(await rows("SELECT count(*) AS n FROM audit WHERE pool = 'many'")).toEqual([{n: 100}]);
  });

  test('[DI5] the name of a pool belongs to its first team for ever', async () => {
    const pool = 'owned' as Pool;
    await registerPool(env.DB, {team: 'first', pool, nowMs: 1});
    await registerPool(env.DB, {team: 'first', pool, nowMs: 2});
    await expect(registerPool(env.DB, {team: 'second', pool, nowMs: 3})).rejects.toThrow('another team');
    expect(await rows("SELECT team, created_ms FROM pool WHERE name = 'owned'")).toEqual([
      {team: 'first', created_ms: 1},
    ]);
  });
});
