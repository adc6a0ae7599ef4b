import {env} from 'cloudflare:workers';
import {describe, expect, test} from 'vitest';
import type {Environment} from '../../../worker/src/environment.ts';
import worker from '../../../worker/src/worker.ts';
import {json, problem} from './api-world.ts';

const environment = env as unknown as Environment;

async function ask(path: string, change: Partial<Environment>): Promise<Response> {
  const request = new Request(`https://switchyard.test${path}`);
  return worker.fetch(request as never, {...environment, ...change});
}

const shortSecret = 'canary-short-secret';

describe('a wrong configuration', () => {
  test.for<{name: string; change: Partial<Environment>}>([
    {name: 'SWITCHYARD_SECRET', change: {SWITCHYARD_SECRET: btoa(shortSecret)}},
    {name: 'SWITCHYARD_SIGNING_KEYS', change: {SWITCHYARD_SIGNING_KEYS: '[]'}},
    {name: 'SWITCHYARD_SIGNING_KEYS', change: {SWITCHYARD_SIGNING_KEYS: 'canary-not-json'}},
    {name: 'signing key', change: {SWITCHYARD_SIGNING_KEYS: '[{"kty":"OKP","d":"canary"}]'}},
    {name: 'DISPATCH_SECRET', change: {DISPATCH_SECRET: shortSecret}},
    {name: 'DISPATCH_SECRET', change: {DISPATCH_SECRET: `${'a'.repeat(40)},${'b'.repeat(40)},${'c'.repeat(40)}`}},
    {name: 'DISPATCH_POOL', change: {DISPATCH_POOL: 'Not A Pool'}},
    {name: 'SWITCHYARD_LEASE', change: {SWITCHYARD_LEASE: '{"ttl_ms":-1}'}},
    {name: 'SWITCHYARD_LEASE', change: {SWITCHYARD_LEASE: 'canary-not-json'}},
    {name: 'SWITCHYARD_LEASE', change: {SWITCHYARD_LEASE: '{"grace_ms":1,"hard_kill_ms":1}'}},
  ])('[HT19] of $name closes every route but health, which names it and never its value', async ({name, change}) => {
    for (const path of ['/v1/tasks', '/tasks/x', '/', '/nothing']) {
      const refused = await problem(await ask(path, change));
      expect(refused).toMatchObject({status: 503, code: 'unavailable'});
      expect(refused.detail).toContain('configuration_invalid');
    }
    const health = await json<{status: string; checks: {configuration: {ok: boolean; detail: string}}}>(
      await ask('/v1/health', change),
      503,
    );
    expect(health.status).toBe('degraded');
    expect(health.checks.configuration.detail).toContain(name);
    expect(JSON.stringify(health)).not.toContain('canary');
  });

  test('[HT20] a part that does not answer makes health degraded, without its error', async () => {
    const DB = {prepare: () => ({first: () => Promise.reject(new Error('canary: no such database'))})};
    const health = await json<{status: string; checks: {directory: {ok: boolean}}}>(
      await ask('/v1/health', {DB: DB as never}),
      503,
    );
    expect(health).toMatchObject({status: 'degraded', checks: {directory: {ok: false}, configuration: {ok: true}}});
    expect(JSON.stringify(health)).not.toContain('canary');
  });

  test('[HT21] what nobody foresaw is answered with the id of the request and nothing else', async () => {
    const FLEET = {idFromName: () => '', get: () => ({getPool: () => Promise.reject(new Error('canary: a bug'))})};
    const response = await worker.fetch(new Request('https://switchyard.test/health') as never, {
      ...environment,
      FLEET: FLEET as never,
    });
    const text = await response.clone().text();
    expect(text).not.toContain('canary');
    expect(await problem(response)).toMatchObject({status: 500, code: 'internal'});
  });
});
