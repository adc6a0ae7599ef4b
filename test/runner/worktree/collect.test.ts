import {spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import * as fc from 'fast-check';
import {describe, expect, onTestFinished, test} from 'vitest';
import {collect, decideCollect, defaultCollectLimits, readFullness} from '../../../runner/src/worktree/collect.ts';
import {makeGround, makeWorktree, put, sh} from './ground.ts';
import {everyProperty} from '../../property/fuzz-settings.ts';

fc.configureGlobal(everyProperty);

const limits = {ageMsMax: 100, countMax: 3, diskPercentMax: 90, inodePercentMax: 80, pressureBatch: 2};
const tree = (name: string, lastUsedAtMs: number, isActive = false) => ({tree: name, lastUsedAtMs, isActive});
const roomy = {diskPercent: 10, inodePercent: 10};

describe('the collector', () => {
  test('[WT90] trees that were not used for longer than the limit go', () => {
    const trees = [tree('old', 899), tree('edge', 900), tree('new', 950)];
    expect(decideCollect({trees, ...roomy}, limits, 1_000)).toEqual([{tree: 'old', reason: 'age'}]);
  });

  test('[WT91] of too many trees the longest unused go', () => {
    const trees = [tree('c', 930), tree('a', 910), tree('b', 920), tree('busy', 901, true), tree('d', 940)];
    expect(decideCollect({trees, ...roomy}, limits, 1_000)).toEqual([
      {tree: 'a', reason: 'count'},
      {tree: 'b', reason: 'count'},
    ]);
  });

  test.for([
    [{diskPercent: 91, inodePercent: 10}, 'disk'],
    [{diskPercent: 10, inodePercent: 81}, 'inodes'],
  ] as const)('[WT92] with %o a few of the longest unused go at a time', ([fullness, reason]) => {
    const trees = [tree('c', 930), tree('a', 910), tree('b', 920)];
    expect(decideCollect({trees, ...fullness}, limits, 1_000)).toEqual([
      {tree: 'a', reason},
      {tree: 'b', reason},
    ]);
    expect(decideCollect({trees, diskPercent: 90, inodePercent: undefined}, limits, 1_000)).toEqual([]);
  });

  test('[WT93] a tree in use never goes, whatever the state, and no tree goes twice', () => {
    const anyTree = fc.record({
      tree: fc.uuid(),
      lastUsedAtMs: fc.integer({min: 0, max: 2_000}),
      isActive: fc.boolean(),
    });
    const state = fc.record({
      trees: fc.uniqueArray(anyTree, {selector: each => each.tree, maxLength: 20}),
      diskPercent: fc.integer({min: 0, max: 100}),
      inodePercent: fc.option(fc.integer({min: 0, max: 100}), {nil: undefined}),
    });
    fc.assert(
      fc.property(state, given => {
        const decided = decideCollect(given, limits, 1_000);
        const active = new Set(given.trees.filter(({isActive}) => isActive).map(each => each.tree));
        expect(decided.filter(each => active.has(each.tree))).toEqual([]);
        expect(new Set(decided.map(each => each.tree)).size).toBe(decided.length);
        const isCountMet = given.trees.length - decided.length <= Math.max(limits.countMax, active.size);
        expect(isCountMet).toBe(true);
      }),
    );
  });

  test('[WT94] a pass removes old trees with their work saved, skips active ones, and one that is busy does not stop it', async () => {
    const ground = makeGround();
    const [dirty, active, busy, clean] = [
      await makeWorktree(ground, 1),
      await makeWorktree(ground, 2),
      await makeWorktree(ground, 3),
      await makeWorktree(ground, 4),
    ];
    put(dirty.path, 'w.txt', 'w\n');
    const child = spawn('sleep', ['60'], {cwd: busy.path, stdio: 'ignore'});
    onTestFinished(() => void child.kill('SIGKILL'));
    await new Promise(resolve => child.once('spawn', resolve));
    const context = {...ground.context, now: () => Date.now() + defaultCollectLimits.ageMsMax + 60_000};
    const done = await collect(context, {isActive: ({epoch}) => epoch === 2});
    expect(
      done
        .map(({worktree, reason, error}) => [worktree.epoch, reason, error?.code])
        .toSorted(([a], [b]) => Number(a) - Number(b)),
    ).toEqual([
      [1, 'age', undefined],
      [3, 'age', 'worktree_busy'],
      [4, 'age', undefined],
    ]);
    expect([dirty, active, busy, clean].map(({path}) => existsSync(path))).toEqual([false, true, true, false]);
    expect(sh(dirty.mirror.path, 'show', `refs/salvage/${dirty.task}/e1:w.txt`)).toBe('w');
    expect(
      await collect(ground.context, {
        limits: {...defaultCollectLimits, diskPercentMax: 100, inodePercentMax: 100},
        isActive: () => false,
      }),
    ).toEqual([]);
  });

  test('[WT95] the fullness of a disk is a percentage', async () => {
    const {diskPercent, inodePercent} = await readFullness('/');
    expect(diskPercent).toBeGreaterThan(0);
    expect(diskPercent).toBeLessThanOrEqual(100);
    expect(inodePercent ?? 0).toBeLessThanOrEqual(100);
  });
});
