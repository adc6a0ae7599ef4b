import {env} from 'cloudflare:workers';
import {describe, expect, test} from 'vitest';
import type {Environment} from '../../../worker/src/environment.ts';
import worker from '../../../worker/src/worker.ts';

const environment = {...(env as unknown as Environment), SWITCHYARD_HOSTS: 'box, Build.Example '};

async function status(url: string, change: Partial<Environment> = {}): Promise<number> {
  const request = new Request(url);
  return (await worker.fetch(request as never, {...environment, ...change})).status;
}

describe('an installation that knows its names', () => {
  test.for(['127.0.0.1:7420', 'localhost:7420', '[::1]:7420', 'box', 'BUILD.example:80', '10.1.2.3'])(
    '[SE4] answers to %s',
    async host => {
      expect(await status(`http://${host}/v1/health`)).toBe(200);
      expect(await status(`http://${host}/v1/tasks`)).toBe(401);
    },
  );

  test.for([
    'rebound.example',
    'localhost.rebound.example',
    '127.0.0.1.rebound.example',
    'build.example.evil',
    'boxes',
  ])('[SE4] refuses %s on every route', async host => {
    for (const path of ['/v1/health', '/v1/tasks', '/health', '/', '/v1/runner/connect'])
      expect(await status(`http://${host}${path}`)).toBe(400);
  });

  test('[SE4] answers to every name where none is set', async () => {
    expect(await status('http://any.example/v1/health', {SWITCHYARD_HOSTS: undefined})).toBe(200);
  });
});
