import {parseArgs} from 'node:util';

export const groupNames = ['queue', 'logs', 'worktrees', 'start'] as const;
export type GroupName = (typeof groupNames)[number];

export type BenchOptions = {
  readonly groups: readonly GroupName[];
  readonly rounds: number;
  /** Of one round of one side. */
  readonly seconds: number;
  readonly isJson: boolean;
  readonly isRecord: boolean;
  /** Also the figures that need a repository of 50,000 files. */
  readonly isLarge: boolean;
};

export const usage = `npm run bench [-- group...] [--rounds N] [--seconds S] [--large] [--json] [--record]

Groups: ${groupNames.join(', ')}; all of them when none is named.

  --rounds N    interleaved rounds that count, after one warm-up round (5)
  --seconds S   length of one round of one side (2.5)
  --large       also a repository of 50,000 files
  --json        one JSON document in place of the tables
  --record      write the tables into docs/benchmarks.md`;

/** Throws an error with a sentence for whoever typed it. */
export function parseOptions(args: readonly string[]): BenchOptions | 'help' {
  const {values, positionals} = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: {type: 'string', default: '5'},
      seconds: {type: 'string', default: '2.5'},
      large: {type: 'boolean', default: false},
      json: {type: 'boolean', default: false},
      record: {type: 'boolean', default: false},
      help: {type: 'boolean', short: 'h', default: false},
    },
  });
  if (values.help) return 'help';
  const unknown = positionals.find(name => groupOf(name) === undefined);
  if (unknown !== undefined) throw new Error(`there is no group ${unknown}: ${groupNames.join(', ')}`);
  const named = groupNames.filter(name => positionals.includes(name));
  return {
    groups: named.length === 0 ? groupNames : named,
    rounds: Math.trunc(positive('--rounds', values.rounds, 100)),
    seconds: positive('--seconds', values.seconds, 60),
    isJson: values.json,
    isRecord: values.record,
    isLarge: values.large,
  };
}

/** The command that repeats one group as it was measured. */
export function commandOf(group: GroupName, {rounds, seconds, isLarge}: BenchOptions): string {
  return `npm run bench -- ${group} --rounds ${rounds} --seconds ${seconds}${isLarge ? ' --large' : ''}`;
}

function groupOf(name: string): GroupName | undefined {
  return groupNames.find(known => known === name);
}

function positive(name: string, text: string, most: number): number {
  const value = Number(text);
  if (!(value > 0 && value <= most)) throw new Error(`${name} ${text}: expected a number above 0, at most ${most}`);
  return value;
}
