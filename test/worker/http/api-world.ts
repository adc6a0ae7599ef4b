import {applyD1Migrations} from 'cloudflare:test';
import {env, exports} from 'cloudflare:workers';
import {expect} from 'vitest';
import {fromBase64, toHex} from '@switchyard/shared/crypto/bytes.ts';
import {credentialMint} from '@switchyard/shared/crypto/credential.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';

export const origin = 'https://switchyard.test';

export async function mint() {
  return credentialMint(fromBase64(env.SWITCHYARD_SECRET) ?? new Uint8Array());
}

export type Call = {
  readonly method?: string;
  readonly token?: string | undefined;
  /** Sent as it is when text or bytes, else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

/** One request to the Worker, through its own front door. */
export async function call(path: string, {method = 'GET', token, body, headers = {}}: Call = {}): Promise<Response> {
  const sent = new Headers(headers);
  if (token !== undefined) sent.set('authorization', `Bearer ${token}`);
  if (body !== undefined && !sent.has('content-type')) sent.set('content-type', 'application/json');
  const isRaw = typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream;
  const content = body === undefined || isRaw ? (body as BodyInit | undefined) : JSON.stringify(body);
  return exports.default.fetch(new Request(origin + path, {method, headers: sent, body: content ?? null}));
}

export async function json<Body>(response: Response, status: number): Promise<Body> {
  const text = await response.text();
  expect({status: response.status, text}).toMatchObject({status});
  return JSON.parse(text) as Body;
}

/** The code of a problem document, whose form is checked on the way. */
export async function problem(response: Response): Promise<{status: number; code: string; detail: string}> {
  const text = await response.text();
  expect(response.headers.get('content-type'), text).toBe('application/problem+json');
  const {status, code, detail, request_id: id} = JSON.parse(text) as Record<string, string>;
  expect(response.headers.get('x-request-id')).toBe(id);
  expect(Number(status)).toBe(response.status);
  return {status: response.status, code: String(code), detail: String(detail)};
}

let poolsMade = 0;

export async function migrated(): Promise<void> {
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
}

/** A pool of its own and its admin token. */
export async function newPool(name?: string): Promise<{pool: string; token: string}> {
  poolsMade += 1;
  const pool = name ?? `pool-${toHex(crypto.getRandomValues(new Uint8Array(4)))}-${poolsMade}`;
  const root = await (await mint()).rootToken();
  const response = await call('/v1/pools', {method: 'POST', token: root, body: {team: 'testers', pool}});
  return {pool, token: (await json<{token: string}>(response, 201)).token};
}

export async function newTask(token: string, body: object = {}): Promise<TaskView> {
  const response = await call('/v1/tasks', {method: 'POST', token, body: {prompt: 'do it', ...body}});
  return json<TaskView>(response, 201);
}

export async function newToken(admin: string, scope: 'read' | 'write' | 'admin'): Promise<string> {
  const response = await call('/v1/credentials', {
    method: 'POST',
    token: admin,
    body: {kind: 'token', name: scope, scope},
  });
  return (await json<{credential: string}>(response, 201)).credential;
}
