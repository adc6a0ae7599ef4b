import {mkdir, rename, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {attemptMark} from '../../../runner/src/executor/attempt-name.ts';
import {findLeftovers, killLeftover, sweepVerdict, type Leftover} from '../../../runner/src/executor/sweep.ts';
import {readUntil} from '../../contract/executor-contract.ts';
import {agent, cgroupBase, clock, hostPlace, machine} from './host-harness.ts';

const leftover: Leftover = {
  attempt: {task: 'a', epoch: 2},
  runDir: '/r/a-e2',
  cgroup: undefined,
  pids: [],
  deadline: {softMs: 1, hardMs: 100},
};
const due = {softMs: 1, hardMs: 100};
const later = {softMs: 1, hardMs: 500};

describe('sweeping', () => {
  test.for([
    {why: 'named gone', nowBootMs: 0, gone: ['a.e2'], held: [['a.e2', later]], want: {action: 'kill', reason: 'gone'}},
    {
      why: 'another epoch named gone',
      nowBootMs: 0,
      gone: ['a.e1'],
      held: [],
      want: {action: 'keep', reason: 'not_due'},
    },
    {why: 'past its deadline', nowBootMs: 100, gone: [], held: [], want: {action: 'kill', reason: 'deadline'}},
    {
      why: 'renewed by this runner',
      nowBootMs: 100,
      gone: [],
      held: [['a.e2', later]],
      want: {action: 'keep', reason: 'held'},
    },
    {
      why: 'past the deadline this runner knows',
      nowBootMs: 500,
      gone: [],
      held: [['a.e2', later]],
      want: {action: 'kill', reason: 'deadline'},
    },
    {why: 'not asked about', nowBootMs: 99, gone: [], held: [], want: {action: 'keep', reason: 'not_due'}},
    {why: 'unknown', nowBootMs: 1e9, gone: [], held: [], deadline: null, want: {action: 'keep', reason: 'unknown'}},
  ] as const)('[KT8] an attempt $why', ({nowBootMs, gone, held, want, ...rest}) => {
    const seen = {...leftover, deadline: 'deadline' in rest ? undefined : due};
    expect(sweepVerdict(seen, {nowBootMs, gone: new Set(gone), held: new Map(held)})).toEqual(want);
  });

  test('[KT9] leftovers are found by run directory, cgroup and marker, and ended one by one', async () => {
    await using place = await hostPlace({cgroupBase});
    const attempts = [place.attempt(agent('hangs')), place.attempt(agent('hangs')), place.attempt(agent('hangs'))];
    for (const {plan, runDir} of attempts) {
      await place.executor.launch(plan, runDir);
      await readUntil(place.executor, runDir, 'ready');
    }
    const [whole, bare, kept] = attempts;
    if (whole === undefined || bare === undefined || kept === undefined) throw new Error('three attempts were made');
    const aside = join(place.root, 'aside');
    await rename(bare.runDir, aside);
    await mkdir(join(place.runsDir, 'not-an-attempt'));
    const find = async () => {
      const ours = new Set(attempts.map(({plan}) => attemptMark(plan.attempt)));
      return (await findLeftovers({runsDir: place.runsDir, cgroupBase}, machine)).filter(({attempt}) =>
        ours.has(attemptMark(attempt)),
      );
    };
    const found = await find();
    expect(found).toHaveLength(3);
    const of = ({plan}: typeof whole) => found.find(({attempt}) => attemptMark(attempt) === attemptMark(plan.attempt));
    expect(of(whole)).toMatchObject({runDir: whole.runDir, deadline: whole.plan.deadline, pids: [expect.any(Number)]});
    expect(of(bare)).toMatchObject({runDir: undefined, deadline: undefined, pids: [expect.any(Number)]});
    expect(
      sweepVerdict(of(bare) ?? leftover, {nowBootMs: clock.nowMs(), gone: new Set(), held: new Map()}),
    ).toMatchObject({action: 'keep'});
    for (const one of [of(whole), of(bare)])
      expect(await killLeftover(one ?? leftover, 'gone', machine)).toEqual({survivors: []});
    expect((await find()).filter(({pids}) => pids.length > 0).map(({attempt}) => attempt)).toEqual([kept.plan.attempt]);
    expect((await find()).filter(({cgroup}) => cgroup !== undefined)).toHaveLength(cgroupBase === undefined ? 0 : 1);
    expect(await place.executor.status(whole.runDir)).toMatchObject({state: 'killed', reason: 'gone'});
    expect(await place.executor.status(kept.runDir)).toMatchObject({state: 'running'});
    await rm(aside, {recursive: true});
  });
});
