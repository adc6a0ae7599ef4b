/** Everything that the schedule of a world may hold. Work is what people ask for; the rest is what goes wrong. */
export const faultKinds = [
  'cut',
  'cutHalf',
  'cutLate',
  'partition',
  'partitionUp',
  'partitionDown',
  'delay',
  'runnerCrash',
  'runnerCrashAt',
  'hostCrash',
  'suspend',
  'fleetDeath',
  'fleetDeathNext',
  'fleetEvicted',
  'logDeath',
  'slowCommit',
  'alarmLate',
  'diskFull',
  'slowDisk',
  'clockRefused',
  'drain',
  'drainHere',
  'stopAll',
  'revoke',
  'cancel',
  'message',
  'retry',
  'pause',
  'narrow',
  'agentKilled',
  'offerReplayed',
  'offerForged',
  'doubledRequest',
  'lostRequest',
  'lostAnswer',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export type Step = {
  readonly atMs: number;
  readonly kind: FaultKind | 'submit';
  readonly machine: number;
  readonly forMs: number;
  /** From 0 to 1: which of the variants of this kind it is. */
  readonly luck: number;
  /** Which task: the number of the submit. */
  readonly target: number;
};

export type MachinePlan = {readonly slots: number; readonly labels: readonly string[]; readonly clockRate: number};

/** A whole world in numbers: the same plan gives the same run, also with steps taken out. */
export type Plan = {
  readonly seed: number;
  readonly machines: readonly MachinePlan[];
  readonly steps: readonly Step[];
  /** When the faults stop. */
  readonly calmAtMs: number;
};
