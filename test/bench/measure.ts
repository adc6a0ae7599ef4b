/** Microseconds of the machine's monotonic clock, the same in every process. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

export function percentile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** One thing to measure on one side; a round gives figures by name. */
export type Figures = Readonly<Record<string, number>>;

export type Side = {
  readonly name: string;
  /** Measures for about this long and gives the figures of the round. */
  readonly round: (lengthMs: number) => Promise<Figures>;
  readonly stop: () => Promise<void>;
};

/**
 * Rounds of all sides, interleaved, so that what the machine does beside them meets all alike. The first round of each
 * side is its warm-up and is not counted. Gives the median and the best of each figure.
 */
export async function interleave(
  sides: readonly Side[],
  {rounds, lengthMs, warmUpMs}: {rounds: number; lengthMs: number; warmUpMs: number},
): Promise<ReadonlyMap<string, Figures>> {
  for (const side of sides) await side.round(warmUpMs);
  const measured = new Map<string, Figures[]>(sides.map(({name}) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const side of sides) {
      process.stderr.write(`  round ${round + 1}/${rounds} ${side.name}\n`);
      measured.get(side.name)?.push(await side.round(lengthMs));
    }
  }
  return new Map([...measured].map(([name, each]) => [name, medians(each)]));
}

function medians(rounds: readonly Figures[]): Figures {
  const names = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(names.map(name => [name, median(rounds.map(figures => figures[name] ?? Number.NaN))]));
}
