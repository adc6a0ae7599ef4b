import {streamKinds, type StreamPlan} from './byte-stream.ts';
import {chanceOf} from './random.ts';

/** What one agent does; it is handed to the agent as JSON. */
export type AgentPlan = {
  /** The idempotency key of the submission. */
  readonly key: string;
  readonly stream: StreamPlan;
  /** How long it speaks at least. */
  readonly ms: number;
  readonly exitCode: number;
  readonly ignoresStop: boolean;
  readonly forks: boolean;
  /** Whether it changes a file of its worktree. */
  readonly changes: boolean;
};

export type TaskPlan = {
  readonly agent: AgentPlan;
  /** How often it is submitted at once, all with the same key. */
  readonly copies: number;
  /** When after its acknowledgement it is cancelled. */
  readonly cancelAfterMs: number | null;
  readonly priority: number;
};

/** The task with this number in the load of a seed. */
export function taskPlan(seed: string, index: number): TaskPlan {
  const key = `chaos-${seed}-${index}`;
  const chance = chanceOf(key);
  const isLong = chance.next() < 0.12;
  return {
    agent: {
      key,
      stream: {
        seed: key,
        kind: chance.pick(streamKinds),
        bytes: isLong ? chance.between(200_000, 1_500_000) : chance.between(0, 6_000),
      },
      ms: chance.next() < 0.2 ? 0 : chance.between(100, 5_000),
      exitCode: chance.next() < 0.05 ? 3 : 0,
      ignoresStop: chance.next() < 0.15,
      forks: chance.next() < 0.15,
      changes: chance.next() < 0.2,
    },
    copies: chance.next() < 0.25 ? chance.between(2, 4) : 1,
    cancelAfterMs: chance.next() < 0.1 ? chance.between(0, 4_000) : null,
    priority: chance.between(1, 5),
  };
}
