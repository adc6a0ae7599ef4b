import {aims} from '../aims.ts';
import type {Available} from '../available.ts';
import {closedLoop, type Queue} from '../closed-loop.ts';
import {compare, failures, type Wanted} from '../compare.ts';
import {depth, drain, type DrainQueue} from '../drain.ts';
import {interleave, progress, type Figures, type Rhythm} from '../measure.ts';
import type {Outcome, Row} from '../report.ts';
import {floor} from '../sides/floor.ts';
import {switchyard, switchyardName} from '../sides/switchyard.ts';
import {withSides, type Starter} from '../sides-open.ts';

const always = 'BullMQ always';
const everysec = 'BullMQ everysec';
const graphileName = 'graphile-worker';
const floorFull = 'floor full';

const inFlightMany = 64;
const backlog = {items: 5_000, batch: 500};
const deepItems = 100_000;

const one: readonly Wanted[] = [
  {figure: 'POST to runner has it, p50', unit: 'us', key: 'have', peer: always, aim: aims.startAgainstAlways},
  {figure: 'POST to runner has it, p50', unit: 'us', key: 'have', peer: everysec, aim: aims.startAgainstEverysec},
  {figure: 'POST to runner has it, p50', unit: 'us', key: 'have', peer: graphileName, aim: aims.startAgainstGraphile},
  {figure: 'POST to runner has it, p50', unit: 'us', key: 'have', peer: floorFull, aim: aims.startAgainstFloor},
  {figure: 'POST to runner may start, p50', unit: 'us', key: 'start', peer: always},
  {figure: 'POST to runner may start, p50', unit: 'us', key: 'start', peer: everysec},
  {figure: 'POST to runner may start, p50', unit: 'us', key: 'start', peer: graphileName},
  {figure: 'POST to runner may start, p50', unit: 'us', key: 'start', peer: floorFull},
  {figure: 'POST answered, p50', unit: 'us', key: 'add', peer: always},
  {figure: 'whole cycle, p50', unit: 'us', key: 'cycle', peer: always},
];

const many: readonly Wanted[] = [
  {figure: 'cycles, 64 in flight', unit: '/s', key: 'rate', peer: always, aim: aims.cyclesAgainstAlways},
  {figure: 'cycles, 64 in flight', unit: '/s', key: 'rate', peer: everysec, aim: aims.cyclesAgainstEverysec},
  {figure: 'cycles, 64 in flight', unit: '/s', key: 'rate', peer: graphileName, aim: aims.cyclesAgainstGraphile},
  {figure: 'cycles, 64 in flight', unit: '/s', key: 'rate', peer: floorFull, aim: aims.cyclesAgainstFloor},
  {figure: 'start p99, 64 in flight', unit: 'us', key: 'start99', peer: always, aim: aims.tailAgainstAlways},
  {figure: 'start p99, 64 in flight', unit: 'us', key: 'start99', peer: everysec},
];

const drained: readonly Wanted[] = [
  {figure: 'drain of a backlog', unit: '/s', key: 'drainRate', peer: everysec, aim: aims.drainAgainstEverysec},
  {figure: 'drain of a backlog', unit: '/s', key: 'drainRate', peer: always},
  {figure: 'drain of a backlog', unit: '/s', key: 'drainRate', peer: floorFull},
  {figure: 'bulk add, 500 a call', unit: '/s', key: 'addRate', peer: everysec, aim: aims.bulkAddAgainstEverysec},
  {figure: 'bulk add, 500 a call', unit: '/s', key: 'addRate', peer: always},
  {figure: 'bulk add, 500 a call', unit: '/s', key: 'addRate', peer: floorFull},
];

const spawned: readonly Wanted[] = [
  {figure: 'POST to agent process, p50', unit: 'us', key: 'start', peer: everysec, aim: aims.spawnAgainstEverysec},
  {figure: 'POST to agent process, p50', unit: 'us', key: 'start', peer: always},
];

