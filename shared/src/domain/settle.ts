import type {AttemptResult} from '../protocol/exit-record.ts';
import {errorCodes, type ErrorCode} from './error.ts';

export type FailureNote = {readonly code: ErrorCode; readonly detail: string};

/** One failure as it is kept with the task; `hint` is the next step for a person. */
export type KeptFailure = {
  readonly epoch: number;
  readonly at_ms: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly hint: string;
};

/** What an exit says went wrong. Only `recordFailure` asks; a success has no answer of its own. */
export function failureOf(result: AttemptResult): FailureNote {
  switch (result.kind) {
    case 'failed':
      return {code: result.code, detail: result.detail};
    case 'timed_out':
      return {code: 'agent_timeout', detail: 'the attempt ran for its whole time'};
    case 'interrupted':
      return {code: 'internal', detail: result.detail};
    case 'succeeded':
    case 'cancelled':
    case 'waiting':
      return {code: 'internal', detail: `the attempt ended as ${result.kind}`};
  }
}

/** The newest `keptMax` failures, oldest first. */
export function keepFailure(
  failures: readonly KeptFailure[],
  {epoch, atMs, note}: {readonly epoch: number; readonly atMs: number; readonly note: FailureNote},
  keptMax: number,
): readonly KeptFailure[] {
  return [...failures, {epoch, at_ms: atMs, ...note, hint: errorCodes[note.code].hint}].slice(-keptMax);
}
