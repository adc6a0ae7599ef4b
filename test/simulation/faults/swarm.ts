import {chanceOf, type Chance} from '../kernel/chance.ts';
import {faultKinds, type FaultKind, type MachinePlan, type Plan, type Step} from './step.ts';

/** How long each kind lasts, in milliseconds. */
const lasts: Partial<Record<FaultKind, readonly [min: number, max: number]>> = {
  partition: [500, 90_000],
  partitionUp: [500, 60_000],
  partitionDown: [500, 60_000],
  delay: [2_000, 20_000],
  runnerCrash: [50, 15_000],
  runnerCrashAt: [50, 8_000],
  hostCrash: [1_000, 40_000],
  suspend: [500, 150_000],
  alarmLate: [100, 20_000],
  slowCommit: [1_000, 10_000],
  diskFull: [500, 50_000],
  slowDisk: [1_000, 20_000],
  pause: [500, 20_000],
  narrow: [500, 20_000],
  drain: [500, 30_000],
  drainHere: [200, 5_000],
  stopAll: [200, 5_000],
  revoke: [2_000, 20_000],
};

/** Kinds that end what others need to happen at all come less often. */
const weights: Partial<Record<FaultKind, number>> = {
  revoke: 0.1,
  hostCrash: 0.3,
  suspend: 0.4,
  partition: 0.5,
  diskFull: 0.4,
  pause: 0.3,
  drain: 0.3,
  stopAll: 0.8,
  drainHere: 0.3,
  narrow: 0.3,
  cancel: 0.5,
};

/** Swarm testing: each seed has its own selection of faults, its own rates, and its own machines. */
export function planOf(seed: number, faults: number): Plan {
  const chance = chanceOf(seed, 'plan');
  const meanMs = chance.pick([25, 60, 150, 400]);
  const calmAtMs = Math.max(20_000, faults * meanMs);
  const share = chance.pick([0.15, 0.4, 0.7]);
  const chosen = faultKinds
    .filter(() => chance.isLuck(share))
    .map(kind => [kind, (weights[kind] ?? 1) * (0.2 + chance.next())] as const);
  const kinds = chosen.length > 0 ? chosen : [['cut', 1] as const];
  const machines = Array.from({length: chance.between(1, 5)}, (_, index) => machineOf(chance, index));
  const tasks = Math.max(chance.between(5, 14), Math.floor(faults / 25));
  const steps: Step[] = [];
  for (let task = 0; task < tasks; task += 1) {
    const atMs = Math.floor((calmAtMs * 0.85 * task * (0.7 + 0.3 * chance.next())) / tasks);
    steps.push({...stepOf(chance, 'submit', machines.length), atMs, target: task});
  }
  for (let fault = 0; fault < faults; fault += 1) {
    const kind = weighted(chance, kinds);
    const atMs = chance.between(100, calmAtMs - 1);
    const target = Math.min(tasks - 1, Math.floor((atMs / (calmAtMs * 0.85)) * tasks * (0.5 + chance.next() * 0.5)));
    steps.push({...stepOf(chance, kind, machines.length), atMs, target});
  }
  return {seed, machines, steps: steps.toSorted((left, right) => left.atMs - right.atMs), calmAtMs};
}

function machineOf(chance: Chance, index: number): MachinePlan {
  const labels = chance.isLuck(0.5) || index === 0 ? ['gpu'] : [];
  // A clock that is wrong by a hundredth is far worse than any that is sold; what the grace covers is more.
  return {slots: chance.between(1, 3), labels, clockRate: 1 + (chance.next() - 0.5) * 0.02};
}

function stepOf(chance: Chance, kind: Step['kind'], machines: number): Step {
  const [min, max] = (kind === 'submit' ? undefined : lasts[kind]) ?? [0, 0];
  // Short ones are the most frequent.
  const forMs = Math.floor(min + (max - min) * chance.next() ** 3);
  return {atMs: 0, kind, machine: chance.between(0, machines - 1), forMs, luck: chance.next(), target: 0};
}

function weighted(chance: Chance, kinds: readonly (readonly [FaultKind, number])[]): FaultKind {
  let left = chance.next() * kinds.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of kinds) {
    left -= weight;
    if (left <= 0) return kind;
  }
  return kinds[0]?.[0] ?? 'cut';
}
