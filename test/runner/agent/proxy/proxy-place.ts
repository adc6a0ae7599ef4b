import {mkdtemp, rm} from 'node:fs/promises';
import {request} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {onTestFinished} from 'vitest';
import {noLimits, type Figures, type Limits} from '@switchyard/shared/policy/budget.ts';
import type {AuditEntry} from '../../../../runner/src/agent/proxy/audit-log.ts';
import {grantToken} from '../../../../runner/src/agent/proxy/grant.ts';
import {Ledger} from '../../../../runner/src/agent/proxy/ledger.ts';
import {McpCalls} from '../../../../runner/src/agent/proxy/mcp-calls.ts';
import {ModelProxy} from '../../../../runner/src/agent/proxy/model-proxy.ts';
import {createRunDirectory} from '../../../../runner/src/executor/run-directory.ts';
import {ModelApi} from '../../../fixtures/model-api/model-api.ts';
import {chosenBy, type Scenario} from '../../../fixtures/model-api/scenario.ts';

export const secret = new Uint8Array(32).fill(7);
export const grant = {task: 'tsk_1', epoch: 3};
export const REAL_KEY = 'sk-ant-api03-the-real-key';

/** A proxy before a model API that plays a scenario, with what a test may turn while it runs. */
export type Place = {
  readonly api: ModelApi;
  readonly proxy: ModelProxy;
  readonly audit: AuditEntry[];
  readonly runDir: string;
  readonly ledger: Ledger;
  readonly calls: McpCalls;
} & Held;

type Held = {live: boolean; key: string | undefined; slice: Limits; wallMs: number};

export async function place({
  scenario = [],
  own = noLimits,
  slice = noLimits,
  enlarge = async () => true,
  upstream,
  keyOf,
  port = 0,
}: {
  scenario?: Scenario;
  own?: Limits;
  slice?: Limits;
  enlarge?: (wanted: Figures, at: Held) => Promise<boolean>;
  upstream?: string;
  /** Instead of the key that a test may turn. */
  keyOf?: () => Promise<string | undefined>;
  port?: number;
} = {}): Promise<Place> {
  const api = await ModelApi.start({s: scenario});
  const runDir = await mkdtemp(join(tmpdir(), 'proxy-'));
  await createRunDirectory(runDir);
  const audit: AuditEntry[] = [];
  const held: Held = {live: true, key: REAL_KEY, slice, wallMs: Date.UTC(2026, 10, 20, 12)};
  const ledger = new Ledger(() => runDir);
  const calls = new McpCalls();
  const proxy = await ModelProxy.start({
    port,
    secret,
    keyOf: async () => {
      const value = keyOf === undefined ? held.key : await keyOf();
      return value === undefined ? undefined : {value, url: upstream ?? api.url};
    },
    isLive: () => held.live,
    budgetOf: () => ({own, slice: held.slice}),
    enlarge: async (_, wanted) => enlarge(wanted, held),
    ledger,
    audit: entry => void audit.push(entry),
    callTool: async (from, tool, input) => calls.call(from, tool, input),
    nowMs: () => performance.now(),
    wallMs: () => held.wallMs,
  });
  onTestFinished(async () => {
    await proxy.close();
    await api.close();
    await rm(runDir, {recursive: true});
  });
  return Object.assign(held, {api, proxy, audit, runDir, ledger, calls});
}

export const body = (more: object = {}) =>
  JSON.stringify({
    model: 'm',
    max_tokens: 100,
    stream: true,
    messages: [{role: 'user', content: chosenBy('s')}],
    tools: [{name: 'Bash', function: {name: 'Bash'}}],
    ...more,
  });

type Asked = {path?: string; token?: string; body?: string; method?: string; headers?: Record<string, string>};

/** Bare HTTP, because `fetch` would clean up a path before it is sent. */
export async function ask(
  {proxy}: Place,
  {
    path = '/anthropic/v1/messages',
    token = grantToken(secret, grant),
    method = 'POST',
    headers = {},
    ...more
  }: Asked = {},
) {
  const outgoing = request({
    host: '127.0.0.1',
    port: proxy.port,
    path,
    method,
    agent: false,
    headers: {'x-api-key': token, 'content-type': 'application/json', ...headers},
  });
  outgoing.end(more.body ?? body());
  const {promise, resolve, reject} = Promise.withResolvers<{
    status: number;
    headers: Record<string, unknown>;
    text: string;
  }>();
  outgoing.on('error', reject);
  outgoing.on('response', answer => {
    text(answer).then(said => resolve({status: answer.statusCode ?? 0, headers: answer.headers, text: said}), reject);
  });
  return promise;
}
