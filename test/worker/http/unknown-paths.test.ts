import {env} from 'cloudflare:workers';
import {beforeEach, expect, test} from 'vitest';
import type {Environment} from '../../../worker/src/environment.ts';
import worker from '../../../worker/src/worker.ts';
import {problem} from './api-world.ts';

const environment = env as unknown as Environment;
const page = '<!doctype html>';

let asked: string[];

beforeEach(() => {
  asked = [];
});

async function get(path: string): Promise<Response> {
  const ASSETS = {
    fetch: async (request: Request) => {
      asked.push(new URL(request.url).pathname);
      return new Response(page, {headers: {'content-type': 'text/html'}});
    },
  } as unknown as Fetcher;
  return worker.fetch(new Request(`https://switchyard.test${path}`) as never, {...environment, ASSETS});
}

test.for(['/v1', '/v1/nothing', '/tasks/a/b', '/api/nothing', '/health/x', '/admin/nothing'])(
  '[HT26] nothing at %s is said without asking for a page',
  async path => {
    expect(await problem(await get(path))).toMatchObject({status: 404, code: 'not_found'});
    expect(asked).toEqual([]);
  },
);

test.for(['/', '/health.js', '/reference.html', '/v1x'])('[HT26] %s may be a page', async path => {
  expect(await (await get(path)).text()).toBe(page);
  expect(asked).toEqual([path]);
});
