/**
 * What Switchyard wants to reach: ratios of our figure to a peer's, measured in the same run on the same machine. `must`
 * is the least that is acceptable, `stretch` what the design should allow. Aims of one id belong together.
 */
export type Aim = {
  readonly id: string;
  /** What is judged: the ratio to the peer, or our value itself. */
  readonly of: 'ratio' | 'ours';
  /** `<=`: a time, less is better. `>=`: a rate, more is better. */
  readonly want: '<=' | '>=';
  readonly must: number;
  readonly stretch: number;
};

const atMost = (id: string, must: number, stretch: number): Aim => ({id, of: 'ratio', want: '<=', must, stretch});
const atLeast = (id: string, must: number, stretch: number): Aim => ({id, of: 'ratio', want: '>=', must, stretch});

export const aims = {
  startAgainstAlways: atMost('Q1', 1.3, 1),
  startAgainstEverysec: atMost('Q2', 4, 2.9),
  startAgainstGraphile: atMost('Q3', 0.6, 0.44),
  startAgainstFloor: atMost('F1', 2.2, 1.66),
  spawnAgainstEverysec: atMost('Q4', 2, 1.4),
  cyclesAgainstAlways: atLeast('Q5', 1.5, 2.5),
  cyclesAgainstEverysec: atLeast('Q5', 0.6, 1),
  cyclesAgainstGraphile: atLeast('Q6', 4, 5.4),
  cyclesAgainstFloor: atLeast('F2', 0.3, 0.33),
  drainAgainstEverysec: atLeast('Q7', 1.3, 2),
  bulkAddAgainstEverysec: atLeast('Q7', 2, 3),
  tailAgainstAlways: atMost('Q8', 1, 0.5),
  deepQueue: atMost('Q9', 1.2, 1),
  linesOf100: atLeast('L1', 0.6, 1),
  linesOf1000: atLeast('L2', 0.9, 1),
  latencyOf1000: atMost('L2', 0.5, 0.15),
  linesAgainstLineEntries: atLeast('L3', 3, 4.5),
  agentLineSeen: atMost('L4', 1.5, 1),
  claim10k: atMost('G1', 0.15, 0.05),
  claim50k: atMost('G2', 0.08, 0.01),
  release50k: atMost('G3', 0.02, 0.006),
  parallelClaims: atMost('G4', 1, 0.1),
  parallelErrors: {id: 'G4', of: 'ours', want: '<=', must: 0, stretch: 0},
} as const satisfies Record<string, Aim>;

export type Verdict = 'stretch' | 'hit' | 'missed';

export function verdictOf({of, want, must, stretch}: Aim, {ours, ratio}: {ours: number; ratio: number}): Verdict {
  const value = of === 'ours' ? ours : ratio;
  const meets = (bound: number): boolean => (want === '<=' ? value <= bound : value >= bound);
  return meets(stretch) ? 'stretch' : meets(must) ? 'hit' : 'missed';
}
