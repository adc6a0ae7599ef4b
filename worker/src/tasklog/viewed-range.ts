import type {LogEnding} from '@switchyard/shared/protocol/log-view.ts';
import type {LogStore} from './log-store.ts';

/** What a viewer follows: a part of the stream that may still grow. */
export type ViewedRange = {
  /** Where it begins in the stream. */
  readonly base: number;
  readonly length: number;
  /** Set once nothing more can come. */
  readonly ending: LogEnding | undefined;
};

/** The whole log where `epoch` is null. An attempt whose log was never opened has no bytes. */
export function viewedRange(store: LogStore, epoch: number | null): ViewedRange {
  if (epoch === null) return {base: 0, length: store.end(), ending: store.ending()};
  const attempts = store.attempts();
  const attempt = attempts.find(each => each.epoch === epoch);
  const {base, length} = attempt ?? {base: 0, length: 0};
  const ending = store.attemptEnding(epoch);
  if (ending !== undefined || attempt !== undefined) return {base, length, ending};
  // An offer that came to nothing has no end of its own: it is over when its task is, or a later attempt has begun.
  const isOvertaken = (attempts.at(-1)?.epoch ?? 0) > epoch;
  return {base, length, ending: store.ending() ?? (isOvertaken ? 'interrupted' : undefined)};
}
