import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import type {UpMessage} from '@switchyard/shared/protocol/up.ts';
import type {LogDown} from '@switchyard/shared/protocol/log-control.ts';

export type AttemptOf = {readonly task: string; readonly epoch: number};

/** A row of the Fleet's task table as it was committed. */
export type TaskSeen = {
  readonly id: string;
  readonly state: string;
  readonly epoch: number;
  readonly runner: string | null;
  readonly expires_ms: number | null;
  readonly conc_key: string | null;
  readonly title: string;
  readonly lane: string;
  readonly queued_ms: number | null;
};

type AgentFact<T extends string> = {readonly t: T; readonly machine: number; readonly pid: number} & AttemptOf;
type MachineFact<T extends string> = {readonly t: T; readonly machine: number};

/**
 * What an onlooker of the whole world could see. The invariants are judged from these alone: processes that really ran,
 * bytes that really left, rows that were committed, answers that a client really got.
 */
export type Fact =
  | AgentFact<'agent.started'>
  | AgentFact<'agent.ended'>
  | MachineFact<'machine.suspended'>
  | MachineFact<'machine.woke'>
  | MachineFact<'host.crashed'>
  | MachineFact<'host.booted'>
  | MachineFact<'runner.started'>
  | MachineFact<'runner.ended'>
  | MachineFact<'runner.revoked'>
  /** The time at which the lease of an attempt ends, as the machine wrote it down for the dead-man's switch. */
  | ({
      readonly t: 'deadline';
      readonly machine: number;
      readonly endsAtMs: number;
      readonly killAtMs: number;
    } & AttemptOf)
  /** Left the Fleet, after its commit. */
  | {readonly t: 'fleet.sent'; readonly runner: string; readonly message: DownMessage}
  /** Reached the runner process of a machine, before it decides. */
  | {readonly t: 'runner.heard'; readonly machine: number; readonly message: DownMessage}
  /** The runner process says this, whether or not there is somebody to hear it. */
  | {readonly t: 'runner.said'; readonly machine: number; readonly message: UpMessage}
  /** The runner process has decided upon what it heard. */
  | {
      readonly t: 'runner.decided';
      readonly machine: number;
      readonly message: DownMessage;
      readonly killed: readonly string[];
    }
  | {readonly t: 'runner.hello'; readonly machine: number; readonly slots: number; readonly live: readonly string[]}
  /** The Fleet took a message about an attempt; `changed` says whether the task's row is another one since. */
  | ({
      readonly t: 'fleet.took';
      readonly kind: string;
      readonly rowEpoch: number;
      readonly changed: boolean;
    } & AttemptOf)
  | {readonly t: 'fleet.heardSlots'; readonly runner: string; readonly slots: number}
  | {readonly t: 'task'; readonly before: TaskSeen | undefined; readonly after: TaskSeen}
  /** What D1 is told of an attempt that is over. */
  | ({
      readonly t: 'history';
      readonly outcome: string;
      readonly logBytes: number;
      readonly endedAtMs: number;
    } & AttemptOf)
  | {readonly t: 'fleet.restarted'; readonly how: string}
  | ({
      readonly t: 'log.sent';
      readonly machine: number;
      readonly offset: number;
      readonly bytes: Uint8Array;
    } & AttemptOf)
  | ({readonly t: 'log.answered'; readonly message: LogDown} & AttemptOf)
  | ({readonly t: 'log.restarted'} & Pick<AttemptOf, 'task'>)
  | {readonly t: 'client.asked'; readonly ask: number; readonly operation: string; readonly key: string}
  | {
      readonly t: 'client.answered';
      readonly ask: number;
      readonly operation: string;
      readonly key: string;
      readonly ok: boolean;
      readonly ids: readonly string[];
      readonly state: string;
    }
  | ({readonly t: 'collected'; readonly machine: number} & AttemptOf)
  | {readonly t: 'fault'; readonly kind: string; readonly index: number}
  | {readonly t: 'calm'}
  | {readonly t: 'rest'};

export type Seen = {readonly atMs: number; readonly fact: Fact};

export const keyOf = ({task, epoch}: AttemptOf): string => `${task}/e${epoch}`;
