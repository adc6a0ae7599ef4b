import {env} from 'cloudflare:workers';
import {beforeAll, expect, test} from 'vitest';
import type {PastAttempt} from '@switchyard/shared/api/history-contracts.ts';
import {newTaskId, type RunnerId} from '@switchyard/shared/domain/id.ts';
import {deliverToDirectory} from '../../../worker/src/db/directory.ts';
import type {HistoryAttemptRow} from '../../../worker/src/fleet/outbox-row.ts';
import {call, json, migrated, newPool, problem} from './api-world.ts';

beforeAll(migrated);

const randomBytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));

function ended(pool: string, finished_ms: number, over: Partial<HistoryAttemptRow> = {}): HistoryAttemptRow {
  return {
    kind: 'history.attempt',
    at_ms: finished_ms,
    pool,
    task: newTaskId(finished_ms, randomBytes),
    epoch: 1,
    runner: 'rnr_01k00000000000000000000000' as RunnerId,
    title: 'a title',
    repository: 'https://example.test/a.git',
    agent_type: 'reviewer',
    task_state: 'succeeded',
    outcome: 'succeeded',
    code: null,
    queued_ms: 1,
    started_ms: 2,
    finished_ms,
    exit_code: 0,
    log_bytes: 12,
    timings: null,
    git: null,
    role: null,
    ...over,
  };
}

type Page = {readonly attempts: readonly PastAttempt[]; readonly next: string | null};
const page = async (token: string, query: string): Promise<Page> =>
  json<Page>(await call(`/v1/history${query}`, {token}), 200);

test('[DI7] what its agent stated is found by its event, after the task was forgotten', async () => {
  const {pool, token} = await newPool();
  const outcome = {event: 'pr.approved', summary: 'fine', commit: 'a'.repeat(40)};
  const told = ended(pool, 5, {role: {prompt: 'reviewer@1.2.0', outcome}});
  const lost = ended(pool, 6, {
    agent_type: 'coding',
    task_state: 'queued',
    outcome: 'lease_lost',
    code: 'lease_lost',
    exit_code: null,
  });
  await deliverToDirectory(env.DB, [told, lost, ended((await newPool()).pool, 7)]);
  const {attempts} = await page(token, '');
  expect(attempts.map(({task}) => task)).toEqual([lost.task, told.task]);
  expect(attempts[0]).toMatchObject({end: 'lease_lost', code: 'lease_lost', prompt: null, outcome: null});
  const found = {attempts: [expect.objectContaining({task: told.task, prompt: 'reviewer@1.2.0', outcome})], next: null};
  expect(await page(token, '?outcome=pr.approved')).toEqual(found);
  expect(await page(token, `?agent_type=reviewer&task=${told.task}`)).toEqual(found);
  expect((await page(token, '?repository=https://example.test/b.git')).attempts).toEqual([]);
  expect(await page(token, '?state=failed,succeeded')).toEqual(found);
});

test('[DI7] pages show each attempt once, also those that ended at the same time', async () => {
  const {pool, token} = await newPool();
  const rows = Array.from({length: 7}, (_, n) => ended(pool, 10 + Math.floor(n / 3)));
  await deliverToDirectory(env.DB, rows);
  const seen: string[] = [];
  for (let query = '?limit=3'; ;) {
    const {attempts, next} = await page(token, query);
    seen.push(...attempts.map(({task}) => task));
    if (next === null) break;
    query = `?limit=3&cursor=${next}`;
  }
  expect(seen).toHaveLength(7);
  expect(new Set(seen)).toEqual(new Set(rows.map(({task}) => task)));
});

test('[DI7] only who may read the pool sees its history', async () => {
  expect(await problem(await call('/v1/history'))).toMatchObject({status: 401});
  const {token} = await newPool();
  expect(await problem(await call('/v1/history?cursor=x', {token}))).toMatchObject({status: 400});
});
