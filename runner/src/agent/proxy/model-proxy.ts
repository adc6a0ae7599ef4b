import type {IncomingMessage, ServerResponse} from 'node:http';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {ModelAccess, ToolAccess} from '../driver.ts';
import type {Figures} from '@switchyard/shared/policy/budget.ts';
import {dayOf} from '@switchyard/shared/policy/budget-period.ts';
import {costMicros} from '@switchyard/shared/policy/model-price.ts';
import {reserve, settle, wantedFor, type AskedRequest, type Budget} from './allowance.ts';
import type {ModelKey} from '../../secrets/model-keys.ts';
import type {AuditEntry} from './audit-log.ts';
import {forward} from './forward.ts';
import {grantToken, readGrantToken, withoutTokens, type Grant} from './grant.ts';
import type {Ledger} from './ledger.ts';
import {LoopbackServer} from './loopback-server.ts';
import type {ToolResult} from './mcp-calls.ts';
import {EMIT_PATH, isToolPath, MCP_PATH, serveTools} from './mcp-server.ts';
import {isProviderName, providers, type ProviderName} from './provider.ts';
import {STATUS_PATH, type Listening} from './proxy-status.ts';
import {HEALTH_PATH, HEALTHY} from './proxy-watch.ts';
import {refusalDocument, refusalHeaders, type Refusal} from './refusal.ts';
import {readBody} from './request-body.ts';
import {factsOf, routeOf, tokenOf} from './request-facts.ts';
import {usageLimitStop} from './stop.ts';
import {usageLimitOf, type RefusedAnswer} from './usage-limit.ts';
import {noUsage, type Usage} from './usage-reader.ts';

export type ModelProxyOptions = {
  /** The port of an earlier process of this runner, whose agents still use it; 0 takes any. */
  readonly port: number;
  readonly secret: Uint8Array;
  /** With where the provider is asked under this key, when that is not its own address. */
  readonly keyOf: (provider: ProviderName) => Promise<ModelKey | undefined>;
  /** Whether the attempt holds its lease right now. */
  readonly isLive: (grant: Grant) => boolean;
  readonly budgetOf: (grant: Grant) => Budget;
  /** Asks the control plane for a slice that reaches so far. False when it did not answer. */
  readonly enlarge: (grant: Grant, wanted: Figures) => Promise<boolean>;
  readonly ledger: Ledger;
  readonly audit: (entry: AuditEntry) => void;
  /** A call of a tool of ours by the agent of an attempt. */
  readonly callTool: (grant: Grant, tool: string, input: unknown) => Promise<ToolResult>;
  /** Only for durations. */
  readonly nowMs: () => number;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
};

type Asked = {readonly grant: Grant; readonly provider: ProviderName; readonly path: string; readonly query: string};
type Answered = {
  readonly status: number;
  readonly reason: string | null;
  readonly usage: Usage | null;
  readonly refused: RefusedAnswer | null;
  readonly model?: string;
  readonly costMicros?: number;
};

/**
 * The one way of an agent to a model: it holds a token of its attempt, this holds the key. The key never enters the place
 * where the agent runs, every token spent passes the meter, and the token dies with the lease.
 */
export class ModelProxy {
  readonly #options: ModelProxyOptions;
  readonly #server: LoopbackServer;
  /** Attempts that were given a way here, by name. */
  readonly #given = new Map<string, Grant>();
  #sinceMs: number;

  private constructor(options: ModelProxyOptions, server: LoopbackServer) {
    this.#options = options;
    this.#server = server;
    this.#sinceMs = options.wallMs();
  }

  /** Falls back to another port when the wanted one is taken: agents of before lose their model and are tried again. */
  static async start(options: ModelProxyOptions): Promise<ModelProxy> {
    const server = await LoopbackServer.start(options.port, async (request, response) =>
      proxy.#serve(request, response),
    );
    const proxy = new ModelProxy(options, server);
    return proxy;
  }

  get port(): number {
    return this.#server.port;
  }

  /** Listens anew: tokens and figures stay as they are, and so does what is being answered. */
  async reopen(): Promise<void> {
    await this.#server.reopen();
    this.#sinceMs = this.#options.wallMs();
  }

