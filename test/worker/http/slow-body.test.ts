import {env} from 'cloudflare:workers';
import {expect, test, vi} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {Environment} from '../../../worker/src/environment.ts';
import worker from '../../../worker/src/worker.ts';
import {migrated, newPool, newTask} from './api-world.ts';

const environment = env as unknown as Environment;

/** A body that never comes: whoever waits for it waits for ever. */
function neverSent(path: string, headers: Record<string, string>): Request {
  const body = new ReadableStream({pull: async () => new Promise<void>(() => undefined)});
  return new Request(`https://switchyard.test${path}`, {method: 'POST', body, headers});
}

test('[SE17] a body that somebody may send is refused when it is not whole in time, and the next request is served', async () => {
  await migrated();
  const {token} = await newPool();
  const headers = {authorization: `Bearer ${token}`, 'content-type': 'application/json'};
  vi.useFakeTimers({toFake: ['setTimeout', 'clearTimeout']});
  try {
    const answering = worker.fetch(neverSent('/v1/tasks', headers) as never, environment);
    let isAnswered = false;
    void answering.then(() => (isAnswered = true));
    while (vi.getTimerCount() === 0) await scheduler.wait(1);
    await vi.advanceTimersByTimeAsync(limits.bodyMs - 1);
    await scheduler.wait(1);
    expect(isAnswered).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    const answer = await answering;
    expect(answer.status).toBe(408);
    expect(await answer.json()).toMatchObject({code: 'body_timeout', retry: true});
  } finally {
    vi.useRealTimers();
  }
  expect((await newTask(token)).state).toBe('queued');
});

test.for([
  ['no credential', {}],
  ['a token of nobody', {authorization: `Bearer swy_default_abcdefgh_${'0'.repeat(32)}_${'0'.repeat(32)}`}],
  [
    'a key id of nobody',
    {'webhook-signature': 'v1,AAAA', 'webhook-key-id': `swk_default_abcdefgh_hmac_${'0'.repeat(32)}`},
  ],
] as const)('[SE5] %s is refused before the body is waited for', async ([, headers]) => {
  for (const path of ['/v1/tasks', '/tasks', '/v1/tasks/batch']) {
    const answer = await worker.fetch(neverSent(path, headers) as never, environment);
    expect(answer.status).toBe(401);
  }
});
