import {chanceOf, type Chance} from './random.ts';

/**
 * Times of the lease under chaos, in the proportions of the defaults but for the grace: the dead man beside an agent
 * looks once a second, and has to get a turn on a machine that is busy with starting everything again.
 */
export const lease = {
  ttl_ms: 6_000,
  renew_ms: 1_200,
  grace_ms: 2_500,
  offer_ms: 2_000,
  soft_stop_ms: 1_500,
  hard_kill_ms: 500,
} as const;

/** Long enough that every lease held at its beginning has run out. */
const longMs = lease.ttl_ms + lease.grace_ms + 500;

export type RunnerFault =
  | {readonly kind: 'rest'; readonly ms: number}
  /** SIGKILL, then a new process after the time. */
  | {readonly kind: 'kill-runner'; readonly downMs: number}
  /** SIGSTOP, then SIGCONT. */
  | {readonly kind: 'stop-runner'; readonly ms: number}
  /** Nothing passes in a direction and nothing is closed; in the end every connection is lost. */
  | {readonly kind: 'cut'; readonly direction: 'both' | 'up' | 'down'; readonly ms: number}
  | {readonly kind: 'slow'; readonly bytesPerSecond: number; readonly latencyMs: number; readonly ms: number}
  /** Every connection is lost at once. */
  | {readonly kind: 'reset'}
  /** SIGKILL of the shim, or of the agent, of one attempt. `pick` chooses among those alive. */
  | {readonly kind: 'kill-shim' | 'kill-agent'; readonly pick: number}
  /** The disk of the state directory takes no byte more, where it is a small one. */
  | {readonly kind: 'fill-disk'; readonly ms: number};

export type PlaneFault =
  | {readonly kind: 'rest'; readonly ms: number}
  | {readonly kind: 'kill-plane'; readonly downMs: number}
  | {readonly kind: 'stop-plane'; readonly ms: number};

export type Timed<Fault> = Fault & {readonly afterMs: number};

/** All tracks of a round begin together, and the next round begins when all have ended. */
export type Round = {
  readonly plane: readonly Timed<PlaneFault>[];
  /** A track for each runner. */
  readonly runners: readonly (readonly Timed<RunnerFault>[])[];
};

/** How often each fault comes in ten rounds, and how it is made up. */
const runnerDeck: readonly (readonly [number, (chance: Chance) => RunnerFault])[] = [
  [40, chance => ({kind: 'kill-runner', downMs: chance.next() < 0.7 ? 0 : chance.between(100, 2_000)})],
  [1, () => ({kind: 'kill-runner', downMs: longMs})],
  [3, chance => ({kind: 'stop-runner', ms: chance.between(200, 2_500)})],
  [1, () => ({kind: 'stop-runner', ms: longMs})],
  [3, chance => ({kind: 'cut', direction: 'both', ms: chance.between(300, 2_500)})],
  [1, () => ({kind: 'cut', direction: 'both', ms: longMs})],
  [2, chance => ({kind: 'cut', direction: chance.pick(['up', 'down']), ms: chance.between(300, 2_500)})],
  [1, chance => ({kind: 'cut', direction: chance.pick(['up', 'down']), ms: longMs})],
  [5, slow],
  [6, () => ({kind: 'reset'})],
  [7, chance => ({kind: 'kill-shim', pick: chance.next()})],
  [4, chance => ({kind: 'kill-agent', pick: chance.next()})],
  [2, chance => ({kind: 'fill-disk', ms: chance.between(1_000, 4_000)})],
  [14, chance => ({kind: 'rest', ms: chance.between(500, 2_000)})],
];

const planeDeck: readonly (readonly [number, (chance: Chance) => PlaneFault])[] = [
  [13, chance => ({kind: 'kill-plane', downMs: chance.next() < 0.6 ? 0 : chance.between(100, 2_500)})],
  [1, chance => ({kind: 'stop-plane', ms: chance.between(200, 2_500)})],
  [1, () => ({kind: 'stop-plane', ms: longMs})],
  [5, chance => ({kind: 'rest', ms: chance.between(500, 2_000)})],
];

const roundsOfDeck = 10;
const faultsOfRunner = 3;
const faultsOfPlane = 2;

function slow(chance: Chance): RunnerFault {
  return {
    kind: 'slow',
    bytesPerSecond: chance.pick([4_000, 30_000, 200_000]),
    latencyMs: chance.between(0, 400),
    ms: chance.between(500, 3_000),
  };
}

export const runnerCount = 3;
/** The runner whose state may lie on a small disk of its own. */
export const smallDiskRunner = 0;

/** The rounds of a seed, one after the other, without end. */
export function* faultPlan(seed: string): Generator<Round, never, undefined> {
  const chance = chanceOf(`faults-${seed}`);
  for (;;) yield* deal(chance);
}

/** Ten rounds in which every fault comes as often as the decks say. */
function deal(chance: Chance): Round[] {
  const runnerCards = shuffledDeck(runnerDeck, chance);
  const planeCards = shuffledDeck(planeDeck, chance);
  const track = (): Timed<RunnerFault>[] => runnerCards.splice(0, faultsOfRunner);
  return Array.from({length: roundsOfDeck}, () => {
    const tracks = Array.from({length: runnerCount}, track);
    return {plane: planeCards.splice(0, faultsOfPlane), runners: withSmallDisk(tracks)};
  });
}

function shuffledDeck<Fault>(
  deck: readonly (readonly [number, (chance: Chance) => Fault])[],
  chance: Chance,
): Timed<Fault>[] {
  const cards = deck.flatMap(([count, make]) => Array.from({length: count}, () => make(chance)));
  return chance.shuffled(cards).map(card => ({...card, afterMs: chance.between(0, 1_500)}));
}

/** Only one runner has a disk that can be filled: a track that would fill another's changes places with its track. */
function withSmallDisk(tracks: Timed<RunnerFault>[][]): Timed<RunnerFault>[][] {
  const filling = tracks.findIndex(track => track.some(({kind}) => kind === 'fill-disk'));
  const [one, other] = [tracks[filling], tracks[smallDiskRunner]];
  if (one === undefined || other === undefined) return tracks;
  return tracks.with(filling, other).with(smallDiskRunner, one);
}
