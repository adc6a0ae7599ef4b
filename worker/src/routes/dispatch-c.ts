import type {Context} from 'hono';
import * as z from 'zod';
import {
  dispatchRequestSchema,
  dispatchSpec,
  dispatchTask,
  type DispatchRequest,
} from '@switchyard/shared/api/dispatch-view.ts';
import type {PoolView} from '@switchyard/shared/api/pool-contracts.ts';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import type {Bytes} from '@switchyard/shared/crypto/bytes.ts';
import type {Caller} from '../fleet/fleet-rpc.ts';
import {firstTask, submissionText} from '../fleet/submission-text.ts';
import {parseJsonBody, readBody} from '../http/body.ts';
import {authorize, bearerOf, claimOf, type Access} from '../http/caller.ts';
import {headerOf, signedView} from '../http/exchange.ts';
import type {Installation} from '../http/installation.ts';
import type {Api} from '../http/mount.ts';
import {unwrap} from '../http/problem.ts';
import {validate} from '../http/validate.ts';
import {cancelled} from './cancelled.ts';
import {idempotencyOf} from './tasks.ts';

/**
 * The paths and shapes of dispatchers that exist already, over the same tasks. Differences that are meant: reading and
 * deleting need a signature or a token, no answer holds a secret, and a task that finds no capacity is queued.
 */
export function mountDispatch(api: Api): void {
  const {app, installation} = api;

  app.post('/tasks', async context => {
    const {access, rawBody} = await open(context, installation);
    const body = parseJsonBody(rawBody, context.req.header('content-type'));
    const request = validate(dispatchRequestSchema, body, 'body');
    const isQueued = request.queue !== false && context.req.query('queue') !== 'false';
    const submission = submissionText({
      specs: [specOf(request)],
      idempotency: await idempotencyOf(`dispatch:${request.taskId}`, rawBody),
      queue: isQueued,
      alias: request.taskId,
    });
    const {status} = dispatchTask(firstTask(unwrap(await access.fleet.submit(access.caller, submission))));
    return Response.json({taskId: request.taskId, status}, {status: 202});
  });

  app.get('/tasks/:id', async context => {
    const {access} = await open(context, installation);
    return Response.json(dispatchTask(await byAlias(access, context.req.param('id'))));
  });

  app.delete('/tasks/:id', async context => {
    const {access} = await open(context, installation);
    const {id} = await byAlias(access, context.req.param('id'));
    const request = {task: id, reason: 'cancelled by the dispatcher', graceMs: limits.cancelGraceMs};
    const task = cancelled(unwrap(await access.fleet.cancel(followUp(access.caller), request)));
    const status = task.state === 'cancelling' ? 'cancelling' : dispatchTask(task).status;
    return Response.json({taskId: context.req.param('id'), status});
  });

  app.get('/health', async context => Response.json(await dispatchHealth(context, installation)));

  app.post('/admin/refresh-token', async context => {
    const {access} = await open(context, installation);
    unwrap(await access.fleet.getPool(access.caller));
    // There is no GitHub App whose token could be refreshed: `refreshed` says so instead of pretending.
    return Response.json({status: 'not_configured', refreshed: false, tokenExpiresAt: null});
  });

  app.post('/admin/shutdown', async context => {
    const {access} = await open(context, installation);
    const {slots} = unwrap(await access.fleet.shutdown(access.caller));
    // A deployed Worker has nothing to exit from: it stays drained until somebody lets the pool go on.
    const exits = (await installation.embedder?.shutDown(access.pool)) ?? false;
    return Response.json({status: 'shutting_down', pool: access.pool, running: slots.held, exits});
  });
}

async function open(context: Context, installation: Installation): Promise<{access: Access; rawBody: Bytes}> {
  const claim = await claimOf(headerOf(context.req.raw), 'signed', installation);
  const rawBody = await readBody(context.req.raw, limits.bodyBytesMax);
  return {access: await claim(signedView(context.req.raw, rawBody)), rawBody};
}

/**
 * The caller for a second question of one request: the first took the nonce, and settled that this signer may write. A
 * token is asked for its scope again.
 */
function followUp(caller: Caller): Caller {
  return caller.kind === 'token' ? caller : {kind: 'root'};
}

async function byAlias({fleet, caller}: Access, alias: string) {
  return unwrap(await fleet.taskByAlias(caller, alias));
}

/** What the dispatcher's fields make of a spec is checked by the spec's own schema, and refused in the same words. */
function specOf(request: DispatchRequest): TaskSpec {
  try {
    return dispatchSpec(request);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const issue = error.issues[0];
    throw new SwitchyardError('invalid_request', `${issue?.path.join('.') ?? 'body'}: ${issue?.message ?? 'invalid'}`);
  }
}

/** Numbers are for monitors that have no key; the names of machines only for those that have one. */
async function dispatchHealth(context: Context, installation: Installation) {
  const signed = signedView(context.req.raw, new Uint8Array());
  const access = bearerOf(signed.header) === undefined ? undefined : await authorize(signed, 'read', installation);
  const fleet = access?.fleet ?? (installation.dispatch && installation.fleet(installation.dispatch.pool));
  if (fleet === undefined)
    throw new SwitchyardError(
      'not_found',
      'this installation has no DISPATCH_SECRET and so no pool for dispatchers: a token reads the health of its own',
    );
  const pool = unwrap(await fleet.getPool(access?.caller ?? {kind: 'root'}));
  const runners = access === undefined ? [] : unwrap(await access.fleet.listRunners(access.caller)).runners;
  return {
    status: serviceState(pool),
    capacity: pool.slots.total,
    running: pool.slots.held,
    available: Math.max(0, pool.slots.total - pool.slots.held),
    githubTokenExpiresAt: null,
    runners: runners.map(({id, name, state, slots, held}) => ({id, name, state, capacity: slots, running: held})),
  };
}

/** `degraded` still accepts tasks: they wait for a runner. */
function serviceState({settings, runners}: PoolView): 'ready' | 'degraded' | 'shutting_down' {
  if (settings.draining) return 'shutting_down';
  return settings.paused || runners.connected === 0 ? 'degraded' : 'ready';
}
