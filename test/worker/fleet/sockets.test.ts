import {evictDurableObject, runDurableObjectAlarm, runInDurableObject} from 'cloudflare:test';
import {beforeAll, describe, expect, test} from 'vitest';
import {generatePrivateJwk, importSigningKey} from '@switchyard/shared/crypto/jws.ts';
import {pageOf} from '../../../worker/src/routes/task-log.ts';
import {
  connect,
  enrolledMachine,
  exitOf,
  helloOf,
  newPool,
  prepareDatabase,
  root,
  seals,
  valueOf,
  welcomed,
} from './fleet-world.ts';

beforeAll(prepareDatabase);

const runnerState = async (pool: ReturnType<typeof newPool>): Promise<string | undefined> =>
  valueOf(await pool.stub.listRunners(root)).runners[0]?.state;

describe('the socket of a runner', () => {
  test('[FL13] a hello that another key signed, or over another challenge, is closed with 4401', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const other = {...machine, key: await importSigningKey(await generatePrivateJwk())};
    for (const [signer, change] of [
      [other, ''],
      [machine, 'x'],
    ] as const) {
      const session = await connect(pool, machine);
      const {nonce} = await session.expect('challenge');
      session.send(await helloOf(signer, `${nonce}${change}`));
      expect(await session.inbox.closed()).toMatchObject({closed: 4401});
    }
    expect(await runnerState(pool)).toBe('disconnected');
  });

  test('[FL13] a key that is not enrolled, and a runner that is revoked, get no challenge', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const stranger = await connect(pool, {...machine, x: 'A'.repeat(43)});
    expect(await stranger.inbox.closed()).toMatchObject({closed: 4401});
    valueOf(await pool.stub.setRunner(root, {runner: machine.id, to: 'revoke'}));
    expect(await (await connect(pool, machine)).inbox.closed()).toMatchObject({closed: 4403});
  });

  test('[FL45] a frame that cannot be checked ends its connection, and the next one is heard', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    // No key that the platform can read: checking its signature throws.
    const unreadable = await enrolledMachine(pool, [], 'AAAA');
    const session = await connect(pool, unreadable);
    const {nonce} = await session.expect('challenge');
    await session.hello(nonce);
    expect(await session.inbox.closed()).toMatchObject({closed: 1011});
    await (await connect(pool, unreadable)).expect('challenge');
    await welcomed(pool, machine);
  });

  test('[FL14] the newest session replaces the older one with 4409, and keeps what that one held', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const first = await welcomed(pool, machine);
    const {id} = await pool.submit();
    await first.expect('offer');
    first.send({t: 'accept', task: id, epoch: 1, ts: 1});
    await first.expect('go');
    const second = await connect(pool, machine);
    const {nonce} = await second.expect('challenge');
    await second.hello(nonce, {inventory: [{task: id, epoch: 1, phase: 'running', spool_len: 0}]});
    const welcome = await second.expect('welcome');
    expect(welcome.verdicts).toEqual([{task: id, epoch: 1, verdict: 'keep'}]);
    expect(await first.inbox.closed()).toMatchObject({closed: 4409});
    expect(await runnerState(pool)).toBe('connected');
    second.send(await exitOf(machine, {task: id, epoch: 1}));
    await second.expect('exit_ack');
    second.close();
  });

  test('[FL15] a session survives hibernation: the socket stays, its runner is known, its leases are in the database', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const session = await welcomed(pool, machine);
    const {id} = await pool.submit();
    await session.expect('offer');
    await evictDurableObject(pool.stub);
    session.send({t: 'accept', task: id, epoch: 1, ts: 5});
    expect(await session.expect('go')).toMatchObject({task: id, echo: 5});
    await evictDurableObject(pool.stub);
    session.send(await exitOf(machine, {task: id, epoch: 1}));
    await session.expect('exit_ack');
    expect(valueOf(await pool.stub.getTask(root, id)).state).toBe('succeeded');
    session.close();
  });

  test('[FL16] a frame that breaks the schema closes the socket with 4400 and is counted; unknown messages are skipped', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const session = await welcomed(pool, machine);
    session.send({t: 'from_the_future', x: 1}, {t: 'renew', ts: 9, slots: {}, items: []});
    expect(await session.expect('renewed')).toMatchObject({echo: 9});
    session.send({t: 'renew', ts: 'soon', slots: {}, items: []});
    expect(await session.inbox.closed()).toMatchObject({closed: 4400});
    expect((await pool.stub.probe()).refused).toMatchObject({'frame.malformed': 1});
    const binary = await welcomed(pool, machine);
    binary.inbox.socket.send(new Uint8Array([1, 2, 3]));
    expect(await binary.inbox.closed()).toMatchObject({closed: 4400});
  });

  test('[FL17] an exit with a log is taken with the receipt of its log, and refused until then', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const session = await welcomed(pool, machine);
    const {id} = await pool.submit();
    const ref = {task: id, epoch: 1};
    await session.expect('offer');
    session.send({t: 'accept', ...ref, ts: 1});
    await session.expect('go');
    const log_sha256 = 'ab'.repeat(32);
    const receipt = await (await seals()).receipt({...ref, length: 7, sha256: log_sha256});
    const stranger = {...machine, key: await importSigningKey(await generatePrivateJwk())};
    const other = await enrolledMachine(pool);
    for (const [signer, change, why] of [
      [machine, {log_len: 7, log_sha256}, 'log_incomplete'],
      [machine, {log_len: 8, log_sha256, log_receipt: receipt}, 'log_incomplete'],
      [machine, {runner: other.id}, 'invalid'],
      [stranger, {}, 'bad_signature'],
    ] as const) {
      session.send(await exitOf(signer, ref, change));
      expect(await session.expect('exit_nack')).toEqual({t: 'exit_nack', ...ref, why});
    }
    session.send(await exitOf(machine, ref, {log_len: 7, log_sha256, log_receipt: receipt}));
    await session.expect('exit_ack');
    session.close();
  });

  test('[LP18] the page of a task that ended without a log is whole, and no log is asked for it', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const session = await welcomed(pool, machine);
    const {id} = await pool.submit();
    await session.expect('offer');
    session.send({t: 'accept', task: id, epoch: 1, ts: 1});
    await session.expect('go');
    const access = async () => valueOf(await pool.stub.logAccess(root, {task: id, live: false}));
    expect(await access()).toMatchObject({isEmpty: false});
    session.send(await exitOf(machine, {task: id, epoch: 1}));
    await session.expect('exit_ack');
    const ended = await access();
    expect(ended).toMatchObject({isEmpty: true});
    const none = {} as Parameters<typeof pageOf>[0];
    expect(await pageOf(none, ended, {from: 0, bytesMax: 10})).toMatchObject({epoch: 1, length: 0, sealed: true});
    session.close();
  });

  test('[FL18] messages of one socket are handled in their order, although an exit is verified first', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const session = await welcomed(pool, machine);
    const {id} = await pool.submit();
    const ref = {task: id, epoch: 1};
    await session.expect('offer');
    session.send({t: 'accept', ...ref, ts: 1});
    await session.expect('go');
    session.send(await exitOf(machine, ref));
    session.send({t: 'renew', ts: 2, slots: {default: 1}, items: []});
    expect((await session.next()).t).toBe('exit_ack');
    expect((await session.next()).t).toBe('renewed');
    session.close();
  });

  test('[FL19] a revoked runner hears gone for what it holds and is closed with 4403, and its leases run out by themselves', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const session = await welcomed(pool, machine);
    const {id} = await pool.submit();
    await session.expect('offer');
    session.send({t: 'accept', task: id, epoch: 1, ts: 1});
    await session.expect('go');
    valueOf(await pool.stub.setRunner(root, {runner: machine.id, to: 'revoke'}));
    expect(await session.expect('gone')).toMatchObject({task: id, epoch: 1});
    expect(await session.inbox.closed()).toMatchObject({closed: 4403});
    expect(valueOf(await pool.stub.getTask(root, id)).state).toBe('leased');
  });

  test('[FL20] a drain stops offers and a resume starts them again', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const session = await welcomed(pool, machine);
    valueOf(await pool.stub.setRunner(root, {runner: machine.id, to: 'drain'}));
    await session.expect('drain');
    expect(await pool.submit()).toMatchObject({state: 'queued', waiting_for: 'every runner that matches is draining'});
    valueOf(await pool.stub.setRunner(root, {runner: machine.id, to: 'resume'}));
    await session.expect('resume');
    await session.expect('offer');
    session.close();
  });

  test('[FL21] one alarm ends what is over: an offer goes back although nothing else happens', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const session = await welcomed(pool, machine);
    const {id} = await pool.submit();
    await session.expect('offer');
    session.close();
    const due = await runInDurableObject(pool.stub, async (_, {storage}) => {
      storage.sql.exec("UPDATE task SET expires_ms = 1 WHERE state = 'offered'");
      return storage.getAlarm();
    });
    expect(due).toBeGreaterThan(0);
    expect(due).toBeLessThanOrEqual(Date.now() + 11_000);
    await evictDurableObject(pool.stub);
    await runDurableObjectAlarm(pool.stub);
    expect(valueOf(await pool.stub.getTask(root, id))).toMatchObject({state: 'queued', epoch: 1, failures: []});
  });

  test('[FL22] a socket that never says hello is closed by the alarm', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const session = await connect(pool, machine);
    await session.expect('challenge');
    await runInDurableObject(pool.stub, (_, state) => {
      for (const socket of state.getWebSockets())
        socket.serializeAttachment({...(socket.deserializeAttachment() as object), opened_ms: 1});
    });
    await evictDurableObject(pool.stub);
    await runDurableObjectAlarm(pool.stub);
    expect(await session.inbox.closed()).toMatchObject({closed: 4401});
  });
});
