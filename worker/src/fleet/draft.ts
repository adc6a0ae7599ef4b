import type {TaskId} from '@switchyard/shared/domain/id.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import type {Allowance} from '@switchyard/shared/protocol/spending.ts';

type Signed = 'offer' | 'go';

/**
 * A message to a runner before it is signed: what a transaction decides. Signing waits for the platform, so it comes
 * after the commit; an offer is signed when it leaves, so that its short validity is not spent in a mailbox.
 */
export type Draft =
  | Exclude<DownMessage, {t: Signed}>
  | {
      readonly t: 'offer';
      readonly task: TaskId;
      readonly epoch: number;
      readonly untilMs: number;
      readonly allowance?: Allowance;
    }
  | {readonly t: 'go'; readonly task: TaskId; readonly epoch: number; readonly echo: number};
