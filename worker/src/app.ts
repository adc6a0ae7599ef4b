import {Hono} from 'hono';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {withAnswerHeaders} from './http/answer-headers.ts';
import {requestIdOf} from './http/exchange.ts';
import type {Installation, Platform} from './http/installation.ts';
import {requireKnownHost} from './http/known-host.ts';
import {
  allowedMethods,
  apiRoots,
  knownRoutes,
  MethodNotAllowedError,
  rootOf,
  type KnownRoute,
} from './http/known-routes.ts';
import {problemResponse} from './http/problem.ts';
import {isStorageFull} from './storage-full.ts';
import {mountAgents} from './routes/agents-b.ts';
import {mountApprovals} from './routes/approvals.ts';
import {mountBudgets} from './routes/budgets.ts';
import {mountCredentials} from './routes/credentials.ts';
import {mountDispatch} from './routes/dispatch-c.ts';
import {degradedHealth, mountHealth} from './routes/health.ts';
import {mountHistory} from './routes/history.ts';
import {mountPool} from './routes/pool.ts';
import {mountRunnerLink} from './routes/runner-link.ts';
import {mountRunners} from './routes/runners.ts';
import {mountTaskLog} from './routes/task-log.ts';
import {mountTasks} from './routes/tasks.ts';

export type Server = (request: Request) => Promise<Response>;

/** The whole HTTP surface over a checked configuration. */
export function createServer(installation: Installation): Server {
  const app = new Hono();
  const api = {app, installation};
  mountTasks(api);
  mountApprovals(api);
  mountTaskLog(api);
  mountRunners(api);
  mountRunnerLink(api);
  mountHistory(api);
  mountPool(api);
  mountBudgets(api);
  mountCredentials(api);
  mountHealth(api);
  mountDispatch(api);
  mountAgents(api);
  const known = {routes: knownRoutes(app), roots: apiRoots(app)};
  // One place turns errors into answers: the catch below, which knows the id of the request.
  app.onError(error => {
    throw error;
  });
  app.notFound(async context => unrouted(context.req.raw, known, installation));
  return answering(async request => {
    requireKnownHost(request, installation.hosts);
    return app.fetch(request);
  }, installation.platform);
}

/** What is left when the configuration cannot be trusted: every answer but health is a refusal. Nothing is guessed. */
export function createRefusingServer(error: SwitchyardError, platform: Platform): Server {
  const refusal = new SwitchyardError('unavailable', `configuration_invalid: ${error.detail}`, {cause: error});
  return answering(async request => {
    if (new URL(request.url).pathname === '/v1/health') return degradedHealth(error, platform.nowMs());
    throw refusal;
  }, platform);
}

function answering(handle: Server, platform: Platform): Server {
  return async request => {
    const requestId = requestIdOf(request, platform.randomBytes);
    const isHttps = request.url.startsWith('https:');
    let response: Response;
    try {
      response = await handle(request);
    } catch (thrown) {
      response = problemResponse(expected(thrown, requestId, platform), {requestId, nowMs: platform.nowMs()});
    }
    return withAnswerHeaders(response, {requestId, isHttps});
  };
}

/** What nobody foresaw is told to the operator, and to the caller only as an id to report; of a full disk, that it is one. */
function expected(thrown: unknown, requestId: string, {report}: Platform): SwitchyardError {
  if (thrown instanceof SwitchyardError && thrown.code !== 'internal') return thrown;
  report({request: requestId, error: thrown});
  if (isStorageFull(thrown)) return new SwitchyardError('storage_full', 'the storage of the control plane is full');
  return new SwitchyardError('internal', 'something failed that should not; it was logged under the request id');
}

type Known = {readonly routes: readonly KnownRoute[]; readonly roots: ReadonlySet<string>};

async function unrouted(request: Request, {routes, roots}: Known, {assets}: Installation): Promise<Response> {
  const {pathname} = new URL(request.url);
  const allowed = allowedMethods(routes, pathname);
  if (allowed.length > 0) throw new MethodNotAllowedError(request.method, allowed);
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  // To ask for a page costs ten times a refusal.
  if (assets !== undefined && isRead && !roots.has(rootOf(pathname))) {
    const asset = await assets.fetch(new Request(request.url, {method: request.method, headers: conditional(request)}));
    if (asset.status !== 404) return asset;
  }
  throw new SwitchyardError('not_found', 'there is nothing at this path');
}

function conditional(request: Request): Headers {
  const headers = new Headers();
  for (const name of ['if-none-match', 'if-modified-since', 'accept-encoding']) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  return headers;
}
