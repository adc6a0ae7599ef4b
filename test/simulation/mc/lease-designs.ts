/** What a lease protocol may do in one way or another. A design is a choice of each; the rest of the model is common. */
export type Design = {
  /** `grant`: one message gives the lease and starts the agent. `go`: offer, accept, and only the answer starts it. */
  readonly startOn: 'grant' | 'go';
  /** The server refuses what an old epoch reports, and answers that it is gone. */
  readonly serverFence: boolean;
  /** The runner ends its agent at a deadline of its own, whatever it hears. */
  readonly selfFence: boolean;
  /** The deadline is one lease after the runner got an answer, or after it sent what was answered. */
  readonly deadlineFrom: 'receipt' | 'echo';
  /** The server waits this much longer than the lease. A kill begins at the deadline and is over at the next tick. */
  readonly graceTicks: number;
  /** Whether the clock of the runner stands still while its machine is suspended. */
  readonly clock: 'monotonic' | 'boot';
  /** A machine that wakes up looks at that clock before its agent goes on. */
  readonly checksBeforeResume: boolean;
};

export type Variant = {
  readonly name: string;
  readonly summary: string;
  readonly design: Design;
  /** Whether machines may be suspended and resume: a part of the world, not of the design. */
  readonly suspends: boolean;
  /** What is known of it. A model that says otherwise is wrong, or the protocol is. */
  readonly isSafe: boolean;
};

const v1: Design = {
  startOn: 'grant',
  serverFence: false,
  selfFence: false,
  deadlineFrom: 'receipt',
  graceTicks: 1,
  clock: 'monotonic',
  checksBeforeResume: false,
};
const v2: Design = {...v1, serverFence: true};
const v3: Design = {...v2, selfFence: true};
const v4: Design = {...v3, deadlineFrom: 'echo'};
const v5: Design = {...v4, startOn: 'go'};

/** The design that ships. */
const v7: Design = {...v5, clock: 'boot', checksBeforeResume: true};

const awake = {suspends: false, isSafe: false} as const;
const asleep = {suspends: true, isSafe: false} as const;

/** Seven designs, most of them the one before and one thing more. Six are known to be wrong. */
export const variants: readonly Variant[] = [
  {name: 'V1', summary: 'no fence, starts on the grant', design: v1, ...awake},
  {name: 'V2', summary: 'V1, and the server refuses old epochs', design: v2, ...awake},
  {name: 'V3', summary: 'V2, and the runner keeps a deadline, counted from receipt', design: v3, ...awake},
  {name: 'V4', summary: 'V3, but counted from the echo of its own time', design: v4, ...awake},
  {name: 'V5', summary: 'V4, but starts on the go that answers its accept', design: v5, ...awake, isSafe: true},
  {
    name: 'V5 without grace',
    summary: 'V5, but the server waits no longer than the lease',
    design: {...v5, graceTicks: 0},
    ...awake,
  },
  {name: 'V6', summary: 'V5 on machines that sleep, with a clock that sleeps too', design: v5, ...asleep},
  {
    name: 'V7',
    summary: 'V6, but with the boot clock, looked at before the agent resumes',
    design: v7,
    ...asleep,
    isSafe: true,
  },
];

/** V7 with one part taken away. Each is wrong, so no part is there for nothing. */
export const variantsWithout: readonly Variant[] = [
  {name: 'V7 without go', summary: 'starts on the grant', design: {...v7, startOn: 'grant'}, ...asleep},
  {name: 'V7 without server fence', summary: 'any epoch may report', design: {...v7, serverFence: false}, ...asleep},
  {name: 'V7 without self-fence', summary: 'the runner has no deadline', design: {...v7, selfFence: false}, ...asleep},
  {
    name: 'V7 without echo',
    summary: 'the deadline counts from receipt',
    design: {...v7, deadlineFrom: 'receipt'},
    ...asleep,
  },
  {
    name: 'V7 without grace',
    summary: 'the server waits no longer than the lease',
    design: {...v7, graceTicks: 0},
    ...asleep,
  },
  {
    name: 'V7 without boot clock',
    summary: 'the clock sleeps with its machine',
    design: {...v7, clock: 'monotonic'},
    ...asleep,
  },
  {
    name: 'V7 without check',
    summary: 'a resumed agent goes on until its runner looks at the clock',
    design: {...v7, checksBeforeResume: false},
    ...asleep,
  },
];
