import type {ErrorCode} from '@switchyard/shared/domain/error.ts';
import type {TaskId} from '@switchyard/shared/domain/id.ts';
import type {ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import type {Hello, UpMessage} from '@switchyard/shared/protocol/up.ts';

/** Who sent a message: the runner, and the connection over which it came. */
export type From = {readonly runner: string; readonly connection: string; readonly transport: 'websocket' | 'poll'};

export type Ref = {readonly task: TaskId; readonly epoch: number};

/** What is known of an exit once its signatures were checked. */
export type CheckedExit =
  | {readonly ok: true; readonly record: ExitRecord}
  | {readonly ok: false; readonly why: 'log_incomplete' | 'bad_signature' | 'invalid'};

/** A message of a runner whose signatures were checked, because checking has to wait and a transaction cannot. */
export type CheckedUp =
  | Exclude<UpMessage, {t: 'hello' | 'exit'}>
  | {readonly t: 'hello'; readonly hello: Hello; readonly isSigned: boolean}
  | ({readonly t: 'exit'; readonly exit: CheckedExit} & Ref);

export type Reject = {readonly code: ErrorCode; readonly detail: string; readonly retryable: boolean};