  /** Since when it listens, and for how many attempts that hold their lease. */
  status(): Listening {
    for (const [name, grant] of this.#given) if (!this.#options.isLive(grant)) this.#given.delete(name);
    return {since_ms: this.#sinceMs, attempts: this.#given.size};
  }

  /** What an attempt needs to reach a model, and nothing more. */
  accessOf(grant: Grant): ModelAccess {
    this.#given.set(`${grant.task} ${grant.epoch}`, grant);
    const base = `http://127.0.0.1:${this.port}`;
    return {
      token: grantToken(this.#options.secret, grant),
      urls: {anthropic: `${base}/anthropic`, openai: `${base}/openai/v1`, google: `${base}/google`},
    };
  }

  /** What an attempt needs to call our tools, and nothing more. */
  toolAccessOf(grant: Grant): ToolAccess {
    this.#given.set(`${grant.task} ${grant.epoch}`, grant);
    const base = `http://127.0.0.1:${this.port}`;
    return {
      token: grantToken(this.#options.secret, grant, 'tools'),
      mcpUrl: `${base}${MCP_PATH}`,
      emitUrl: `${base}${EMIT_PATH}`,
    };
  }

  async close(): Promise<void> {
    await this.#server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startMs = this.#options.nowMs();
    const {method = 'GET', url = '/'} = request;
    const said = method === 'GET' ? this.#saidAt(url) : undefined;
    if (said !== undefined) {
      response.writeHead(200, {'content-type': 'application/json'}).end(said);
      return;
    }
    if (isToolPath(request.url)) return serveTools(this.#options, request, response);
    const asked = this.#ask(request);
    const provider = 'grant' in asked ? asked.provider : routedProvider(url);
    const answered =
      'grant' in asked ? await this.#answer(asked, request, response) : refuse(response, provider, asked);
    this.#options.audit({
      task: 'grant' in asked ? asked.grant.task : null,
      epoch: 'grant' in asked ? asked.grant.epoch : null,
      provider: provider ?? null,
      method,
      path: shownPath(url),
      durationMs: Math.round(this.#options.nowMs() - startMs),
      ...outcomeOf(answered),
    });
  }

  /** What it says of itself, to everybody on this machine. */
  #saidAt(url: string): string | undefined {
    if (url === HEALTH_PATH) return HEALTHY;
    return url === STATUS_PATH ? JSON.stringify(this.status()) : undefined;
  }

  #ask({headers, method, url = '/'}: IncomingMessage): Asked | Refusal {
    const token = tokenOf(headers);
    const grant = token === undefined ? undefined : readGrantToken(this.#options.secret, token);
    if (grant === undefined)
      return {status: 403, reason: 'unauthorized', message: 'this is no token of an attempt on this machine'};
    if (!this.#options.isLive(grant)) return leaseLost;
    const route = routeOf(url);
    if (
      route === undefined ||
      !isProviderName(route.provider) ||
      !providers[route.provider].paths.some(path => path.test(route.path)) ||
      (method !== 'POST' && method !== 'GET' && method !== 'HEAD')
    )
      return {status: 403, reason: 'path', message: 'the model proxy does not serve this path'};
    return {grant, provider: route.provider, path: route.path, query: route.query};
  }

  async #answer(asked: Asked, request: IncomingMessage, response: ServerResponse): Promise<Answered> {
    const {grant, provider} = asked;
    const {ledger, keyOf} = this.#options;
    const body = await readBody(request, limits.modelRequestBytesMax);
    if (body === undefined)
      return refuse(response, provider, {
        status: 413,
        reason: 'body_too_large',
        message: `the request is larger than ${limits.modelRequestBytesMax} bytes`,
      });
    const key = await keyOf(provider).catch(() => null);
    if (key === null)
      return refuse(response, provider, {
        status: 503,
        reason: 'key_store',
        message: 'the key store of this machine does not answer: switchyard doctor says why',
      });
    if (key === undefined)
      return refuse(response, provider, {
        status: 403,
        reason: 'no_key',
        message: `this machine has no key for ${provider}: switchyard keys set ${provider}`,
      });
    await ledger.open(grant);
    const wanted = this.#request(asked, {isPost: request.method === 'POST', body});
    const refusal = await this.#refusal(grant, wanted);
    if (refusal !== undefined) return {...refuse(response, provider, refusal), model: wanted.model};
    const used = await this.#forward(asked, {request, response, body, key});
    const {usage} = used;
    ledger.set(grant, settle(ledger.of(grant), wanted, usage ?? noUsage));
    this.#noteStop(grant, used);
    // What cannot be noted on disk still counts in memory.
    if (usage !== null) await ledger.save(grant).catch(() => undefined);
    const cost = usage === null ? {} : {costMicros: costMicros(wanted.model, wanted.day, usage)};
    return {...used, model: wanted.model, ...cost};
  }

  #request({path}: Asked, {isPost, body}: {readonly isPost: boolean; readonly body: Buffer}): AskedRequest {
    const {model, estimate} = factsOf(path, body);
    return {model, day: dayOf(this.#options.wallMs()), estimate: isPost ? estimate : noUsage};
  }

  /** Sets aside what the request may cost, after asking for a larger slice where it needs one. */
  async #refusal(grant: Grant, wanted: AskedRequest): Promise<Refusal | undefined> {
    const {ledger, budgetOf, enlarge, isLive} = this.#options;
    const needed = wantedFor(ledger.of(grant), budgetOf(grant), wanted);
    const isAnswered = needed === null || (await enlarge(grant, needed));
    if (!isLive(grant)) return leaseLost;
    const reservation = reserve(ledger.of(grant), budgetOf(grant), wanted);
    if (reservation.allowed) {
      ledger.set(grant, reservation.spending);
      if (ledger.stopOf(grant)?.kind === 'budget') ledger.stop(grant, null);
      return undefined;
    }
    const {by, why} = reservation;
    if (by === 'slice' && !isAnswered)
      return {status: 503, reason: 'budget_unknown', message: 'the control plane does not say what is left to spend'};
    ledger.stop(grant, {kind: 'budget', by, why});
    await ledger.save(grant).catch(() => undefined);
    return {status: 429, reason: 'budget', message: why};
  }

  #noteStop(grant: Grant, {usage, refused}: Answered): void {
    const {ledger, wallMs} = this.#options;
    const untilMs = refused === null ? undefined : usageLimitOf(refused, wallMs());
    if (untilMs !== undefined) {
      ledger.stop(grant, usageLimitStop(untilMs));
    } else if (usage !== null && refused === null && ledger.stopOf(grant)?.kind === 'usage_limit') {
      ledger.stop(grant, null);
    }
  }

  async #forward(
    {grant, provider, path, query}: Asked,
    {request, response, body, key}: {request: IncomingMessage; response: ServerResponse; body: Buffer; key: ModelKey},
  ): Promise<Answered> {
    const {keyHeader, upstream} = providers[provider];
    const {value, url = upstream} = key;
    try {
      const outcome = await forward(
        {
          method: request.method ?? 'POST',
          headers: request.headers,
          body,
          url: new URL(`${url}${path}${query}`),
          key: {header: keyHeader, value: keyHeader === 'authorization' ? `Bearer ${value}` : value},
          onBytes: count => this.#options.ledger.addBytes(grant, count),
        },
        response,
      );
      return {...outcome, reason: null};
    } catch (error) {
      if (response.headersSent || response.destroyed) return gone;
      // The text of the error may name the address of a private gateway; its kind is enough.
      const why = error instanceof Error && 'code' in error ? String(error.code) : 'no answer';
      return refuse(response, provider, {
        status: 502,
        reason: 'upstream',
        message: `${provider} could not be reached (${why})`,
      });
    }
  }
}

function outcomeOf({
  status,
  reason,
  usage,
  model,
  costMicros: cost,
}: Answered): Pick<AuditEntry, 'status' | 'allowed' | 'reason' | 'usage' | 'model' | 'costMicros'> {
  return {status, allowed: reason === null, reason, usage, model: model ?? null, costMicros: cost ?? null};
}

const leaseLost: Refusal = {status: 403, reason: 'lease_lost', message: 'the attempt holds its lease no more'};

const gone: Answered = {status: 499, reason: 'the agent left', usage: null, refused: null};

/** A path as people may see it: without its query, and without a token that somebody put into it. */
const shownPath = (url: string): string => withoutTokens(url.split(/[?#]/)[0] ?? '').slice(0, 200);

function routedProvider(url: string): ProviderName | undefined {
  const name = routeOf(url)?.provider;
  return name !== undefined && isProviderName(name) ? name : undefined;
}

function refuse(response: ServerResponse, provider: ProviderName | undefined, refusal: Refusal): Answered {
  const shape = provider === undefined ? 'anthropic' : providers[provider].errorShape;
  // What cannot be reached now may be reached again; everything else stays refused.
  const isPassing = ['upstream', 'budget_unknown', 'key_store'].includes(refusal.reason);
  const headers = isPassing ? {'content-type': 'application/json'} : refusalHeaders;
  response.writeHead(refusal.status, {...headers, connection: 'close'}).end(refusalDocument(shape, refusal));
  return {status: refusal.status, reason: refusal.reason, usage: null, refused: null};
}
