import {describe, expect, test} from 'vitest';
import type {Executed, Work} from '../../../worker/src/fleet/fleet-core.ts';
import {GroupCommit} from '../../../worker/src/fleet/group-commit.ts';
import {migrate} from '../../../worker/src/fleet/migrator.ts';
import {runnerColumns} from '../../../worker/src/fleet/runner-row.ts';
import {taskColumns} from '../../../worker/src/fleet/task-row.ts';
import {CoreWorld} from '../../fixtures/fleet-core.ts';
import {nodeSqlite} from '../../fixtures/node-sqlite.ts';

const reasonOf = (settled: PromiseSettledResult<unknown>): unknown =>
  settled.status === 'fulfilled' ? settled.value : (settled.reason as Error).message;

describe('parts of the Fleet', () => {
  test.for([
    {table: 'task', columns: taskColumns},
    {table: 'runner', columns: runnerColumns},
  ])('[FL36] the columns of $table are those of the migrations', ({table, columns}) => {
    const {sql} = new CoreWorld();
    const names = sql.all<{name: string}>(`SELECT name FROM pragma_table_info('${table}')`).map(({name}) => name);
    expect([...columns].toSorted()).toEqual(names.toSorted());
  });

  test('[FL36] a migration is applied once, and one that fails leaves nothing of itself', () => {
    const sql = nodeSqlite();
    const good = {name: '1', statements: 'CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);'};
    migrate(sql, [good], 5);
    migrate(sql, [good], 6);
    const bad = {name: '2', statements: 'INSERT INTO a VALUES (2); INSERT INTO nowhere VALUES (1)'};
    expect(() => migrate(sql, [good, bad], 7)).toThrow('nowhere');
    expect(sql.all('SELECT x FROM a')).toEqual([{x: 1}]);
    expect(sql.all('SELECT name, applied_ms FROM migration')).toEqual([{name: '1', applied_ms: 5}]);
  });

  function committer() {
    const batches: number[] = [];
    const syncs: (() => void)[] = [];
    const waits: number[] = [];
    const letIn = async (ms: number): Promise<void> => void waits.push(ms);
    const execute = (works: readonly Work<unknown>[]): Executed => {
      batches.push(works.length);
      const results = works.map(work => {
        try {
          return {ok: true, value: work(undefined as never)()} as const;
        } catch (error) {
          if (error instanceof RangeError) throw error;
          return {ok: false, error} as const;
        }
      });
      return {results, drafts: [], closings: [], outboxDueMs: Infinity};
    };
    const sync = async (): Promise<void> => new Promise(resolve => syncs.push(resolve));
    return {
      batches,
      syncs,
      waits,
      commit: new GroupCommit({execute, sync, letIn, deliver: () => undefined}),
    };
  }

  test('[FL37] the first operation runs at once, and those that arrive meanwhile share the next batch', async () => {
    const {batches, syncs, commit} = committer();
    const first = commit.run(() => () => 'first');
    expect(batches).toEqual([1]);
    const others = [1, 2, 3].map(async n => commit.run(() => () => n));
    expect(batches).toEqual([1]);
    expect(await first).toBe('first');
    syncs[0]?.();
    expect(await Promise.all(others)).toEqual([1, 2, 3]);
    expect(batches).toEqual([1, 3]);
    syncs[1]?.();
  });

  test('[FL37] one caller after the other waits for nothing; a crowd lets more join for two milliseconds', async () => {
    const {batches, syncs, waits, commit} = committer();
    const together = async (size: number): Promise<void> => {
      const done = Promise.all(Array.from({length: size}, async () => commit.run(() => () => 0)));
      syncs.shift()?.();
      await done;
    };
    await together(1);
    await together(1);
    expect(waits).toEqual([]);
    await together(2);
    syncs.shift()?.();
    await together(5);
    expect(batches).toEqual([1, 1, 1, 1, 5]);
    expect(waits).toEqual([2]);
  });

  test('[FL37] an operation that throws fails only its own caller; a batch that fails fails all of them', async () => {
    const {syncs, commit} = committer();
    const first = commit.run(() => () => 0);
    const [good, bad] = [
      commit.run(() => () => 1),
      commit.run(() => {
        throw new Error('mine');
      }),
    ];
    const settled = Promise.allSettled([first, good, bad]);
    syncs[0]?.();
    expect((await settled).map(reasonOf)).toEqual([0, 1, 'mine']);
    const [one, two] = [
      commit.run(() => () => 1),
      commit.run(() => {
        throw new RangeError('all');
      }),
    ];
    const failed = Promise.allSettled([one, two]);
    syncs[1]?.();
    expect((await failed).map(reasonOf)).toEqual(['all', 'all']);
    expect(await commit.run(() => () => 'after')).toBe('after');
  });

  test('[FL37] a batch whose transaction fails leaves the core as its database is', () => {
    const of = new CoreWorld();
    const id = of.one();
    expect(() =>
      of.execute([
        batch => {
          const row = batch.task(id);
          if (row === undefined) throw new Error('no task');
          batch.change(row, {state: 'nonsense' as never, failures: null as never});
          return () => undefined;
        },
      ]),
    ).toThrow('NOT NULL');
    expect(of.core.memory.waiting).toBe(1);
    expect([...of.core.memory.lanes.all()].map(({count}) => count)).toEqual([1]);
    expect(of.task(id).state).toBe('queued');
  });
});
