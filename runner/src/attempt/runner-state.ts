import type {ErrorCode} from '@switchyard/shared/domain/error.ts';
import type {AttemptState} from '@switchyard/shared/machine/attempt-machine.ts';
import type {AttemptPhase} from '@switchyard/shared/protocol/attempt-message.ts';
import type {DownMessage, LeaseConfig, Offer, Welcome} from '@switchyard/shared/protocol/down.ts';
import type {AttemptResult, ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import type {UpMessage} from '@switchyard/shared/protocol/up.ts';
import type {Attempt, AttemptRef, WorkVerb} from './attempt-state.ts';
import type {AgentEnd, AttemptPlan, Completion, Said, SealedLog} from './attempt-work.ts';

/** What this process knows. `attempts` and `maxEpochs` are what the journal holds, the rest is of this process only. */
export type RunnerState = {
  readonly attempts: ReadonlyMap<string, Attempt>;
  /** The newest epoch of each task that was ever started here; the newest `maxEpochsKept` tasks, oldest first. */
  readonly maxEpochs: ReadonlyMap<string, number>;
  readonly config: LeaseConfig | null;
  readonly slots: number;
  /** This process is to end when it holds nothing. */
  readonly isDrainedHere: boolean;
  /** The control plane wants it to take nothing. */
  readonly isDrainedThere: boolean;
  readonly isConnected: boolean;
  /** When this process began: an echo of an earlier time is not an echo of what it sent. */
  readonly bornBootMs: number;
  readonly nextRenewBootMs: number | null;
};

/** Old enough epochs are fenced by the expiry of their envelope, so the table may have an end. */
export const maxEpochsKept = 10_000;

export type OfferedPlan = Pick<Attempt, 'task' | 'epoch' | 'spec' | 'branch'> & {
  readonly allowance?: Attempt['allowance'];
};

export type OfferCheck =
  | {readonly ok: true; readonly plan: OfferedPlan}
  | {readonly ok: false; readonly code: ErrorCode; readonly detail: string; readonly retryable: boolean};

export type WorkFailure = {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number | undefined;
};

/** What a verb of the work port answered. */
export type WorkAnswer =
  | {readonly verb: 'prepare'; readonly result: AttemptResult | null}
  | {readonly verb: 'run'; readonly end: AgentEnd}
  | {readonly verb: 'finish'; readonly completion: Completion}
  | {readonly verb: 'stop' | 'kill' | 'clean'}
  | {readonly verb: 'seal'; readonly sealed: SealedLog}
  | {readonly verb: 'sign'; readonly record: string}
  | {readonly verb: 'failed'; readonly of: WorkVerb; readonly failure: WorkFailure};

type Passed = 'go' | 'gone' | 'renewed' | 'exit_ack' | 'exit_nack' | 'cancel' | 'input' | 'drain' | 'resume';

export type RunnerEvent =
  | {readonly kind: 'welcome'; readonly welcome: Welcome}
  | {readonly kind: 'disconnected'}
  /** The key was revoked: nothing that this machine holds is its own any more. */
  | {readonly kind: 'revoked'}
  | {readonly kind: 'offer'; readonly offer: Pick<Offer, 'task' | 'epoch'>; readonly check: OfferCheck}
  | {readonly kind: 'message'; readonly message: Extract<DownMessage, {t: Passed}>}
  | {readonly kind: 'answer'; readonly of: AttemptRef; readonly answer: WorkAnswer}
  | {readonly kind: 'inputDone'; readonly of: AttemptRef; readonly seq: number; readonly delivered: boolean}
  /** What the journal held when this process began. `sameBoot` says whether its times still mean something. */
  | {readonly kind: 'restored'; readonly sameBoot: boolean}
  /** Take nothing more; the process ends when nothing is held. */
  | {readonly kind: 'drainHere'}
  /** End every attempt: they go back to the queue. */
  | {readonly kind: 'stopAll'; readonly graceMs: number; readonly detail: string}
  | {readonly kind: 'tick'};

export type HeldItem = {readonly task: Attempt['task']; readonly epoch: number; readonly phase: AttemptPhase};

export type RunnerEffect =
  | {
      readonly kind: 'send';
      readonly message: Exclude<UpMessage, {t: 'hello' | 'renew' | 'phase' | 'event' | 'metrics'}>;
    }
  | {readonly kind: 'phase'; readonly of: HeldItem; readonly detail: string}
  /** The inventory; the shell adds the length of each spool, and the metrics of the machine. */
  | {
      readonly kind: 'renew';
      readonly ts: number;
      readonly slots: Readonly<Record<string, number>>;
      readonly items: readonly HeldItem[];
    }
  | {readonly kind: 'extend'; readonly plan: AttemptPlan; readonly softBootMs: number; readonly hardBootMs: number}
  | {readonly kind: 'prepare' | 'run' | 'kill' | 'clean'; readonly plan: AttemptPlan}
  | {readonly kind: 'finish'; readonly plan: AttemptPlan; readonly end: AgentEnd}
  | {readonly kind: 'stop'; readonly plan: AttemptPlan; readonly graceMs: number}
  | {readonly kind: 'seal'; readonly plan: AttemptPlan; readonly line: string}
  /** `isPlain`: the record was refused as it is, again and again, and is to say no more than it must. */
  | {
      readonly kind: 'sign';
      readonly of: AttemptRef;
      readonly record: Omit<ExitRecord, 'runner'>;
      readonly isPlain: boolean;
    }
  | ({readonly kind: 'input'; readonly plan: AttemptPlan} & Said)
  /** The time of the task is nearly used up. */
  | {readonly kind: 'warn'; readonly plan: AttemptPlan; readonly leftMs: number}
  /** An event that had no arrow: counted, never hidden. */
  | {
      readonly kind: 'refused';
      readonly of: AttemptRef;
      readonly state: AttemptState | 'unknown';
      readonly event: string;
    }
  | {readonly kind: 'notice'; readonly of: AttemptRef; readonly text: string};

export type Reduced = {readonly state: RunnerState; readonly effects: readonly RunnerEffect[]};

export function initialState(
  born: Pick<RunnerState, 'attempts' | 'maxEpochs' | 'config' | 'slots' | 'bornBootMs'>,
): RunnerState {
  return {...born, isDrainedHere: false, isDrainedThere: false, isConnected: false, nextRenewBootMs: null};
}
