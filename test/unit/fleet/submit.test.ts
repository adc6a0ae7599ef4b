import {describe, expect, test} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {Caller} from '../../../worker/src/fleet/fleet-rpc.ts';
import {cleanUp} from '../../../worker/src/fleet/cleanup.ts';
import {permit} from '../../../worker/src/fleet/permission.ts';
import {CoreWorld} from '../../fixtures/fleet-core.ts';

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return error instanceof SwitchyardError ? error.code : String(error);
  }
  return 'nothing was thrown';
};

describe('a submission', () => {
  test('[FL3] the same idempotency key answers with the first task for seven days, also after a restart', () => {
    const of = new CoreWorld();
    const idempotency = {key: 'k', bodySha256: 'a'};
    const first = of.submit([{}], {idempotency});
    of.restart();
    expect(of.submit([{}], {idempotency})).toEqual({ids: first.ids, created: false});
    expect(codeOf(() => of.submit([{}], {idempotency: {key: 'k', bodySha256: 'b'}}))).toBe('idempotency_conflict');
    of.nowMs += limits.idempotencyKeptMs;
    expect(of.submit([{}], {idempotency}).created).toBe(true);
  });

  test('[FL3] two submissions with one key in one batch make one task', () => {
    const of = new CoreWorld();
    const idempotency = {key: 'k', bodySha256: 'a'};
    const [first, second] = [of.submit([{}], {idempotency}), of.submit([{}], {idempotency})];
    expect(second.ids).toEqual(first.ids);
    expect(of.sql.all('SELECT id FROM task')).toHaveLength(1);
  });

  test('[FL4] an alias names one task: the same body finds it, another body is refused', () => {
    const of = new CoreWorld();
    const first = of.submit([{prompt: 'a'}], {alias: 'mine'});
    expect(of.submit([{prompt: 'a'}], {alias: 'mine'})).toEqual({ids: first.ids, created: false});
    expect(codeOf(() => of.submit([{prompt: 'b'}], {alias: 'mine'}))).toBe('idempotency_conflict');
  });

  test('[FL5] a nonce is good once, also after a restart; the id of a webhook sent again finds its task (T5)', () => {
    const of = new CoreWorld();
    const signed = (value: string): Caller => ({kind: 'dispatch', nonce: {value, expiresAtMs: of.nowMs + 1_000}});
    of.submit([{}], {}, signed('dispatch:1'));
    of.restart();
    expect(codeOf(() => of.submit([{}], {}, signed('dispatch:1')))).toBe('replayed_signature');
    const idempotency = {key: 'dispatch:w1', bodySha256: 'a'};
    const first = of.submit([{}], {idempotency}, signed('webhook:w1'));
    expect(of.submit([{}], {idempotency}, signed('webhook:w1'))).toEqual({ids: first.ids, created: false});
    expect(of.sql.all('SELECT id FROM task')).toHaveLength(2);
  });

  test('[FL6] queue=false is taken only when a runner takes it at once', () => {
    const of = new CoreWorld();
    expect(codeOf(() => of.submit([{}], {queue: false}))).toBe('capacity_reached');
    const machine = of.machine();
    machine.hello(1);
    expect(codeOf(() => of.submit([{requires: ['gpu=1']}], {queue: false}))).toBe('capacity_reached');
    const taken = of.submit([{}], {queue: false});
    expect(of.task(taken.ids[0] ?? '').state).toBe('offered');
    expect(codeOf(() => of.submit([{}], {queue: false}))).toBe('capacity_reached');
    expect(of.sql.all('SELECT id FROM task')).toHaveLength(1);
  });

  test('[FL39] a pool remembers its limit of idempotency keys, answers a known one, and takes new ones when old ones are deleted', () => {
    const of = new CoreWorld();
    const keyed = (key: string) => of.submit([{}], {idempotency: {key, bodySha256: 'a'}}).ids;
    const known = keyed('known');
    expect(of.core.memory.idempotencyKeys).toBe(1);
    of.core.memory.idempotencyKeys = limits.idempotencyKeysMax - 1;
    keyed('last');
    expect(codeOf(() => keyed('new'))).toBe('rate_limited');
    expect(keyed('known')).toEqual(known);
    expect(of.submit([{}]).created).toBe(true);
    of.restart();
    expect(of.core.memory.idempotencyKeys).toBe(2);
    expect(keyed('new')).toHaveLength(1);
  });

  test('[FL7] an operation that fails leaves nothing behind, and its neighbours in the batch commit', () => {
    const of = new CoreWorld();
    const machine = of.machine();
    machine.hello(5);
    const results = of.execute([
      batch => {
        batch.changeSettings({...batch.memory.settings, max_concurrent: 7});
        return () => 1;
      },
      batch => {
        const row = batch.task(of.one({}));
        throw new Error(`after work on ${row?.id ?? ''}`);
      },
      batch => {
        batch.changeSettings({...batch.memory.settings, paused: true});
        throw new Error('after a change');
      },
    ]).results;
    expect(results.map(({ok}) => ok)).toEqual([true, false, false]);
    expect(of.core.memory.settings).toMatchObject({paused: false, max_concurrent: 7});
    of.restart();
    expect(of.core.memory.settings).toMatchObject({paused: false, max_concurrent: 7});
  });

  test('[FL8] many tasks are taken all or none', () => {
    const of = new CoreWorld();
    expect(codeOf(() => of.submit([{}, {depends_on: [of.unknownTask()] as never}]))).toBe('invalid_request');
    expect(of.sql.all('SELECT id FROM task')).toHaveLength(0);
    expect(of.core.memory.waiting).toBe(0);
    expect(of.submit(Array.from({length: 1_000}, () => ({}))).ids).toHaveLength(1_000);
    expect(of.core.memory.waiting).toBe(1_000);
  });

  test('[FL9] a pool takes no more waiting tasks than its limit', () => {
    const of = new CoreWorld();
    of.core.memory.waiting = limits.queuedTasksMax - 1;
    of.one();
    expect(codeOf(() => of.one())).toBe('queue_full');
  });

  test('[FL10] a caller may do what its scope says and no more, and nothing once it is revoked', () => {
    const of = new CoreWorld();
    const {credentials} = of.core.memory;
    const record = {name: 'n', created_ms: 1, revoked_ms: null};
    credentials.set('r', {...record, id: 'r', kind: 'token', scope: 'read', hash: 'aa'});
    credentials.set('gone', {...record, id: 'gone', kind: 'token', scope: 'admin', hash: 'aa', revoked_ms: 2});
    credentials.set('s', {...record, id: 's', kind: 'hmac', scope: 'write', hash: null});
    const nonce = {value: 'n', expiresAtMs: 1};
    const table: readonly (readonly [Caller, string, string, string])[] = [
      [{kind: 'root'}, 'may', 'may', 'may'],
      [{kind: 'dispatch', nonce}, 'may', 'may', 'forbidden'],
      [{kind: 'signer', id: 's', nonce}, 'may', 'may', 'forbidden'],
      [{kind: 'signer', id: 'r', nonce}, 'unauthorized', 'unauthorized', 'unauthorized'],
      [{kind: 'token', id: 'r', hash: 'aa'}, 'may', 'forbidden', 'forbidden'],
      [{kind: 'token', id: 'r', hash: 'ab'}, 'unauthorized', 'unauthorized', 'unauthorized'],
      [{kind: 'token', id: 's', hash: ''}, 'unauthorized', 'unauthorized', 'unauthorized'],
      [{kind: 'token', id: 'gone', hash: 'aa'}, 'unauthorized', 'unauthorized', 'unauthorized'],
      [{kind: 'token', id: 'nobody', hash: 'aa'}, 'unauthorized', 'unauthorized', 'unauthorized'],
    ];
    for (const [caller, ...expected] of table)
      expect(
        (['read', 'write', 'admin'] as const).map(scope => {
          const code = codeOf(() => permit(of.core.memory, caller, scope));
          return code === 'nothing was thrown' ? 'may' : code;
        }),
      ).toEqual(expected);
  });

  test('[FL11] what is too old is deleted in bounded steps, and nothing that is unfinished', () => {
    const of = new CoreWorld();
    const machine = of.machine();
    machine.hello(1);
    const old = of.one();
    machine.exit(machine.accept());
    of.submit([{}], {}, {kind: 'dispatch', nonce: {value: 'n', expiresAtMs: of.nowMs + 1}});
    const waiting = of.one({depends_on: [old] as never, requires: ['gpu=1']});
    of.nowMs += limits.finishedKeptMs + 1;
    expect(cleanUp(of.sql, of.nowMs)).toBe(false);
    expect(of.sql.all('SELECT id FROM task WHERE id = ?', old)).toEqual([]);
    for (const table of ['task_spec', 'attempt', 'task_event'])
      expect(of.sql.all(`SELECT * FROM ${table} WHERE task = ?`, old)).toEqual([]);
    expect(of.sql.all('SELECT * FROM nonce')).toEqual([]);
    expect(of.task(waiting).state).toBe('queued');
  });
});
