import {expect, test} from 'vitest';
import {isFinished} from '@switchyard/shared/machine/task-machine.ts';
import {cancelTask} from '../../../worker/src/fleet/cancel.ts';
import {loadMemory} from '../../../worker/src/fleet/memory.ts';
import {CoreWorld, failedResult, seededRandom, type Attempt, type TestMachine} from '../../fixtures/fleet-core.ts';

type Walker = {
  readonly of: CoreWorld;
  readonly machines: readonly {machine: TestMachine; slots: number; offered: Attempt[]; held: Attempt[]}[];
  readonly tasks: string[];
  readonly pick: (count: number) => number;
};

function newWalker(seed: number): Walker {
  const of = new CoreWorld(seed);
  const random = seededRandom(seed + 1);
  const machines = [1, 2, 5].map(slots => ({
    machine: of.machine(),
    slots,
    offered: [] as Attempt[],
    held: [] as Attempt[],
  }));
  for (const {machine, slots} of machines) machine.hello(slots);
  return {of, machines, tasks: [], pick: count => Math.floor(random() * count)};
}

const concurrency = [
  undefined,
  {key: 'a', limit: 2},
  {key: 'b', mode: 'cancel_in_progress'},
  {key: 'c', mode: 'cancel_newest'},
] as const;

type Side = Walker['machines'][number];
type Move = (
  walker: Walker,
  side: Side,
  own: {readonly offered: Attempt | undefined; readonly held: Attempt | undefined},
) => void;

const submit: Move = ({of, tasks, pick}) => {
  const spec = {
    concurrency: concurrency[pick(4)],
    fairness_key: `k${pick(3)}`,
    priority: (pick(5) + 1) as 1,
    attempts_max: 3,
  };
  tasks.push(of.one(spec));
};
const accept: Move = (_, {machine}, {offered}) => {
  if (offered !== undefined) machine.say({t: 'accept', ...offered, ts: 1});
};
const reject: Move = ({pick}, {machine}, {offered}) => {
  if (offered !== undefined)
    machine.say({t: 'reject', ...offered, code: 'disk_full', detail: '', retryable: pick(4) > 0});
};
const exit: Move = ({pick}, {machine}, {held}) => {
  const kinds = ['succeeded', 'timed_out', 'cancelled'] as const;
  if (held !== undefined) machine.exit(held, pick(2) === 0 ? failedResult : {kind: kinds[pick(3)] ?? 'succeeded'});
};
const cancel: Move = ({of, tasks, pick}) => {
  const id = tasks[pick(tasks.length)];
  of.run(batch => {
    const row = id === undefined ? undefined : batch.task(id);
    if (row !== undefined) cancelTask(batch, row, {reason: '', grace_ms: 0});
    return () => undefined;
  });
};
const renew: Move = (_, {machine, held, slots}) => machine.renew(held, slots);
const turnClock: Move = ({of, pick}) => of.advance(pick(20_000));
const restartOrConnect: Move = ({of, pick}, {machine, held, slots}) => {
  if (pick(10) === 0) of.restart();
  else machine.hello(slots, held.map(attempt => ({...attempt, phase: 'running', spool_len: 0})) as never);
};
const moves = [submit, submit, accept, accept, accept, reject, exit, exit, cancel, renew, turnClock, restartOrConnect];

function stepOnce(walker: Walker): void {
  const {of, machines, pick} = walker;
  const side = machines[pick(machines.length)];
  if (side === undefined) throw new Error('no machine');
  for (const draft of of.take(side.machine.id)) {
    if (draft.t === 'offer') side.offered.push({task: draft.task, epoch: draft.epoch});
    if (draft.t === 'go') side.held.push({task: draft.task, epoch: draft.epoch});
  }
  const own = {offered: side.offered[pick(side.offered.length)], held: side.held[pick(side.held.length)]};
  moves[pick(moves.length)]?.(walker, side, own);
}

/** What the memory of the core counts is what its database holds. */
function expectCountsTrue({of, machines}: Walker): void {
  const {live, waiting, lanes} = of.core.memory;
  const fresh = loadMemory(of.sql);
  expect({size: live.size, waiting}).toEqual({size: fresh.live.size, waiting: fresh.waiting});
  expect(new Map([...lanes.all()].map(({text, count}) => [text, count]))).toEqual(
    new Map([...fresh.lanes.all()].map(({text, count}) => [text, count])),
  );
  for (const {machine, slots} of machines) {
    const rows = of.sql.all<{n: number}>(
      "SELECT count(*) AS n FROM task WHERE runner = ? AND state IN ('offered', 'leased', 'cancelling')",
      machine.id,
    );
    const held = live.heldBy(machine.id).get('host') ?? 0;
    expect(held).toBe(rows[0]?.n);
    expect(held).toBeLessThanOrEqual(slots);
  }
  for (const [key, limit] of [
    ['a', 2],
    ['b', 1],
    ['c', 1],
  ] as const)
    expect(live.active(key)).toBeLessThanOrEqual(limit);
}

test.for([1, 2, 3])(
  '[FL12] capacity never drifts and nothing ends twice in 10,000 random steps, seed %i (T11)',
  {timeout: 240_000},
  seed => {
    const walker = newWalker(seed);
    const {of} = walker;
    const ends = new Map<string, string>();
    const epochs = new Map<string, number>();
    for (let at = 0; at < 10_000; at += 1) {
      stepOnce(walker);
      if (at % 200 !== 0) continue;
      expectCountsTrue(walker);
      for (const {id, state, epoch} of of.sql.all<{id: string; state: never; epoch: number}>(
        'SELECT id, state, epoch FROM task',
      )) {
        expect(state).toBe(ends.get(id) ?? state);
        if (isFinished(state)) ends.set(id, state);
        expect(epoch).toBeGreaterThanOrEqual(epochs.get(id) ?? 0);
        epochs.set(id, epoch);
      }
    }
    expect(ends.size).toBeGreaterThan(200);
    const doubled = of.sql.all(
      'SELECT task FROM task_event WHERE kind IN (?, ?, ?, ?, ?) GROUP BY task HAVING count(*) > 1',
      'task.succeeded',
      'task.failed',
      'task.timed_out',
      'task.cancelled',
      'task.dead',
    );
    expect(doubled).toEqual([]);
  },
);
