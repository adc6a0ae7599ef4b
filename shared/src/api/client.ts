import type * as z from 'zod';
import {SwitchyardError} from '../domain/error.ts';
import {limits} from '../policy/limits.ts';
import {parseJson} from '../domain/parse-json.ts';
import {errorOf, readBounded} from './api-answer.ts';
import type {Contract, Responses} from './contract.ts';
import {followLog, type FollowOptions, type LogItem} from './log-follow.ts';

/** A part of the input: absent where the contract has none, optional where its schema has a default for all of it. */
type Part<Name extends string, Schema extends z.ZodType> = [Schema] extends [z.ZodUndefined]
  ? {readonly [Key in Name]?: undefined}
  : undefined extends z.input<Schema>
    ? {readonly [Key in Name]?: z.input<Schema>}
    : Record<string, never> extends z.input<Schema>
      ? {readonly [Key in Name]?: z.input<Schema>}
      : {readonly [Key in Name]: z.input<Schema>};

export type Input<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> = Part<'params', P> &
  Part<'query', Q> &
  Part<'body', B> & {readonly signal?: AbortSignal; readonly idempotencyKey?: string};

export type Output<A extends Responses> = z.output<A[keyof A & number]>;

export type Surroundings = {
  readonly fetch: (request: Request) => Promise<Response>;
  /** At least 0, below 1. */
  readonly random: () => number;
  readonly newKey: () => string;
  /** Rejects when the signal aborts. */
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>;
};

export type ApiClientOptions = {
  /** Such as `https://switchyard.example.com`, with or without a path. */
  readonly url: string;
  /** Sent as a bearer token; without one only open operations answer. */
  readonly token?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly surroundings?: Partial<Surroundings>;
};

export type ApiClient = {
  readonly url: string;
  /**
   * One operation. Resolves with the body of an answer that the contract states; everything else is a
   * `SwitchyardError`: that of the problem document, or `control_plane_unreachable` when no answer came in time.
   */
  readonly call: <P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, A extends Responses>(
    contract: Contract<P, Q, B, A>,
    input: Input<P, Q, B>,
  ) => Promise<Output<A>>;
  /**
   * The log of a task from an offset on, live, until the task has ended. Lost connections are made again from the last
   * offset seen, so that no byte comes twice and none is missing.
   */
  readonly followLog: (task: string, options?: FollowOptions) => AsyncGenerator<LogItem, void, void>;
};

type CallInput = {
  readonly params?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  readonly idempotencyKey?: string;
};

/** A client of the HTTP API, typed by its contracts. The URL must be http or https: `configuration_invalid` otherwise. */
export function apiClient({url, token, timeoutMs = limits.httpTimeoutMs, surroundings}: ApiClientOptions): ApiClient {
  const base = baseUrl(url);
  const world: Surroundings = {...platform, ...surroundings};
  const headers = (): Headers => {
    const made = new Headers({accept: 'application/json'});
    if (token !== undefined) made.set('authorization', `Bearer ${token}`);
    return made;
  };

  const call: ApiClient['call'] = async (contract, input) => {
    const {params, query, body, signal, idempotencyKey}: CallInput = input;
    const target = operationUrl(base, contract.path, {params, query});
    const made = headers();
    const key = contract.id === 'createTask' ? (idempotencyKey ?? world.newKey()) : idempotencyKey;
    if (key !== undefined) made.set('idempotency-key', key);
    if (contract.body !== undefined) made.set('content-type', 'application/json');
    const repeatable = key !== undefined || contract.method === 'get' || contract.method === 'put';
    // The platform corrects the case of some methods, and PATCH is not among them.
    const method = contract.method.toUpperCase();
    const what = `${method} ${target.pathname}`;
    const send = async (): Promise<Answer> => {
      const deadline = AbortSignal.timeout(timeoutMs);
      const either = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
      const text = contract.body === undefined ? null : JSON.stringify(body ?? {});
      return exchange(world, new Request(target, {method, headers: made, body: text, signal: either}));
    };
    const {response, text} = await reach(() => (repeatable ? onceMoreAfterReset(send) : send()), {
      base,
      timeoutMs,
      signal,
    });
    const schema = contract.responses[response.status];
    if (schema === undefined) throw errorOf(what, response, text);
    const parsed = schema.safeParse(parseJson(text));
    if (!parsed.success)
      throw new SwitchyardError(
        'internal',
        `${what} answered something else than promised: ${firstIssue(parsed.error)}`,
      );
    // The schema was looked up by the status that came, which the compiler cannot follow.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- parsed by one of the schemas of exactly this type
    return parsed.data as Output<(typeof contract)['responses']>;
  };

  return {
    url: base.href.replace(/\/$/, ''),
    call,
    followLog: (task, options = {}) =>
      followLog(
        {
          ...world,
          open: (from, signal) => {
            const target = operationUrl(base, '/v1/tasks/:task/log', {params: {task}, query: {from}});
            const made = headers();
            made.set('accept', 'text/event-stream');
            made.set('last-event-id', String(from));
            return reach(() => world.fetch(new Request(target, {headers: made, signal})), {base, timeoutMs, signal});
          },
        },
        options,
      ),
  };
}