/** The queue: one item at a time, many at once, a backlog, and what a deep queue costs. */
export async function measureQueue(available: Available, rhythm: Rhythm): Promise<Outcome> {
  const bare = await withSides(queueStarters(available, false), async sides => {
    const single = await interleave('1 in flight', sides.map(loop(1)), rhythm);
    const full = await interleave('64 in flight', sides.map(loop(inFlightMany)), rhythm);
    const backlogged = sides.filter(isDrain).map(queue => ({name: queue.name, round: drain(queue, backlog)}));
    const drainedAll = await interleave('backlog', backlogged, rhythm);
    const rows = [
      ...compare(single, switchyardName, one),
      ...compare(full, switchyardName, many),
      ...compare(drainedAll, switchyardName, drained),
    ];
    return {rows, absent: [single, full, drainedAll].flatMap(failures)};
  });
  const spawning = await withSides(queueStarters(available, true), async sides => {
    const measured = await interleave('agent process', sides.map(loop(1)), rhythm);
    return {rows: compare(measured, switchyardName, spawned), absent: failures(measured)};
  });
  const deep = await withSides(deepStarters(available), async sides => {
    const rows = (await measureDepth(sides.filter(isDrain))).flatMap(depthRows);
    return {rows, absent: []};
  });
  const parts = [bare, spawning, deep];
  return {
    rows: parts.flatMap(({rows}) => rows),
    notes: [
      'A runner has an item when it has verified the signed offer; it may start when its accept was answered by go. Peers have one step: the handler is entered.',
      'Switchyard, BullMQ always, floor full and graphile-worker sync each commit to the disk; BullMQ everysec may lose the last second.',
      'graphile-worker cannot be paused, so it has no row for a backlog.',
    ],
    absent: [...new Set(parts.flatMap(({absent}) => absent))],
  };
}

const loop =
  (inFlight: number) =>
  (queue: Queue): {name: string; round: (lengthMs: number) => Promise<Figures>} => ({
    name: queue.name,
    round: closedLoop(queue, inFlight),
  });

const isDrain = (queue: Queue): queue is DrainQueue => 'addBulk' in queue;

function queueStarters({redis, postgres}: Available, spawnsAgent: boolean): readonly Starter<Queue>[] {
  const bull = (fsync: 'always' | 'everysec') => async (): Promise<Queue> =>
    (await import('../sides/bullmq.ts')).bullmq(fsync, {spawnsAgent});
  const starters: readonly Starter<Queue>[] = [
    {name: switchyardName, why: true, start: () => switchyard({spawnsAgent})},
    {name: always, why: redis, start: bull('always')},
    {name: everysec, why: redis, start: bull('everysec')},
  ];
  if (spawnsAgent) return starters;
  return [
    ...starters,
    {name: graphileName, why: postgres, start: async () => (await import('../sides/graphile.ts')).graphile()},
    {name: floorFull, why: true, start: () => floor('full')},
  ];
}

function deepStarters(available: Available): readonly Starter<Queue>[] {
  return queueStarters(available, false).filter(({name}) => [switchyardName, everysec, floorFull].includes(name));
}

type Depth = {readonly name: string; readonly figures: Figures};

async function measureDepth(queues: readonly DrainQueue[]): Promise<readonly Depth[]> {
  const measured: Depth[] = [];
  for (const queue of queues) {
    progress(`${deepItems} waiting: ${queue.name}`);
    measured.push({name: queue.name, figures: await depth(queue, deepItems)});
  }
  return measured;
}

/** The queue is compared with itself: what it costs to add one more to an empty one, and to a deep one. */
function depthRows({name, figures}: Depth): readonly Row[] {
  const row = (what: string, deep: number, empty: number): Row => ({
    figure: `${what}, 100,000 waiting: ${name}`,
    unit: 'us',
    ours: deep,
    peer: {name: 'the same, empty', value: empty, ratio: deep / empty},
  });
  const {deepAdd = NaN, emptyAdd = NaN, deepAdd99 = NaN, emptyAdd99 = NaN, deepDrainRate = NaN} = figures;
  const p50 = row('add p50', deepAdd, emptyAdd);
  return [
    name === switchyardName ? {...p50, aim: aims.deepQueue} : p50,
    row('add p99', deepAdd99, emptyAdd99),
    {figure: `drain, 100,000 waiting: ${name}`, unit: '/s', ours: deepDrainRate},
  ];
}
