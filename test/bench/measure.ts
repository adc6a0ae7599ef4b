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

/** What one round of one side gave, by the name of the figure. */
export type Figures = Readonly<Record<string, number>>;

export type Side = {
  readonly name: string;
  /** Measures for about this long and gives the figures of the round. */
  readonly round: (lengthMs: number) => Promise<Figures>;
};

export type Rhythm = {readonly rounds: number; readonly lengthMs: number; readonly warmUpMs: number};

/** The rounds of each side in their order; a side that failed is in `failed` with the reason and nowhere else. */
export type Measured = {
  readonly rounds: ReadonlyMap<string, readonly Figures[]>;
  readonly failed: ReadonlyMap<string, string>;
};

/**
 * Rounds of all sides, interleaved, so that what the machine does beside them meets all alike. The first round of each
 * side is its warm-up and is not counted. The order turns with every round: nobody always comes after the same one.
 */
export async function interleave(what: string, sides: readonly Side[], rhythm: Rhythm): Promise<Measured> {
  const rounds = new Map<string, Figures[]>(sides.map(({name}) => [name, []]));
  const failed = new Map<string, string>();
  const run = async (side: Side, lengthMs: number): Promise<Figures | undefined> => {
    if (failed.has(side.name)) return undefined;
    try {
      return await side.round(lengthMs);
    } catch (error) {
      failed.set(side.name, error instanceof Error ? error.message : String(error));
      rounds.delete(side.name);
      return undefined;
    }
  };
  for (const side of sides) {
    progress(`${what}: warm-up of ${side.name}`);
    await run(side, rhythm.warmUpMs);
  }
  for (let round = 0; round < rhythm.rounds; round += 1) {
    for (const index of sides.keys()) {
      const side = sides[(index + round) % sides.length];
      if (side === undefined) continue;
      progress(`${what}: round ${round + 1} of ${rhythm.rounds}, ${side.name}`);
      const figures = await run(side, rhythm.lengthMs);
      if (figures !== undefined) rounds.get(side.name)?.push(figures);
    }
  }
  return {rounds, failed};
}

/** The median of one figure of one side; NaN when there is none. */
export function medianOf({rounds}: Measured, side: string, figure: string): number {
  return median((rounds.get(side) ?? []).map(figures => figures[figure] ?? Number.NaN));
}

/**
 * The median of the ratios of rounds that ran beside each other: what slows the machine for a while slows both, and
 * stays out of the ratio.
 */
export function pairedRatio(
  {rounds}: Measured,
  ours: {readonly side: string; readonly figure: string},
  peer: {readonly side: string; readonly figure: string},
): number {
  const theirs = rounds.get(peer.side) ?? [];
  const ratios = (rounds.get(ours.side) ?? []).map(
    (figures, index) => (figures[ours.figure] ?? Number.NaN) / (theirs[index]?.[peer.figure] ?? Number.NaN),
  );
  return median(ratios);
}

/** What happens now, for whoever watches; never part of the result. */
export function progress(text: string): void {
  process.stderr.write(`  ${text}\n`);
}
