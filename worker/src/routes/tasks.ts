import * as contracts from '@switchyard/shared/api/task-contracts.ts';
import {sha256, toHex, type Bytes} from '@switchyard/shared/crypto/bytes.ts';
import type {Submission} from '../fleet/fleet-rpc.ts';
import {submissionText} from '../fleet/submission-text.ts';
import {jsonAnswer} from '../http/answer-headers.ts';
import {idempotencyKey} from '../http/caller.ts';
import {mount, type Api} from '../http/mount.ts';
import {unwrap} from '../http/problem.ts';
import {cancelled} from './cancelled.ts';

export function mountTasks(api: Api): void {
  mountSubmissions(api);

  mount(
    api,
    contracts.listTasks,
  )(async ({fleet, caller, query: {state, ...query}}) => {
    const page = unwrap(await fleet.listTasks(caller, {...query, states: state}));
    return {status: 200, body: {tasks: [...page.tasks], next: page.next}};
  });

  mount(
    api,
    contracts.getTask,
  )(async ({fleet, caller, params}) => ({status: 200, body: unwrap(await fleet.getTask(caller, params.task))}));

  mount(
    api,
    contracts.listTaskEvents,
  )(async ({fleet, caller, params, query}) => {
    const page = unwrap(await fleet.listEvents(caller, {task: params.task, ...query}));
    return {status: 200, body: {events: [...page.events], next: page.next}};
  });

  mount(
    api,
    contracts.cancelTask,
  )(async ({fleet, caller, params, body}) => {
    const request = {task: params.task, reason: body.reason, graceMs: body.grace_ms};
    return {status: 200, body: cancelled(unwrap(await fleet.cancel(caller, request)))};
  });

  mount(
    api,
    contracts.retryTask,
  )(async ({fleet, caller, params}) => ({status: 201, body: unwrap(await fleet.retry(caller, params.task))}));

  mount(
    api,
    contracts.messageTask,
  )(async ({fleet, caller, params, body}) => {
    const sent = unwrap(await fleet.message(caller, {task: params.task, ...body}));
    return {status: 202, body: {seq: sent.seq, task: sent.task}};
  });
}

function mountSubmissions(api: Api): void {
  mount(
    api,
    contracts.createTask,
  )(async ({fleet, caller, header, query, body: spec, rawBody}) => {
    const idempotency = await idempotencyOf(idempotencyKey(header, caller), rawBody);
    const submission = submissionText({specs: [spec], idempotency, queue: query.queue === 'true'});
    const {first, created} = unwrap(await fleet.submit(caller, submission));
    return jsonAnswer(first, created ? 201 : 200);
  });

  mount(
    api,
    contracts.createTasks,
  )(async ({fleet, caller, header, body, rawBody}) => {
    const idempotency = await idempotencyOf(idempotencyKey(header, caller), rawBody);
    const submission = submissionText({specs: body.tasks, idempotency, queue: true});
    const {ids} = unwrap(await fleet.submit(caller, submission));
    return {status: 201, body: {ids: [...ids]}};
  });
}

export async function idempotencyOf(key: string | undefined, rawBody: Bytes): Promise<Submission['idempotency']> {
  return key === undefined ? undefined : {key, bodySha256: toHex(await sha256(rawBody))};
}
