import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {MirrorLocks} from '../../../runner/src/worktree/mirror-lock.ts';
import {codeOf, temporaryDirectory} from './ground.ts';

const locksOf = () => new MirrorLocks();

describe('a lock', () => {
  test('[WT40] holders in one process come one after another in the order of asking', async () => {
    const path = join(temporaryDirectory(), 'x.lock');
    const locks = locksOf();
    const order: number[] = [];
    let inside = 0;
    await Promise.all(
      Array.from({length: 20}, (_, n) =>
        locks.hold(path, async () => {
          inside += 1;
          expect(inside).toBe(1);
          order.push(n);
          await new Promise(resolve => setImmediate(resolve));
          inside -= 1;
        }),
      ),
    );
    expect(order).toEqual(Array.from({length: 20}, (_, n) => n));
  });

  test('[WT43] a lock that is held is waited for until the deadline, and those behind keep their places', async () => {
    const path = join(temporaryDirectory(), 'x.lock');
    const locks = locksOf();
    const {promise: letGo, resolve} = Promise.withResolvers<void>();
    const order: string[] = [];
    const holder = locks.hold(path, () => letGo);
    const impatient = codeOf(() => locks.hold(path, async () => order.push('impatient'), {deadlineMs: 50}));
    const {promise: called, resolve: entered} = Promise.withResolvers<void>();
    const patient = locks.hold(path, async () => {
      order.push('patient');
      entered();
    });
    expect(await impatient).toBe('worktree_busy');
    await expect(
      locks.hold(path, async () => order.push('aborted'), {signal: AbortSignal.abort(new Error('stop'))}),
    ).rejects.toThrow('stop');
    expect(order).toEqual([]);
    resolve();
    await Promise.all([holder, called, patient]);
    expect(order).toEqual(['patient']);
  });

  test('[WT44] an error inside frees the lock', async () => {
    const path = join(temporaryDirectory(), 'x.lock');
    const locks = locksOf();
    await expect(locks.hold(path, async () => Promise.reject(new Error('inside')))).rejects.toThrow('inside');
    expect(await locks.hold(path, async () => 'again')).toBe('again');
  });
});
