import type {AnswerMessage, AskMessage} from '@switchyard/shared/protocol/ask-message.ts';
import {askProtocol, callProtocol} from '@switchyard/shared/protocol/version.ts';
import type {PersonReply} from '../agent/tool-gate.ts';
import type {LinkUp} from '../link/link.ts';
import {attemptKey, type AttemptRef} from './attempt-state.ts';

/** What an agent asks a person, and how long that may take. */
export type PersonAsk = Pick<AskMessage, 'id' | 'kind' | 'tool' | 'input' | 'reason' | 'rule' | 'expires_in_ms'>;

/** One agent that waits. */
export type OpenAsk = {
  readonly answer: Promise<PersonReply>;
  /** Waits no longer; the ask stays open for whoever asks it again. */
  readonly close: () => void;
  /** Waits no longer, and nobody else does. */
  readonly withdraw: () => void;
};

type Entry = {readonly message: AskMessage; readonly resolve: (answer: PersonReply) => void};

const taken: PersonReply = {decision: 'reject', text: 'another call of this id waits for a person', by: null};
const tooOld: PersonReply = {decision: 'reject', text: 'the control plane is too old for this', by: null};

/**
 * What agents of this runner ask people. Nothing of it is kept: an agent that waits is found by its own output after a
 * crash and asks again, and every session with the control plane begins with all that is open. The control plane knows
 * an ask by its id and answers each time.
 */
export class AskDesk {
  readonly #send: (message: LinkUp) => void;
  readonly #open = new Map<string, Entry>();
  /** Of the session; null while there is none. */
  #protocol: number | null = null;

  constructor(send: (message: LinkUp) => void) {
    this.#send = send;
  }

  ask({task, epoch}: Pick<AskMessage, 'task' | 'epoch'>, ask: PersonAsk): OpenAsk {
    const message: AskMessage = {t: 'ask', task, epoch, ...ask};
    const key = keyOf(message);
    const waiting = this.#open.get(key)?.message;
    // Its answer would be that to the other call.
    if (waiting !== undefined && (waiting.tool !== ask.tool || waiting.input !== ask.input))
      return {answer: Promise.resolve(taken), close: () => undefined, withdraw: () => undefined};
    const {promise, resolve} = Promise.withResolvers<PersonReply>();
    const entry = {message, resolve};
    this.#open.set(key, entry);
    this.#say(entry);
    const close = (): boolean => this.#open.get(key) === entry && this.#open.delete(key);
    return {
      answer: promise,
      close,
      withdraw: () => {
        if (close() && this.#protocol !== null) this.#send({t: 'ask_withdrawn', task, epoch, id: ask.id});
      },
    };
  }

  /** A session has begun. */
  begin(protocol: number): void {
    this.#protocol = protocol;
    for (const entry of this.#open.values()) this.#say(entry);
  }

  end(): void {
    this.#protocol = null;
  }

  /** An answer that nobody waits for changes nothing: whoever asks again is answered again. */
  take(answer: AnswerMessage): void {
    this.#open.get(keyOf(answer))?.resolve(answer);
  }

  #say({message, resolve}: Entry): void {
    if (this.#protocol === null) return;
    if (this.#protocol < (message.kind === 'call' ? callProtocol : askProtocol)) resolve(tooOld);
    else this.#send(message);
  }
}

function keyOf({id, ...of}: AttemptRef & {readonly id: string}): string {
  return `${attemptKey(of)} ${id}`;
}
