import type {AnswerMessage, AskMessage, AskWithdrawnMessage} from '@switchyard/shared/protocol/ask-message.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
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

type Entry = {
  readonly message: AskMessage;
  readonly resolve: (answer: PersonReply) => void;
  /** The control plane may know of it. */
  isSaid: boolean;
};

const taken: PersonReply = {decision: 'reject', text: 'another call of this id waits for a person', by: null};
const tooOld: PersonReply = {decision: 'reject', text: 'the control plane is too old for this', by: null};

/**
 * What agents of this runner ask people. Nothing of it is kept: an agent that waits is found by its own output after a
 * crash and asks again, and every session with the control plane begins with all that is open. The control plane knows
 * an ask by its id and answers each time. What was taken back is said again with every session as well: the connection
 * that it was said over, if there was one, may have been the end of it.
 */
export class AskDesk {
  readonly #send: (message: LinkUp) => void;
  readonly #open = new Map<string, Entry>();
  /** Oldest first. */
  readonly #withdrawn = new Map<string, AskWithdrawnMessage>();
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
    const entry: Entry = {message, resolve, isSaid: false};
    this.#withdrawn.delete(key);
    this.#open.set(key, entry);
    this.#say(entry);
    const close = (): boolean => this.#open.get(key) === entry && this.#open.delete(key);
    return {
      answer: promise,
      close,
      withdraw: () => {
        if (close() && entry.isSaid) this.#withdraw({t: 'ask_withdrawn', task, epoch, id: ask.id});
      },
    };
  }

  /** A session has begun. Of an attempt that is not held any more the control plane has closed everything. */
  begin(protocol: number, isHeld: (of: AttemptRef) => boolean): void {
    this.#protocol = protocol;
    for (const [key, message] of this.#withdrawn)
      if (isHeld(message)) this.#send(message);
      else this.#withdrawn.delete(key);
    for (const entry of this.#open.values()) this.#say(entry);
  }

  end(): void {
    this.#protocol = null;
  }

  /** An answer that nobody waits for changes nothing: whoever asks again is answered again. */
  take(answer: AnswerMessage): void {
    this.#open.get(keyOf(answer))?.resolve(answer);
  }

  #withdraw(message: AskWithdrawnMessage): void {
    this.#withdrawn.set(keyOf(message), message);
    const [oldest] = this.#withdrawn.keys();
    if (this.#withdrawn.size > limits.asksWithdrawnMax && oldest !== undefined) this.#withdrawn.delete(oldest);
    if (this.#protocol !== null) this.#send(message);
  }

  #say(entry: Entry): void {
    const {message, resolve} = entry;
    if (this.#protocol === null) return;
    if (this.#protocol < (message.kind === 'call' ? callProtocol : askProtocol)) resolve(tooOld);
    else {
      entry.isSaid = true;
      this.#send(message);
    }
  }
}

function keyOf({id, ...of}: AttemptRef & {readonly id: string}): string {
  return `${attemptKey(of)} ${id}`;
}
