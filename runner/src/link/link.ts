import type {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import type {Hello, UpMessage} from '@switchyard/shared/protocol/up.ts';

/** The part of `hello` that only the brain knows, asked for at the moment it is sent. */
export type HelloFacts = Pick<Hello, 'slots' | 'labels' | 'inventory' | 'ts'>;

/** Messages that a session carries once it is welcome. */
export type LinkUp = Exclude<UpMessage, {t: 'hello'}>;

export type LinkHandlers = {
  readonly hello: () => HelloFacts;
  /** `welcome` first, then everything else in the order of the server; never `challenge`. */
  readonly onMessage: (message: DownMessage) => void;
  /** A welcome session ended; another is being tried. What was sent may be lost. */
  readonly onDisconnected: (why: string) => void;
  /** No further try makes sense: `runner_revoked` or `protocol_unsupported`. */
  readonly onFatal: (error: SwitchyardError) => void;
};

export type LinkStatus = {
  readonly state: 'connecting' | 'connected' | 'waiting' | 'closed';
  readonly transport: 'websocket' | 'poll' | null;
  readonly session: string | null;
  /** Why the last try or session ended. */
  readonly lastEnd: string | null;
  /** Tries since the last welcome. */
  readonly tries: number;
};

/**
 * The connection of this runner to its pool, whatever carries it. It never ends by itself: it tries again for ever, more
 * slowly, until `close` or `onFatal`.
 */
export interface Link {
  start(handlers: LinkHandlers): void;
  /** In order, in one frame with what else is sent in this turn of the event loop; dropped while not connected. */
  send(message: LinkUp): void;
  status(): LinkStatus;
  close(): Promise<void>;
}
