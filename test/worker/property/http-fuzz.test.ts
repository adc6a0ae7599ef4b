import {env} from 'cloudflare:workers';
import fc from 'fast-check';
import {beforeAll, describe, expect, test} from 'vitest';
import {contracts} from '@switchyard/shared/api/contracts.ts';
import {problemSchema} from '@switchyard/shared/api/problem.ts';
import {errorCodes} from '@switchyard/shared/domain/error.ts';
import {call, migrated, newPool, newTask} from '../http/api-world.ts';
import {connectToken, enrolled, type EnrolledRunner} from '../http/runner-world.ts';

/** What the whole HTTP surface answers to whatever is sent to it, in the real runtime. */
let token = '';
let task = '';
let machine: EnrolledRunner;

beforeAll(async () => {
  await migrated();
  token = (await newPool()).token;
  task = (await newTask(token)).id;
  machine = await enrolled(token);
});

/** A time for each property in `npm run fuzz`, the same few runs in `npm test`. */
const fuzzMs = Number(env.SWITCHYARD_FUZZ_SECONDS ?? 0) * 1_000;
const tries = (runs: number) =>
  fuzzMs === 0
    ? {seed: 20_261_120, numRuns: runs}
    : {numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: fuzzMs, markInterruptAsFailure: false};

const oddTexts = [
  '',
  '\0',
  '\ud800',
  '漢',
  '%',
  '%zz',
  '%00',
  '%2e%2e',
  '../..',
  '__proto__',
  'constructor',
  '-1',
  '1e999',
  'NaN',
];
const oddText = fc.oneof(fc.constantFrom(...oddTexts), fc.string({maxLength: 20}), fc.constant('x'.repeat(3_000)));

/** A value of JSON that comes near to bodies of ours: their names with values of any kind. */
const names = [
  ...[
    'prompt',
    'tasks',
    'repository',
    'url',
    'agent',
    'metadata',
    'priority',
    'concurrency',
    'key',
    'depends_on',
    'kind',
    'name',
  ],
  ...[
    'public_key_hex',
    'scope',
    'token',
    'jwk',
    'labels',
    'proof',
    'team',
    'pool',
    'paused',
    'reason',
    'text',
    'session',
    'frame',
  ],
  ...['frames', 'control', 'taskId', 'workerType', 'webhookUrl', 'webhookSecret', '__proto__', 'toString'],
];
const leaf = fc.oneof(
  oddText,
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1.5,
    1e300,
    9_007_199_254_740_992,
    [],
    {},
    'opus',
    'hmac',
    'ed25519',
    'token',
  ),
);
const value = fc.letrec<{value: unknown}>(tie => ({
  value: fc.oneof(
    {maxDepth: 3},
    leaf,
    fc.array(tie('value'), {maxLength: 3}),
    fc.dictionary(fc.constantFrom(...names), tie('value'), {maxKeys: 4, noNullPrototype: true}),
  ),
})).value;
const deep = '['.repeat(20_000) + ']'.repeat(20_000);
const bodies = fc.oneof(
  {weight: 4, arbitrary: value.map(each => JSON.stringify(each) ?? '')},
  fc.constantFrom(
    '',
    '{',
    deep,
    `{"prompt":${deep}}`,
    `{"metadata":${deep},"prompt":"x"}`,
    '{"prompt":"x","prompt":"y"}',
    '"\\ud800"',
  ),
  fc.uint8Array({maxLength: 40}),
);
const headers = fc.dictionary(
  fc.constantFrom(
    ...[
      'idempotency-key',
      'last-event-id',
      'accept',
      'x-request-id',
      'webhook-signature',
      'webhook-id',
      'webhook-timestamp',
    ],
    ...[
      'x-dispatch-signature',
      'x-dispatch-timestamp',
      'x-dispatch-nonce',
      'x-dispatch-key',
      'webhook-key-id',
      'x-log-ticket',
    ],
  ),
  fc.oneof(
    fc.stringMatching(/^[ -~]{0,40}$/),
    fc.constantFrom('9999999999999999', '1', 'v1,', 'v1a,AAAA', 'ff', 'text/event-stream'),
  ),
  {maxKeys: 3, noNullPrototype: true},
);
const query = fc.dictionary(
  fc.constantFrom(
    'limit',
    'cursor',
    'state',
    'repository',
    'queue',
    'from',
    'epoch',
    'after',
    'format',
    'status',
    'type',
    'task',
  ),
  fc.oneof(
    oddText,
    fc.constantFrom(
      '0',
      '1',
      '9007199254740991',
      'queued,failed',
      'rows',
      '9999999999999999.tsk_01k00000000000000000000000.1',
    ),
  ),
  {maxKeys: 3, noNullPrototype: true},
);

