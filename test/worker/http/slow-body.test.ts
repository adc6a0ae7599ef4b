import {env} from 'cloudflare:workers';
import {expect, test} from 'vitest';
import type {Environment} from '../../../worker/src/environment.ts';
import worker from '../../../worker/src/worker.ts';

const environment = env as unknown as Environment;

/** A body that never comes: whoever waits for it waits for ever. */
function neverSent(path: string, headers: Record<string, string>): Request {
  const body = new ReadableStream({pull: async () => new Promise<void>(() => undefined)});
  return new Request(`https://switchyard.test${path}`, {method: 'POST', body, headers});
}

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
