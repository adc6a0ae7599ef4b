import {env} from 'cloudflare:workers';
import {beforeAll, describe, expect, test} from 'vitest';
import {importSigningKey, importVerifyingKey, verifyJws} from '@switchyard/shared/crypto/jws.ts';
import type {TaskId} from '@switchyard/shared/domain/id.ts';
import {DISPATCH_TYP, dispatchSchema} from '@switchyard/shared/protocol/envelope.ts';
import type {FleetRpc} from '../../../worker/src/fleet/fleet-rpc.ts';
import {
  enrolledMachine,
  exitOf,
  newPool,
  prepareDatabase,
  root,
  seals,
  valueOf,
  welcomed,
  type TestPool,
} from './fleet-world.ts';

beforeAll(prepareDatabase);

/** JSON of any depth has a type without end once it went through RPC. */
const eventsOf = async ({stub}: TestPool, task: TaskId) => {
  const calls = stub as unknown as Pick<FleetRpc, 'listEvents'>;
  return valueOf(await calls.listEvents(root, {task, after: 0, limit: 50})).events;
};

describe('a task from submission to its end', () => {
  test('[FL1] a task is offered, accepted, started, renewed and ended over one socket', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const session = await welcomed(pool, machine);
    const submitted = await pool.submit();
    expect(submitted.state).toBe('offered');
    const offer = await session.expect('offer');
    expect(offer).toMatchObject({task: submitted.id, epoch: 1});
    expect(offer.expires_in_ms).toBeGreaterThan(0);

    const ref = {task: submitted.id, epoch: 1};
    session.send({t: 'accept', ...ref, ts: 2_000});
    const go = await session.expect('go');
    expect(go).toMatchObject({...ref, echo: 2_000});
    const claims = {pool: pool.pool, ...ref, runner: machine.id};
    expect(await (await seals()).verifyTicket(go.log_ticket, claims)).toBe(true);
    expect(valueOf(await pool.stub.getTask(root, submitted.id))).toMatchObject({state: 'leased', phase: 'accepted'});

    session.send(
      {t: 'phase', ...ref, seq: 1, phase: 'running', detail: ''},
      {t: 'renew', ts: 3_000, slots: {default: 1}, items: [{...ref, phase: 'running', spool_len: 10}]},
    );
    expect(await session.expect('renewed')).toEqual({t: 'renewed', items: [ref], echo: 3_000});
    session.send(await exitOf(machine, ref));
    expect(await session.expect('exit_ack')).toEqual({t: 'exit_ack', ...ref});
    const ended = valueOf(await pool.stub.getTask(root, submitted.id));
    expect(ended).toMatchObject({state: 'succeeded', phase: null, result: {summary: 'done', exit_code: 0}});
    const events = await eventsOf(pool, submitted.id);
    expect(events.map(({kind}) => kind)).toEqual([
      'task.submitted',
      'task.queued',
      'task.offered',
      'task.leased',
      'phase',
      'task.succeeded',
    ]);
    expect(events.at(-1)?.data).toEqual({by: 'exited', result: 'succeeded', exit_code: 0});
    session.close();
  });

  test('[FL2] an offer is signed for this runner and this attempt by the key of the installation', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const session = await welcomed(pool, machine);
    const {id} = await pool.submit({prompt: 'über'});
    const {envelope} = await session.expect('offer');
    const [jwk] = JSON.parse(env.SWITCHYARD_SIGNING_KEYS) as unknown[];
    const key = await importVerifyingKey((await importSigningKey(jwk)).publicJwk);
    const dispatch = await verifyJws(envelope, {typ: DISPATCH_TYP, keys: [key], schema: dispatchSchema});
    expect(dispatch).toMatchObject({aud: machine.id, task: id, epoch: 1, pool: pool.pool});
    expect(JSON.parse(dispatch?.spec ?? '')).toMatchObject({prompt: 'über'});
    session.close();
  });
});