const others = [
  {method: 'post', path: '/v1/runner/poll'},
  {method: 'get', path: '/v1/runner/connect'},
  {method: 'get', path: '/v1/runner/log/:task'},
  {method: 'post', path: '/v1/runner/log/:task'},
  {method: 'get', path: '/v1/tasks/:task/log/live'},
  {method: 'post', path: '/tasks'},
  {method: 'get', path: '/tasks/:id'},
  {method: 'delete', path: '/tasks/:id'},
  {method: 'get', path: '/health'},
  {method: 'post', path: '/admin/refresh-token'},
];
const routes = [...contracts.map(({method, path}) => ({method, path})), ...others];

/** Filled with ids of ours, with what is nearly one, or with anything. */
function pathOf(path: string, part: string, isKnown: boolean): string {
  return path.replaceAll(/:[a-z]+/g, name => {
    if (!isKnown) return encodeURIComponent(part.toWellFormed()) || '%20';
    return name === ':runner' ? machine.runner : task;
  });
}

async function assertDocumented(response: Response, what: string): Promise<void> {
  expect(response.status, what).not.toBe(500);
  if (response.status < 400) {
    await response.body?.cancel();
    return;
  }
  const text = await response.text();
  // Health says what is wrong in its own form.
  if (response.status === 503 && text.startsWith('{"status"')) return;
  expect(response.headers.get('content-type'), `${what}: ${text}`).toBe('application/problem+json');
  const problem = problemSchema.parse(JSON.parse(text));
  expect({status: problem.status, retry: problem.retry}).toEqual({
    status: response.status,
    retry: errorCodes[problem.code].retry,
  });
  expect(errorCodes[problem.code].status, what).toBe(response.status);
}

describe.each(routes)('$method $path', ({method, path}) => {
  test('[PB17] answers whatever is sent with what it documents or with a problem of the error table', async () => {
    const input = fc.record({
      part: oddText,
      isKnown: fc.boolean(),
      query,
      headers,
      body: bodies,
      type: fc.constantFrom('application/json', 'application/json', 'text/plain', 'application/json; charset=utf-16'),
      who: fc.constantFrom('token', 'token', 'runner', 'nobody'),
    });
    await fc.assert(
      fc.asyncProperty(input, async ({part, isKnown, query: asked, headers: more, body, type, who}) => {
        const search = new URLSearchParams(asked).toString();
        const target = `${pathOf(path, part, isKnown)}${search === '' ? '' : `?${search}`}`;
        const bearer = who === 'token' ? token : who === 'runner' ? await connectToken(machine) : undefined;
        const isBare = method === 'get';
        const response = await call(target, {
          method: method.toUpperCase(),
          token: bearer,
          headers: {...more, ...(isBare ? {} : {'content-type': type})},
          ...(isBare ? {} : {body}),
        });
        await assertDocumented(response, `${method} ${target}`);
      }),
      tries(12),
    );
  });
});

test('[PB17] any path with any method is answered so too', async () => {
  const paths = fc.array(
    fc.oneof(oddText, fc.constantFrom('v1', 'tasks', 'runner', 'api', 'agents', 'log', '.', '..', '')),
    {maxLength: 5},
  );
  await fc.assert(
    fc.asyncProperty(paths, fc.constantFrom('GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'), async (parts, method) => {
      const path = `/${parts.map(part => part.toWellFormed().replaceAll(/[\s?#\\]/g, '')).join('/')}`;
      if (!URL.canParse(`https://switchyard.test${path}`)) return;
      await assertDocumented(await call(path, {method, token}), `${method} ${path}`);
    }),
    tries(60),
  );
});
