import type {Ask} from '../driver.ts';

/** A request of the agent's program that waits for our `control_response`. */
export type OpenRequest =
  /** `prompt`: the program's own question, which cannot be put off. */
  | {readonly kind: 'ask'; readonly ask: Ask; readonly via: 'hook' | 'prompt'}
  /** A call of a tool of ours: the answer repeats the id of its JSON-RPC message. */
  | {readonly kind: 'call'; readonly ask: Ask; readonly rpcId: number | string}
  /** Questions about our tools, which need nobody's decision. */
  | {readonly kind: 'reply'; readonly id: string; readonly reply: object};

export type ClaudeUsage = {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cache_read_tokens: number;
  readonly cache_write_tokens: number;
  readonly turns: number;
  readonly cost_usd: number | null;
};

/** The end of one turn, as the last `result` line tells it. */
export type ClaudeTurn = {
  readonly outcome: 'completed' | 'deferred' | 'limit' | 'model_error' | 'aborted' | 'failed';
  readonly reason: string;
  readonly text: string;
  readonly status: number | null;
  readonly deferred: string | null;
  readonly denials: number;
};

export type ClaudeState = {
  readonly session: string | null;
  readonly isInitialized: boolean;
  /** The state of each message of ours, by its uuid. */
  readonly messages: Readonly<Record<string, string>>;
  readonly requests: readonly OpenRequest[];
  /** Null from a message of ours on until the `result` of its turn. */
  readonly turn: ClaudeTurn | null;
  readonly usage: ClaudeUsage | null;
  /** The text of the agent's last message, by the id of that message. */
  readonly said: {readonly message: unknown; readonly text: string};
};

export const claudeInitial: ClaudeState = {
  session: null,
  isInitialized: false,
  messages: {},
  requests: [],
  turn: null,
  usage: null,
  said: {message: null, text: ''},
};
