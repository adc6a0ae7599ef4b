import type {ErrorCode} from '@switchyard/shared/domain/error.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import type {UpMessage} from '@switchyard/shared/protocol/up.ts';

/** Why one session is over. */
export type SessionEnd =
  /** A connection that stood was closed; `code` is that of the WebSocket, if it came with one. */
  | {readonly kind: 'closed'; readonly code: number | undefined; readonly why: string}
  /** The server answered, and would not have us. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly code: ErrorCode | undefined;
      readonly why: string;
      readonly date: string | undefined;
      readonly retryAfterMs: number | undefined;
    }
  /** Nobody answered, or not in time, or not in our language. */
  | {readonly kind: 'unreachable'; readonly why: string}
  /** We ended it. */
  | {readonly kind: 'left'; readonly why: string};

/** One session over one transport. It has ended when `onEnd` was called, which happens exactly once. */
export interface Carrier {
  send(messages: readonly UpMessage[]): void;
  /** Ends the session from our side. */
  leave(why: string): void;
}

export type CarrierHandlers = {
  readonly onMessages: (messages: readonly DownMessage[]) => void;
  readonly onEnd: (end: SessionEnd) => void;
};

export type CarrierOptions = {
  /** Base URL of the control plane, http or https. */
  readonly url: string;
  readonly token: string;
  readonly session: string;
  readonly log: (line: string) => void;
};