/** Waits, or rejects with the reason of the signal. */
async function waitByTimer(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
    };
    signal?.addEventListener('abort', abort, {once: true});
  });
}

/** What the platform gives; a test gives its own. */
const platform: Surroundings = {
  fetch: request => fetch(request),
  random: () => (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32,
  newKey: () => crypto.randomUUID(),
  wait: waitByTimer,
};

type Answer = {readonly response: Response; readonly text: string};

/** The body is read under the same deadline as the headers. */
async function exchange(world: Surroundings, request: Request): Promise<Answer> {
  const response = await world.fetch(request);
  return {response, text: await readBounded(response)};
}

type Reach = {readonly base: URL; readonly timeoutMs: number; readonly signal?: AbortSignal | undefined};

/** Says what went wrong on the way in our words; the caller's own abort stays what it is. */
async function reach<Value>(send: () => Promise<Value>, {base, timeoutMs, signal}: Reach): Promise<Value> {
  try {
    return await send();
  } catch (error) {
    signal?.throwIfAborted();
    throw unreachable(base, error, timeoutMs);
  }
}

async function onceMoreAfterReset<Value>(send: () => Promise<Value>): Promise<Value> {
  try {
    return await send();
  } catch (error) {
    if (isReset(error)) return send();
    throw error;
  }
}

function baseUrl(url: string): URL {
  const parsed = URL.parse(url);
  if (parsed === null || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:'))
    throw new SwitchyardError(
      'configuration_invalid',
      `the URL of the control plane is ${JSON.stringify(url)}, expected http or https`,
    );
  if (!parsed.pathname.endsWith('/')) parsed.pathname += '/';
  parsed.search = '';
  parsed.hash = '';
  return parsed;
}

function operationUrl(base: URL, path: string, {params, query}: {params?: unknown; query?: unknown}): URL {
  const values = new Map(Object.entries(asRecord(params)));
  const filled = path
    .slice(1)
    .replaceAll(/:([a-z_]+)/g, (_, name: string) => encodeURIComponent(String(values.get(name))));
  const target = new URL(filled, base);
  for (const [name, value] of Object.entries(asRecord(query)))
    if (typeof value === 'string' || typeof value === 'number') target.searchParams.set(name, String(value));
  return target;
}

const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? {...value} : {};

/** A reused connection that the server had closed meanwhile: the request never reached it. */
function isReset(error: unknown): boolean {
  return ['ECONNRESET', 'UND_ERR_SOCKET', 'EPIPE'].includes(causeCode(error));
}

function causeCode(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : undefined;
  return typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
}

/** `fetch` says only that it failed; its cause says why. */
function causeText(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
}

function unreachable(base: URL, error: unknown, timeoutMs: number): SwitchyardError {
  if (error instanceof SwitchyardError) return error;
  const timedOut = error instanceof Error && error.name === 'TimeoutError';
  const why = timedOut ? `no answer within ${timeoutMs / 1_000} s` : causeCode(error) || causeText(error);
  return new SwitchyardError('control_plane_unreachable', `${base.origin}: ${why}`, {cause: error});
}

function firstIssue({issues}: z.ZodError): string {
  const issue = issues[0];
  return issue === undefined ? 'invalid' : `${issue.path.join('.')}: ${issue.message}`;
}
