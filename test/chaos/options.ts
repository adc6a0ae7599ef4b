import {parseArgs} from 'node:util';

export type ChaosOptions = {
  readonly rounds: number;
  /** No round begins after this time, where it is given. */
  readonly minutes: number | null;
  readonly seed: string;
  readonly isJson: boolean;
};

export const usage = `npm run chaos [-- [--rounds N] [--minutes M] [--seed S] [--json]]

Real runners, a real control plane and real agents on this machine (Linux), under a planned series of faults; then a
verdict from what the agents themselves wrote down. Ends with 1 when a promise was broken.

  --rounds N    rounds of faults (10; without limit with --minutes)
  --minutes M   begin no round after so many minutes
  --seed S      the plan of faults and of load; random and printed when absent. The same seed gives the same plan;
                when exactly a process is hit differs from run to run
  --json        the report as one JSON document in place of the table`;

const roundsMax = 100_000;

/** Throws an error with a sentence for whoever typed it. */
export function parseOptions(args: readonly string[], randomSeed: () => string): ChaosOptions | 'help' {
  const {values} = parseArgs({
    args: [...args],
    options: {
      rounds: {type: 'string'},
      minutes: {type: 'string'},
      seed: {type: 'string'},
      json: {type: 'boolean', default: false},
      help: {type: 'boolean', short: 'h', default: false},
    },
  });
  if (values.help) return 'help';
  const minutes = values.minutes === undefined ? null : positive('--minutes', values.minutes, 1_440);
  const roundsDefault = minutes === null ? '10' : String(roundsMax);
  const seed = values.seed ?? randomSeed();
  if (!/^[A-Za-z0-9_-]{1,40}$/.test(seed)) throw new Error(`--seed ${seed}: expected at most 40 letters and digits`);
  return {
    rounds: Math.trunc(positive('--rounds', values.rounds ?? roundsDefault, roundsMax)),
    minutes,
    seed,
    isJson: values.json,
  };
}

function positive(name: string, text: string, most: number): number {
  const value = Number(text);
  if (!(value > 0 && value <= most)) throw new Error(`${name} ${text}: expected a number above 0, at most ${most}`);
  return value;
}
