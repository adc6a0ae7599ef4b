import {evictDurableObject} from 'cloudflare:test';
import {beforeAll, describe, expect, test} from 'vitest';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import {
  enrolledMachine,
  exitOf,
  helloOf,
  newPool,
  prepareDatabase,
  root,
  valueOf,
  welcomed,
  type Machine,
  type TestPool,
} from './fleet-world.ts';

beforeAll(prepareDatabase);

function poller(pool: TestPool, machine: Machine, session: string) {
  const exchange = async (messages: readonly object[], holdMs = 0) =>
    pool.stub.poll(machine.id, {x: machine.x, session, frame: JSON.stringify({m: messages}), holdMs});
  const messages = async (sent: readonly object[], holdMs = 0): Promise<DownMessage[]> =>
    (JSON.parse(valueOf(await exchange(sent, holdMs)).frame) as {m: DownMessage[]}).m;
  const open = async (): Promise<DownMessage[]> => {
    const [challenge] = await messages([]);
    if (challenge?.t !== 'challenge') throw new Error('no challenge came');
    return messages([await helloOf(machine, challenge.nonce, {session})]);
  };
  return {exchange, messages, open};
}

const types = (messages: readonly DownMessage[]): readonly string[] => messages.map(({t}) => t);

describe('the polling transport', () => {
  test('[FL23] the same messages run a task from offer to exit', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const {messages, open} = poller(pool, machine, 'session-1');
    expect(types(await open())).toEqual(['welcome']);
    const waiting = messages([], 20_000);
    const {id} = await pool.submit();
    expect(types(await waiting)).toEqual(['offer']);
    const ref = {task: id, epoch: 1};
    expect(types(await messages([{t: 'accept', ...ref, ts: 1}]))).toEqual(['go']);
    expect(types(await messages([await exitOf(machine, ref)]))).toEqual(['exit_ack']);
    expect(types(await messages([]))).toEqual([]);
    expect(valueOf(await pool.stub.listRunners(root)).runners).toMatchObject([{transport: 'poll', state: 'connected'}]);
  });

  test('[FL24] mail outlives an eviction and is kept until the next exchange shows that it came', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const {messages, open} = poller(pool, machine, 'session-1');
    await open();
    await messages([]);
    await pool.submit();
    await evictDurableObject(pool.stub);
    expect(types(await messages([]))).toEqual(['offer']);
    expect(types(await messages([]))).toEqual([]);
  });

  test('[FL25] the newest session has the baton, whatever its transport', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const first = poller(pool, machine, 'session-1');
    await first.open();
    const held = first.exchange([], 20_000);
    const socket = await welcomed(pool, machine);
    expect(await held).toMatchObject({ok: false, code: 'runner_replaced'});
    const second = poller(pool, machine, 'session-2');
    await second.open();
    expect(await socket.inbox.closed()).toMatchObject({closed: 4409});
  });

  test('[FL26] a poll of a revoked or unknown runner, and a frame that is none, are refused as values', async () => {
    const pool = newPool();
    const machine = await enrolledMachine(pool);
    const {exchange, open} = poller(pool, machine, 'session-1');
    await open();
    expect(await pool.stub.poll(machine.id, {x: machine.x, session: 's', frame: '{', holdMs: 0})).toMatchObject({
      code: 'invalid_request',
    });
    const stranger = {
      ...machine,
      id: `${machine.id.slice(0, -1)}${machine.id.endsWith('0') ? '1' : '0'}` as typeof machine.id,
    };
    expect(
      await pool.stub.poll(stranger.id, {x: stranger.x, session: 's', frame: '{"m":[]}', holdMs: 0}),
    ).toMatchObject({
      code: 'unauthorized',
    });
    valueOf(await pool.stub.setRunner(root, {runner: machine.id, to: 'revoke'}));
    expect(await exchange([])).toMatchObject({ok: false, code: 'runner_revoked'});
  });
});
