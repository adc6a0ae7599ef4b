import {spawn} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {MirrorLocks} from '../../../runner/src/worktree/mirror-lock.ts';
import {identityOf} from '../../../runner/src/worktree/process-identity.ts';
import {codeOf, temporaryDirectory} from './ground.ts';

const locksOf = () => new MirrorLocks(() => randomBytes(8).toString('hex'));

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
    expect(existsSync(path)).toBe(false);
  });

  test('[WT41] holders in several processes exclude one another', async () => {
    const base = temporaryDirectory();
    writeFileSync(join(base, 'count'), '0');
    const fixture = join(import.meta.dirname, 'fixtures', 'count-under-lock.ts');
    const runs = Array.from({length: 4}, () =>
      exitOf(spawn(process.execPath, [fixture, base, '25'], {stdio: ['ignore', 'ignore', 'inherit']})),
    );
    expect(await Promise.all(runs)).toEqual([0, 0, 0, 0]);
    expect(readFileSync(join(base, 'count'), 'utf8')).toBe('100');
  });

  test('[WT42] the lock of a dead process is taken over, also when its number was given to another', async () => {
    const path = join(temporaryDirectory(), 'x.lock');
    const child = spawn('true');
    await exitOf(child);
    const own = await identityOf(process.pid);
    for (const holder of [
      JSON.stringify({pid: child.pid, start: own?.start, token: 'a'}),
      JSON.stringify({pid: process.pid, start: 'another boot/1', token: 'b'}),
      '{"pid":',
      '',
    ]) {
      writeFileSync(path, holder);
      expect(await locksOf().hold(path, async () => 'held', {deadlineMs: 5_000})).toBe('held');
    }
  });

  test('[WT43] the lock of a live process is waited for until the deadline, and left as it is', async () => {
    const path = join(temporaryDirectory(), 'x.lock');
    const own = await identityOf(process.pid);
    const held = JSON.stringify({...own, token: 'other'});
    writeFileSync(path, held);
    expect(await codeOf(() => locksOf().hold(path, async () => 'held', {deadlineMs: 200}))).toBe('worktree_busy');
    await expect(
      locksOf().hold(path, async () => 'held', {signal: AbortSignal.abort(new Error('stop'))}),
    ).rejects.toThrow('stop');
    expect(readFileSync(path, 'utf8')).toBe(held);
  });

  test('[WT44] an error inside frees the lock', async () => {
    const path = join(temporaryDirectory(), 'x.lock');
    const locks = locksOf();
    await expect(locks.hold(path, async () => Promise.reject(new Error('inside')))).rejects.toThrow('inside');
    expect(await locks.hold(path, async () => 'again')).toBe('again');
  });
});

function exitOf(child: ReturnType<typeof spawn>): Promise<number | null> {
  return new Promise((resolve, reject) => child.once('exit', resolve).once('error', reject));
}
