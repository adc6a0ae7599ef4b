import {findPeers, type Available} from './available.ts';
import {measureQueue} from './groups/queue.ts';
import {measureStart} from './groups/start.ts';
import {measureLogs} from './groups/logs.ts';
import {measureWorktrees} from './groups/worktrees.ts';
import {machineText} from './machine.ts';
import type {Rhythm} from './measure.ts';
import {commandOf, parseOptions, usage, type BenchOptions, type GroupName} from './options.ts';
import {record} from './record.ts';
import {tableJson, tableText, type Group, type Outcome} from './report.ts';

/** `npm run bench`: measures Switchyard beside its peers on this machine and prints tables. Writes only on `--record`. */
const warmUpMs = 2_000;

const titles: Readonly<Record<GroupName, string>> = {
  queue: 'Queue and dispatch',
  logs: 'Log streaming',
  worktrees: 'Worktrees',
  start: 'Start',
};

async function measure(name: GroupName, options: BenchOptions, available: Available): Promise<Group> {
  const rhythm: Rhythm = {rounds: options.rounds, lengthMs: options.seconds * 1_000, warmUpMs};
  const outcome = await outcomeOf(name, options, {available, rhythm});
  return {name, title: titles[name], ...outcome, command: commandOf(name, options)};
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') {
    console.log(usage);
    return;
  }
  const available = await findPeers();
  const machine = machineText();
  if (!options.isJson) console.log(`${machine}\n`);
  const groups: Group[] = [];
  for (const name of options.groups) {
    const group = await measure(name, options, available);
    groups.push(group);
    if (!options.isJson) console.log(tableText(group));
  }
  if (options.isJson) console.log(JSON.stringify({machine, options, groups: groups.map(tableJson)}, undefined, 2));
  if (options.isRecord) await record(groups, {machine, options});
}

type Context = {readonly available: Available; readonly rhythm: Rhythm};

async function outcomeOf(name: GroupName, options: BenchOptions, {available, rhythm}: Context): Promise<Outcome> {
  switch (name) {
    case 'queue':
      return measureQueue(available, rhythm);
    case 'logs':
      return measureLogs(available, rhythm);
    case 'worktrees':
      return measureWorktrees(options, rhythm);
    case 'start':
      return measureStart(rhythm);
  }
}

try {
  await main();
  process.exit();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
