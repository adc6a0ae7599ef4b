import {env} from 'cloudflare:workers';
import {evictDurableObject, runInDurableObject} from 'cloudflare:test';
import {beforeAll, describe, expect, test} from 'vitest';
import {newRunnerId} from '@switchyard/shared/domain/id.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {firstTask, submissionText} from '../../../worker/src/fleet/submission-text.ts';
import {enrolledMachine, exitOf, newPool, prepareDatabase, root, valueOf, welcomed} from './fleet-world.ts';

beforeAll(prepareDatabase);

const specs = [taskSpecSchema.parse({prompt: 'do it'})];
const randomBytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));

describe('the calls of the Worker', () => {
  test('[FL27] a nonce is remembered although the object is evicted, for every kind of call (T5)', async () => {
    const {stub} = newPool();
    const caller = {kind: 'dispatch', nonce: {value: 'dispatch:n', expiresAtMs: Date.now() + 60_000}} as const;
    const task = firstTask(valueOf(await stub.submit(caller, submissionText({specs, queue: true}))));
    await evictDurableObject(stub);
    const refused = {ok: false, code: 'replayed_signature'};
    expect(await stub.submit(caller, submissionText({specs, queue: true}))).toMatchObject(refused);
    expect(await stub.getTask(caller, task.id)).toMatchObject(refused);
    expect(await stub.cancel(caller, {task: task.id, reason: '', graceMs: 0})).toMatchObject(refused);
  });

  test('[FL38] a pool takes its limit of open enrolment tokens, and used or old ones do not count', async () => {
    const {stub} = newPool();
    const expiresAtMs = Date.now() + 60_000;
    const open = async (id: string) => stub.createEnrolment(root, {id, hash: 'aa', labels: [], expiresAtMs});
    await open('first');
    await runInDurableObject(stub, (_, {storage}) => {
      for (let index = 1; index < limits.enrolmentsOpenMax; index += 1)
        storage.sql.exec('INSERT INTO enrolment VALUES (?, ?, ?, ?, NULL)', `t${index}`, 'aa', '[]', expiresAtMs);
    });
    expect(await open('more')).toMatchObject({ok: false, code: 'rate_limited', retryAfterMs: expect.any(Number)});
    await runInDurableObject(stub, (_, {storage}) => {
      storage.sql.exec("UPDATE enrolment SET used_by = 'rnr' WHERE id = 't1'");
    });
    expect(await open('more')).toMatchObject({ok: true});
    expect(await open('again')).toMatchObject({ok: false});
    await runInDurableObject(stub, (_, {storage}) => {
      storage.sql.exec("UPDATE enrolment SET expires_ms = 1 WHERE id = 't2'");
    });
    expect(await open('again')).toMatchObject({ok: true});
  });

  test('[FL28] an enrolment token is spent once, also when two machines use it at the same time', async () => {
    const {stub} = newPool();
    const token = {id: 'enrolment1', hash: 'aa'};
    valueOf(await stub.createEnrolment(root, {...token, labels: ['zone=a'], expiresAtMs: Date.now() + 60_000}));
    const enrol = async () =>
      stub.enrol(token, {
        runner: newRunnerId(Date.now(), randomBytes),
        name: 'm',
        labels: ['os=linux'],
        jwk: {kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43)},
      });
    const outcomes = await Promise.all([enrol(), enrol(), enrol()]);
    expect(outcomes.filter(({ok}) => ok)).toHaveLength(1);
    expect(outcomes.filter(each => !each.ok && each.code === 'enrolment_invalid')).toHaveLength(2);
    expect(valueOf(await stub.listRunners(root)).runners).toMatchObject([
      {labels: [expect.stringMatching(/^runner=rnr_/), 'zone=a', 'os=linux']},
    ]);
    valueOf(await stub.createEnrolment(root, {id: 'late', hash: 'aa', labels: [], expiresAtMs: Date.now() - 1}));
    expect(
      await stub.enrol(
        {id: 'late', hash: 'aa'},
        {
          runner: newRunnerId(1, randomBytes),
          name: 'm',
          labels: [],
          jwk: {kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43)},
        },
      ),
    ).toMatchObject({code: 'enrolment_invalid'});
  });

  test('[FL29] a credential works until it is revoked, and its secret is never listed', async () => {
    const {stub, pool} = newPool();
    valueOf(await stub.createCredential(root, {id: 'token1', name: 'ci', kind: 'token', scope: 'write', hash: 'abc'}));
    const caller = {kind: 'token', id: 'token1', hash: 'abc'} as const;
    await evictDurableObject(stub);
    expect((await stub.submit(caller, submissionText({specs, queue: true}))).ok).toBe(true);
    expect(await stub.getPool({...caller, hash: 'abd'})).toMatchObject({code: 'unauthorized'});
    expect(await stub.listCredentials(caller)).toMatchObject({code: 'forbidden'});
    expect(JSON.stringify(await stub.listCredentials(root))).not.toContain('abc');
    valueOf(await stub.revokeCredential(root, 'token1'));
    expect(await stub.submit(caller, submissionText({specs, queue: true}))).toMatchObject({code: 'unauthorized'});
    const told = async (): Promise<number> =>
      (
        await env.DB.prepare('SELECT count(*) AS n FROM credential WHERE pool = ? AND revoked_ms IS NOT NULL')
          .bind(pool)
          .first<{n: number}>()
      )?.n ?? 0;
    await expect.poll(told).toBe(1);
  });

  test('[FL30] what was left to tell reaches the directory, and the outbox is empty afterwards', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const session = await welcomed(pool, machine);
    const {id} = await pool.submit();
    await session.expect('offer');
    session.send({t: 'accept', task: id, epoch: 1, ts: 1});
    await session.expect('go');
    session.send(await exitOf(machine, {task: id, epoch: 1}));
    await session.expect('exit_ack');
    const history = async () =>
      env.DB.prepare('SELECT outcome, runner FROM attempt_history WHERE task = ?').bind(id).first();
    await expect.poll(history).toEqual({outcome: 'succeeded', runner: machine.id});
    await expect.poll(async () => (await pool.stub.probe()).outboxRows).toBe(0);
    session.close();
  });

  test('[FL31] what cannot be delivered is kept, tried again later, and stops nobody behind it', async () => {
    const pool = newPool();
    const begunMs = Date.now();
    await runInDurableObject(pool.stub, (_, {storage}) => {
      const row = JSON.stringify({kind: 'directory.runner', pool: null, runner: null});
      storage.sql.exec('INSERT INTO outbox (due_ms, id, failures, row) VALUES (1, 999999, 1, ?)', row);
    });
    await evictDurableObject(pool.stub);
    const machine = await enrolledMachine(pool);
    const told = async () => env.DB.prepare('SELECT state FROM runner WHERE id = ?').bind(machine.id).first();
    await expect.poll(told).toEqual({state: 'enrolled'});
    const kept = await runInDurableObject(pool.stub, (_, {storage}) =>
      storage.sql.exec<{failures: number; due_ms: number}>('SELECT failures, due_ms FROM outbox').toArray(),
    );
    // Tried again at once, and once more where this look came late.
    expect(kept).toHaveLength(1);
    expect(kept[0]?.failures).toBeGreaterThanOrEqual(2);
    expect(kept[0]?.due_ms).toBeGreaterThan(begunMs);
  });

  test('[FL32] tasks are listed newest first, by page, by state and by repository', async () => {
    const pool = newPool();
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      const at = Date.now();
      ids.unshift((await pool.submit(index % 2 === 0 ? {repository: {url: 'https://example.com/a.git'}} : {})).id);
      await expect.poll(() => Date.now(), {interval: 1}).toBeGreaterThan(at);
    }
    const first = valueOf(await pool.stub.listTasks(root, {limit: 2}));
    expect(first.tasks.map(({id}) => id)).toEqual(ids.slice(0, 2));
    const second = valueOf(await pool.stub.listTasks(root, {limit: 3, cursor: first.next ?? ''}));
    expect(second.tasks.map(({id}) => id)).toEqual(ids.slice(2));
    const some = valueOf(await pool.stub.listTasks(root, {limit: 9, repository: 'https://example.com/a.git'}));
    expect(some.tasks.map(({id}) => id)).toEqual([ids[0], ids[2], ids[4]]);
    expect(valueOf(await pool.stub.listTasks(root, {limit: 9, states: ['leased']}))).toEqual({tasks: [], next: null});
    expect(await pool.stub.listTasks({kind: 'token', id: 'x', hash: ''}, {limit: 1})).toMatchObject({
      code: 'unauthorized',
    });
  });

  test('[FL33] a retry is a new task that names the old one, and only of a task that has ended', async () => {
    const pool = newPool();
    const {id} = await pool.submit({metadata: {a: 'b'}});
    expect(await pool.stub.retry(root, id)).toMatchObject({code: 'not_finished'});
    valueOf(await pool.stub.cancel(root, {task: id, reason: 'enough', graceMs: 0}));
    const again = valueOf(await pool.stub.retry(root, id));
    expect(again).toMatchObject({state: 'queued', retried_from: id, metadata: {a: 'b'}, position: 1});
    expect(again.id).not.toBe(id);
  });

  test('[FL44] what is said to a task that has ended goes to one new task that goes on from it, as long as that runs', async () => {
    const pool = newPool();
    const repository = {url: 'https://example.test/a.git', base: 'main'};
    const {id} = await pool.submit({prompt: 'Add a line.', repository, metadata: {a: 'b'}, agent: {driver: 'claude'}});
    const say = async (text: string) => valueOf(await pool.stub.message(root, {task: id, text}));
    expect(await say('while it waits')).toEqual({seq: 1, task: id});
    valueOf(await pool.stub.cancel(root, {task: id, reason: 'enough', graceMs: 0}));
    const first = await say('Now remove it.');
    expect(first).toMatchObject({seq: 0});
    expect(first.task).not.toBe(id);
    const task = valueOf(await pool.stub.getTask(root, first.task));
    expect(task).toMatchObject({retried_from: id, title: 'Now remove it.', metadata: {a: 'b'}, spec: {repository}});
    expect(task.spec.prompt).toContain('Now remove it.');
    expect(task.spec.prompt).toContain('Add a line.');
    // Nobody is told twice: what comes now is for the agent of that task.
    expect(await say('And test it.')).toEqual({seq: 1, task: first.task});
    valueOf(await pool.stub.cancel(root, {task: first.task, reason: 'enough', graceMs: 0}));
    const second = await say('Once more.');
    expect(second).toMatchObject({seq: 0});
    expect([id, first.task]).not.toContain(second.task);
    valueOf(await pool.stub.cancel(root, {task: second.task, reason: 'enough', graceMs: 0}));
  });

  test('[FL34] calls that come together are committed together, and each gets its own answer', async () => {
    const pool = newPool();
    const made = await Promise.all(Array.from({length: 50}, async (_, index) => pool.submit({title: `task ${index}`})));
    expect(made.map(({title}) => title)).toEqual(Array.from({length: 50}, (_, index) => `task ${index}`));
    expect(new Set(made.map(({id}) => id)).size).toBe(50);
    expect(valueOf(await pool.stub.getPool(root))).toMatchObject({counts: {queued: 50, pending: 0, leased: 0}});
  });

  test('[FL35] a shutdown stops offers, tells runners and is lifted by changing the pool', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const session = await welcomed(pool, machine);
    expect(valueOf(await pool.stub.shutdown(root)).settings).toMatchObject({draining: true, paused: false});
    await session.expect('server_drain');
    expect((await pool.submit()).waiting_for).toBe('the pool is shutting down');
    valueOf(await pool.stub.changePool(root, {paused: false}));
    expect(valueOf(await pool.stub.getPool(root)).settings.draining).toBe(true);
    valueOf(await pool.stub.changePool(root, {draining: false}));
    await session.expect('offer');
    session.close();
  });
});
