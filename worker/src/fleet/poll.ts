import {toHex} from '@switchyard/shared/crypto/bytes.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {RandomBytes} from '@switchyard/shared/domain/id.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {decodeBatch, encodeBatch} from '@switchyard/shared/protocol/batch.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import {upMessageSchema} from '@switchyard/shared/protocol/up.ts';
import {closeCodes} from '@switchyard/shared/protocol/version.ts';
import type {Closing} from './batch.ts';
import type {Draft} from './draft.ts';
import type {Executed, FleetCore} from './fleet-core.ts';
import type {GroupCommit} from './group-commit.ts';
import type {Link} from './link.ts';
import {forgetMail, isPolling, oldestMail, pollConnection} from './mailbox.ts';
import {checkRunner} from './runner-keys.ts';
import {handleUp} from './up-messages.ts';
import type {From} from './up-work.ts';

export type PollParts = {
  readonly core: FleetCore;
  readonly commit: GroupCommit;
  readonly link: Pick<Link, 'check'>;
  readonly seal: (runner: string, drafts: readonly Draft[]) => Promise<readonly DownMessage[]>;
  readonly randomBytes: RandomBytes;
  /** Resolves after this time. */
  readonly wait: (ms: number) => Promise<void>;
};

/** `x`: the key that opened it, which the Worker has verified. */
export type Exchange = {
  readonly x: string;
  readonly session: string;
  readonly frame: string;
  readonly holdMs: number;
};

type Challenge = {readonly nonce: string; readonly expiresMs: number};

const rememberedMax = 1_000;

/**
 * The same messages over plain requests, for networks that break sockets. A session that polls is a session like any
 * other: it opens with a signed `hello`, and the newest one of a runner wins. What was sent to it is deleted when its
 * next request shows that it arrived; a runner whose request failed begins a new session, which asks for everything.
 */
export class PollLink {
  readonly #parts: PollParts;
  readonly #challenges = new Map<string, Challenge>();
  readonly #ended = new Map<string, Closing>();
  readonly #delivered = new Map<string, number>();
  readonly #waiting = new Map<string, () => void>();

  constructor(parts: PollParts) {
    this.#parts = parts;
  }

  /** Throws `unauthorized`, `runner_revoked`, `runner_replaced`, `protocol_unsupported`, `invalid_request`. */
  async exchange(runner: string, {x, session, frame, holdMs}: Exchange): Promise<string> {
    const {core} = this.#parts;
    checkRunner(core.memory.runners.get(runner)?.row, x, core.parts.nowMs());
    const from: From = {runner, connection: pollConnection(session), transport: 'poll'};
    await this.#take(from, frame);
    this.#throwIfEnded(from);
    if (core.memory.runners.get(runner)?.row.connection !== from.connection) return this.#challenge(from);
    if (oldestMail(core.parts.sql, runner) === undefined) await this.#news(from, holdMs);
    this.#throwIfEnded(from);
    const mail = oldestMail(core.parts.sql, runner);
    if (mail === undefined) return encodeBatch([]);
    this.#remember(this.#delivered, from.connection, mail.upTo);
    return encodeBatch(await this.#parts.seal(runner, mail.drafts));
  }

  /** What a batch means for those who poll: wakes who has mail, and remembers who was ended. */
  deliver({drafts, closings}: Executed): void {
    for (const closing of closings.filter(({connection}) => isPolling(connection))) {
      this.#remember(this.#ended, closing.connection, closing);
      this.#waiting.get(closing.connection)?.();
    }
    for (const {connection} of drafts) this.#waiting.get(connection)?.();
  }

  async #take(from: From, frame: string): Promise<void> {
    const {messages} = decodeBatch(upMessageSchema, frame);
    const challenge = this.#challenges.get(from.connection);
    const isFresh = challenge !== undefined && this.#parts.core.parts.nowMs() < challenge.expiresMs;
    const checked = await this.#parts.link.check(from, isFresh ? challenge.nonce : undefined, messages);
    if (messages.some(({t}) => t === 'hello')) this.#challenges.delete(from.connection);
    const arrived = this.#delivered.get(from.connection);
    this.#delivered.delete(from.connection);
    await this.#parts.commit.run(batch => {
      const current = batch.runner(from.runner)?.row.connection;
      if (current === from.connection) {
        batch.memory.seenMs.set(from.runner, batch.nowMs);
        if (arrived !== undefined) forgetMail(batch.context.sql, from.runner, arrived);
      }
      for (const message of checked) handleUp(batch, from, message);
      return () => undefined;
    });
  }

  #challenge({connection}: From): string {
    const {core, randomBytes} = this.#parts;
    const nowMs = core.parts.nowMs();
    const known = this.#challenges.get(connection);
    // The answer to a challenge may be on its way while the session asks again: it must still fit.
    const nonce = known !== undefined && nowMs < known.expiresMs ? known.nonce : toHex(randomBytes(24));
    if (nonce !== known?.nonce)
      this.#remember(this.#challenges, connection, {nonce, expiresMs: nowMs + limits.challengeMs});
    return encodeBatch([{t: 'challenge', nonce} satisfies DownMessage]);
  }

  /** An older request of the same session is let go at once: only the newest one is read. */
  async #news({connection}: From, holdMs: number): Promise<void> {
    this.#waiting.get(connection)?.();
    let wake = (): void => undefined;
    const news = new Promise<void>(resolve => {
      wake = resolve;
    });
    this.#waiting.set(connection, wake);
    await Promise.race([news, this.#parts.wait(Math.min(holdMs, limits.pollHoldMs))]);
    if (this.#waiting.get(connection) === wake) this.#waiting.delete(connection);
  }

  #throwIfEnded({connection}: From): void {
    const ended = this.#ended.get(connection);
    if (ended === undefined) return;
    this.#ended.delete(connection);
    throw new SwitchyardError(errorOf(ended.code), ended.why);
  }

  #remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
    const [oldest] = map.keys();
    if (map.size >= rememberedMax && oldest !== undefined) map.delete(oldest);
    map.set(key, value);
  }
}

function errorOf(code: number): 'runner_revoked' | 'runner_replaced' | 'protocol_unsupported' | 'unauthorized' {
  if (code === closeCodes.revoked) return 'runner_revoked';
  if (code === closeCodes.replaced) return 'runner_replaced';
  return code === closeCodes.protocolTooOld ? 'protocol_unsupported' : 'unauthorized';
}
