import type {Context} from 'hono';
import * as z from 'zod';
import {fromBase64} from '@switchyard/shared/crypto/bytes.ts';
import {epochSchema, taskIdSchema} from '@switchyard/shared/domain/id.ts';
import {logExchangeSchema} from '@switchyard/shared/protocol/log-control.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {RUNNER_SUBPROTOCOL} from '@switchyard/shared/protocol/version.ts';
import {runnerHeader, runnerKeyHeader} from '../fleet/fleet-rpc.ts';
import {parseJsonBody, readBody} from '../http/body.ts';
import {offeredProtocols, requireUpgrade, upgradeRequest} from '../http/forward-upgrade.ts';
import type {Installation} from '../http/installation.ts';
import type {Api} from '../http/mount.ts';
import {unwrap} from '../http/problem.ts';
import {verifyRunner} from '../http/runner-auth.ts';
import {validate} from '../http/validate.ts';
import type {RunnerState} from '../tasklog/socket-role.ts';
import {logEpochHeader, logRoleHeader, logTaskHeader} from '../tasklog/task-log-rpc.ts';

/** A frame inside a JSON string may grow to twice its length by escapes. */
const POLL_BODY_BYTES_MAX = limits.controlFrameBytesMax * 2 + 1_024;

/** A window of frames, in base64, and what stands around it. */
const LOG_BODY_BYTES_MAX = limits.logWindowBytesMax * 2;

const pollSchema = z.strictObject({
  session: z.string().min(8).max(64),
  frame: z.string().max(limits.controlFrameBytesMax),
});
const logTicketHeader = 'x-log-ticket';
const logParams = z.strictObject({task: taskIdSchema});
const logQuery = z.strictObject({epoch: z.coerce.number().pipe(epochSchema)});

/** The doors of a runner: its control socket, the log of an attempt, and both again for networks without WebSockets. */
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
    const {runner, pool, jwk} = await verifyRunner(request, installation);
    const raw = await readBody(request, POLL_BODY_BYTES_MAX);
    const body = parseJsonBody(raw, request.headers.get('content-type') ?? undefined);
    const exchange = {...validate(pollSchema, body, 'body'), x: jwk.x, holdMs: limits.pollHoldMs};
    const {frame} = unwrap(await installation.fleet(pool).poll(runner, exchange));
    return Response.json({frame});
  });

  app.get('/v1/runner/log/:task', async context => {
    const request = context.req.raw;
    requireUpgrade(request);
    const {attempt, log} = await openLog(context, installation);
    const vouched = {
      [logRoleHeader]: 'runner',
      [logTaskHeader]: attempt.task,
      [logEpochHeader]: String(attempt.epoch),
      [runnerHeader]: attempt.runner,
    };
    return log.fetch(upgradeRequest(request.url, vouched, undefined));
  });

  app.post('/v1/runner/log/:task', async context => {
    const {attempt, log} = await openLog(context, installation);
    const request = context.req.raw;
    const raw = await readBody(request, LOG_BODY_BYTES_MAX);
    const json = parseJsonBody(raw, request.headers.get('content-type') ?? undefined);
    const {frames, control} = validate(logExchangeSchema, json, 'body');
    const bytes = frames.map(text => {
      const frame = fromBase64(text);
      if (frame === undefined) throw new SwitchyardError('invalid_request', 'body.frames: a frame is not base64');
      return frame;
    });
    const answer = await log.exchange(attempt, [...bytes, ...control]);
    if (!answer.ok) throw new SwitchyardError('invalid_request', `the log refused a message: ${answer.why}`);
    const {len, watching, messages} = answer;
    return Response.json({len, watching, messages});
  });
}

/** The log of an attempt, for the runner that holds its ticket. */
async function openLog(context: Context, installation: Installation) {
  const request = context.req.raw;
  const {task} = validate(logParams, context.req.param(), 'params');
  const {epoch} = validate(logQuery, context.req.query(), 'query');
  const {runner, pool} = await verifyRunner(request, installation);
  const ticket = request.headers.get(logTicketHeader) ?? '';
  if (!(await installation.seal.verifyTicket(ticket, {pool, task, epoch, runner})))
    throw new SwitchyardError('unauthorized', `the ticket does not open the log of attempt ${epoch} for this runner`);
  const attempt: RunnerState = {role: 'runner', task, epoch, runner};
  return {attempt, log: installation.taskLog(pool, task)};
}
