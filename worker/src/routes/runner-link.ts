import * as z from 'zod';
import {epochSchema, taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {RUNNER_SUBPROTOCOL} from '@switchyard/shared/protocol/version.ts';
import {runnerHeader, runnerKeyHeader} from '../fleet/fleet-rpc.ts';
import {parseJsonBody, readBody} from '../http/body.ts';
import {offeredProtocols, requireUpgrade, upgradeRequest} from '../http/forward-upgrade.ts';
import type {Api} from '../http/mount.ts';
import {unwrap} from '../http/problem.ts';
import {verifyRunner} from '../http/runner-auth.ts';
import {validate} from '../http/validate.ts';
import {logEpochHeader, logRoleHeader, logTaskHeader} from '../tasklog/task-log-rpc.ts';

/** A frame inside a JSON string may grow to twice its length by escapes. */
const POLL_BODY_BYTES_MAX = limits.controlFrameBytesMax * 2 + 1_024;

const pollSchema = z.strictObject({
  session: z.string().min(8).max(64),
  frame: z.string().max(limits.controlFrameBytesMax),
});
const logTicketHeader = 'x-log-ticket';
const logParams = z.strictObject({task: taskIdSchema});
const logQuery = z.strictObject({epoch: z.coerce.number().pipe(epochSchema)});

/** The three doors of a runner: its control socket, the same messages by polling, and the log of an attempt. */
export function mountRunnerLink({app, installation}: Api): void {
  app.get('/v1/runner/connect', async context => {
    const request = context.req.raw;
    requireUpgrade(request);
    if (!offeredProtocols(request).includes(RUNNER_SUBPROTOCOL))
      throw new SwitchyardError('protocol_unsupported', `the runner does not offer ${RUNNER_SUBPROTOCOL}`);
    const {runner, pool, jwk} = await verifyRunner(request, installation);
    const vouched = {[runnerHeader]: runner, [runnerKeyHeader]: jwk.x};
    return installation.fleet(pool).fetch(upgradeRequest(request.url, vouched, RUNNER_SUBPROTOCOL));
  });

  app.post('/v1/runner/poll', async context => {
    const request = context.req.raw;
    const {runner, pool} = await verifyRunner(request, installation);
    const raw = await readBody(request, POLL_BODY_BYTES_MAX);
    const body = parseJsonBody(raw, request.headers.get('content-type') ?? undefined);
    const exchange = {...validate(pollSchema, body, 'body'), holdMs: limits.pollHoldMs};
    const {frame} = unwrap(await installation.fleet(pool).poll(runner, exchange));
    return Response.json({frame});
  });

  app.get('/v1/runner/log/:task', async context => {
    const request = context.req.raw;
    requireUpgrade(request);
    const {task} = validate(logParams, context.req.param(), 'params');
    const {epoch} = validate(logQuery, context.req.query(), 'query');
    const {runner, pool} = await verifyRunner(request, installation);
    const ticket = request.headers.get(logTicketHeader) ?? '';
    if (!(await installation.seal.verifyTicket(ticket, {pool, task, epoch, runner})))
      throw new SwitchyardError('unauthorized', `the ticket does not open the log of attempt ${epoch} for this runner`);
    const vouched = {
      [logRoleHeader]: 'runner',
      [logTaskHeader]: task,
      [logEpochHeader]: String(epoch),
      [runnerHeader]: runner,
    };
    return installation.taskLog(pool, task).fetch(upgradeRequest(request.url, vouched, undefined));
  });
}
