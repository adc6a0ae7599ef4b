import {describe, expect, test} from 'vitest';
import {PROTOCOL_VERSION} from '@switchyard/shared/protocol/version.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {taskStates} from '@switchyard/shared/machine/task-machine.ts';
import {attemptPhases, type HeldAttempt} from '@switchyard/shared/protocol/attempt-message.ts';
import {verdictOf} from '@switchyard/shared/domain/verdict.ts';
import {endSession, endSilent, nextSilenceMs} from '../../../worker/src/fleet/session-end.ts';
import {CoreWorld, standardLease, type Attempt, type TestMachine} from '../../fixtures/fleet-core.ts';

const held = (attempt: Attempt, phase: HeldAttempt['phase'] = 'running'): HeldAttempt =>
  ({...attempt, phase, spool_len: 0}) as HeldAttempt;

const verdicts = (world: CoreWorld, machine: TestMachine): unknown =>
  world.take(machine.id, 'welcome')[0]?.verdicts.map(({verdict}) => verdict);

const byOffer = (state: string, phase: string): string =>
  state === 'offered' && phase === 'accepted' ? 'keep' : 'kill';

describe('a session', () => {
  test('[LP11] what is not provably the current attempt of this runner is killed', () => {
    for (const state of taskStates)
      for (const phase of attemptPhases)
        for (const [epoch, runner] of [
          [2, 'me'],
          [1, 'me'],
          [3, 'me'],
          [2, 'other'],
        ] as const) {
          const verdict = verdictOf({state, epoch: 2, runner, isExitAccepted: false}, {epoch, phase}, 'me');
          const isMine = epoch === 2 && runner === 'me';
          const isLeased = state === 'leased' || state === 'cancelling';
          const isOver = phase === 'exited' || phase === 'reported';
          const mine = isLeased ? (isOver ? 'send_exit' : 'keep') : byOffer(state, phase);
          const expected = isMine ? mine : 'kill';
          expect({state, phase, epoch, runner, verdict}).toEqual({state, phase, epoch, runner, verdict: expected});
        }
    expect(verdictOf(undefined, {epoch: 1, phase: 'running'}, 'me')).toBe('kill');
    const over = {state: 'queued', epoch: 5, runner: null, isExitAccepted: true} as const;
    expect(verdictOf(over, {epoch: 1, phase: 'reported'}, 'me')).toBe('forget');
  });

  test('[LP12] hello answers for each attempt it names: kept as of its stamp, asked for its exit, forgotten, killed', () => {
    const world = new CoreWorld();
    const machine = world.machine();
    machine.hello(3);
    world.submit([{}, {}, {}]);
    const [kept, over, done] = machine.offers();
    if (kept === undefined || over === undefined || done === undefined) throw new Error('three offers were expected');
    for (const attempt of [kept, over, done]) machine.say({t: 'accept', ...attempt, ts: 1});
    machine.exit(done);
    world.take(machine.id);
    world.advance(20_000);
    const unknown = {task: world.unknownTask(), epoch: 1};
    machine.hello(3, [held(kept), held(over, 'exited'), held(done, 'reported'), held(unknown)]);
    expect(verdicts(world, machine)).toEqual(['keep', 'send_exit', 'forget', 'kill']);
    const expires = world.nowMs + limits.leaseTtlMs + limits.graceMs;
    expect(world.task(kept.task).expires_ms).toBe(expires);
    expect(world.task(over.task).expires_ms).toBe(expires);
  });

  test('[LP13] what may have been lost with the connection is sent again: an offer, a go, a cancel, a message, a drain', () => {
    const world = new CoreWorld();
    const machine = world.machine();
    machine.hello(4);
    const ids = world.submit([{}, {}, {}, {}]).ids;
    const [open, accepted, lost, cancelled] = machine.offers();
    if (open === undefined || accepted === undefined || lost === undefined || cancelled === undefined)
      throw new Error('four offers were expected');
    for (const attempt of [accepted, cancelled]) machine.say({t: 'accept', ...attempt, ts: 1});
    world.run(batch => {
      const row = batch.task(cancelled.task);
      if (row === undefined) throw new Error('no task');
      batch.change(row, {state: 'cancelling', cancel: JSON.stringify({reason: 'enough', grace_ms: 5})});
      return () => undefined;
    });
    machine.set({draining: 1});
    world.take(machine.id);
    machine.hello(4, [held(accepted, 'accepted'), held(lost, 'accepted'), held(cancelled)], {ts: 500});
    const messages = world.take(machine.id);
    expect(messages.map(({t}) => t)).toEqual(['welcome', 'go', 'go', 'cancel', 'offer', 'drain']);
    expect(messages[1]).toEqual({t: 'go', ...accepted, echo: 500});
    expect(messages[2]).toEqual({t: 'go', ...lost, echo: 500});
    expect(messages[3]).toMatchObject({...cancelled, reason: 'enough', grace_ms: 5});
    expect(messages[4]).toMatchObject(open);
    expect(world.task(lost.task).state).toBe('leased');
    expect(ids).toHaveLength(4);
  });

  test('[LP14] the newest session wins at once, and the older one is heard no more', () => {
    const world = new CoreWorld();
    const machine = world.machine();
    machine.hello();
    const older = machine.from;
    machine.hello();
    expect(world.closed).toMatchObject([{connection: older.connection, code: 4409}]);
    world.one();
    const [offer] = machine.offers();
    machine.say({t: 'accept', ...offer, ts: 1}, older);
    expect(world.closed.at(-1)).toMatchObject({connection: older.connection, code: 4409});
    expect(world.core.refused['accept.no-session']).toBe(1);
    expect(world.task(offer?.task ?? '').state).toBe('offered');
    machine.say({t: 'accept', ...offer, ts: 1});
    expect(world.task(offer?.task ?? '').state).toBe('leased');
  });

  test.for([
    {name: 'not signed', code: 4401, hello: {}, isSigned: false, revoked: null},
    {name: 'of another runner', code: 4401, hello: {runner: 'rnr_other'}, isSigned: true, revoked: null},
    {name: 'of a revoked runner', code: 4403, hello: {}, isSigned: true, revoked: 1},
    {
      name: 'of an unknown protocol only',
      code: 4426,
      hello: {protocols: [PROTOCOL_VERSION + 1]},
      isSigned: true,
      revoked: null,
    },
  ])('[LP15] a hello that is $name opens no session', ({code, hello, isSigned, revoked}) => {
    const world = new CoreWorld();
    const machine = world.machine();
    if (revoked !== null) machine.set({revoked_ms: revoked});
    world.one();
    const from = {...machine.from, connection: 'new'};
    const whole = {
      runner: machine.id,
      session: 's',
      protocols: [1],
      slots: {default: 1},
      labels: [],
      inventory: [],
      ts: 1,
      lease_class: 'standard',
      version: '1',
      boot_id: 'b',
    };
    machine.say({t: 'hello', hello: {...whole, ...hello}, isSigned}, from);
    expect(world.closed).toMatchObject([{connection: 'new', code}]);
    expect(world.core.memory.runners.get(machine.id)?.row.connection).toBe(null);
    expect(machine.offers()).toEqual([]);
  });

  test('[LP16] a connection that ended gets no offers, and an older one that ends later ends nothing', () => {
    const world = new CoreWorld();
    const machine = world.machine();
    machine.hello();
    const older = machine.from;
    machine.hello();
    const end = (connection: string): void =>
      world.run(batch => {
        endSession(batch, {runner: machine.id, connection});
        return () => undefined;
      });
    end(older.connection);
    const first = world.one();
    expect(machine.offers()).toHaveLength(1);
    world.advance(limits.offerMs + 1);
    end(machine.from.connection);
    world.advance(limits.offerMs);
    expect(world.task(first).state).toBe('queued');
    expect(machine.offers()).toEqual([]);
  });

  test.for([
    {renew_ms: limits.renewMs, silentMs: 45_000},
    {renew_ms: 500, silentMs: 1_500},
    // Pings come at the pace of every connection however long the lease is.
    {renew_ms: 150_000, silentMs: 45_000},
  ])(
    '[LP17] a session of which nothing is heard is ended after $silentMs ms where it renews every $renew_ms ms, and its lease lives on',
    ({renew_ms, silentMs}) => {
      const world = new CoreWorld(1, {...standardLease, renew_ms, ttl_ms: 1_000_000});
      const machine = world.machine();
      machine.hello();
      world.one();
      const attempt = machine.accept();
      const heard = (): number => world.core.memory.seenMs.get(machine.id) ?? 0;
      expect(nextSilenceMs(world.core, heard)).toBe(world.nowMs + silentMs);
      const look = (): void =>
        world.run(batch => {
          endSilent(batch, heard);
          return () => undefined;
        });
      world.nowMs += silentMs - 1;
      look();
      expect(world.core.memory.runners.get(machine.id)?.row.connection).toBe(machine.from.connection);
      world.nowMs += 1;
      look();
      expect(world.core.memory.runners.get(machine.id)?.row.connection).toBe(null);
      expect(world.closed.at(-1)).toMatchObject({code: 4408});
      expect(world.task(attempt.task).state).toBe('leased');
    },
  );
});
