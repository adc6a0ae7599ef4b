import {aims} from '../aims.ts';
import type {Available} from '../available.ts';
import {compare, failures, type Wanted} from '../compare.ts';
import {logLoop, type LogSystem} from '../log-loop.ts';
import {interleave, type Rhythm} from '../measure.ts';
import type {Outcome} from '../report.ts';
import {floorLog} from '../sides/floor-log.ts';
import {switchyardLog} from '../sides/switchyard-log.ts';
import {switchyardName} from '../sides/switchyard.ts';
import {switchyardTail, tailRelay} from '../sides/tailed-agent.ts';
import {withSides, type Starter} from '../sides-open.ts';

const always = 'Redis always, entry per batch';
const perLine = 'Redis everysec, entry per line';
const floorFull = 'floor full';
const relay = 'tail -F and relay';
const inFlight = 8;

const of100: readonly Wanted[] = [
  {figure: 'lines, batches of 100', unit: '/s', key: 'rate', peer: always, aim: aims.linesOf100},
  {figure: 'lines, batches of 100', unit: '/s', key: 'rate', peer: perLine, aim: aims.linesAgainstLineEntries},
  {figure: 'lines, batches of 100', unit: '/s', key: 'rate', peer: floorFull},
  {figure: 'age at the reader p50, batches of 100', unit: 'us', key: 'age', peer: always},
];

const of1000: readonly Wanted[] = [
  {figure: 'lines, batches of 1000', unit: '/s', key: 'rate', peer: always, aim: aims.linesOf1000},
  {figure: 'lines, batches of 1000', unit: '/s', key: 'rate', peer: floorFull},
  {figure: 'age at the reader p50, batches of 1000', unit: 'us', key: 'age', peer: always, aim: aims.latencyOf1000},
  {figure: 'age at the reader p50, batches of 1000', unit: 'us', key: 'age', peer: floorFull},
];

const tailed: readonly Wanted[] = [
  {figure: 'agent writes to reader sees, p50, 1 MB/s', unit: 'us', key: 'age', peer: relay, aim: aims.agentLineSeen},
  {figure: 'agent writes to reader sees, p99, 1 MB/s', unit: 'us', key: 'age99', peer: relay},
];

/** Lines of 100 bytes from a writer to one reader, and from the file of an agent to one reader. */
export async function measureLogs({redis}: Available, rhythm: Rhythm): Promise<Outcome> {
  const redisSide = (fsync: 'always' | 'everysec', per: 'batch' | 'line') => async (): Promise<LogSystem> =>
    (await import('../sides/redis-log.ts')).redisLog(fsync, per);
  const starters: readonly Starter<LogSystem>[] = [
    {name: switchyardName, why: true, start: switchyardLog},
    {name: always, why: redis, start: redisSide('always', 'batch')},
    {name: perLine, why: redis, start: redisSide('everysec', 'line')},
    {name: floorFull, why: true, start: floorLog},
  ];
  const streamed = await withSides(starters, sides => streams(sides, rhythm));
  const tails = [
    {name: switchyardName, why: true as const, start: switchyardTail},
    {name: relay, why: true as const, start: tailRelay},
  ];
  const agents = await withSides(tails, async sides => {
    const seen = await interleave('a line of an agent', sides, rhythm);
    return {rows: compare(seen, switchyardName, tailed), absent: failures(seen)};
  });
  return {
    rows: [...streamed.rows, ...agents.rows],
    notes: [
      'Lines a second are counted at the reader, which is a process of its own; every line has to arrive.',
      'Switchyard, Redis always and floor full acknowledge a batch when it is synced to the disk; Redis everysec may lose the last second; the relay stores nothing.',
      'The writer compresses batches over 2 KiB, as the runner does; the peers send them as they are.',
    ],
    absent: [...streamed.absent, ...agents.absent],
  };
}

async function streams(systems: readonly LogSystem[], rhythm: Rhythm): Promise<Pick<Outcome, 'rows' | 'absent'>> {
  const loops = (lines: number) =>
    systems.map(system => ({name: system.name, round: logLoop(system, {lines, inFlight})}));
  const small = await interleave('batches of 100 lines', loops(100), rhythm);
  const large = await interleave('batches of 1000 lines', loops(1_000), rhythm);
  return {
    rows: [...compare(small, switchyardName, of100), ...compare(large, switchyardName, of1000)],
    absent: [small, large].flatMap(failures),
  };
}
