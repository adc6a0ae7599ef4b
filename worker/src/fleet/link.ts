import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {RandomBytes} from '@switchyard/shared/domain/id.ts';
import {toHex} from '@switchyard/shared/crypto/bytes.ts';
import {decodeBatch, encodeBatch, encodeBatches} from '@switchyard/shared/protocol/batch.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import {closeCodes} from '@switchyard/shared/protocol/version.ts';
import {upMessageSchema, type UpMessage} from '@switchyard/shared/protocol/up.ts';
import type {Addressed} from './batch.ts';
import type {UpChecker} from './check-up.ts';
import type {Draft} from './draft.ts';
import type {Executed, FleetCore} from './fleet-core.ts';
import type {GroupCommit} from './group-commit.ts';
import {isPolling} from './mailbox.ts';
import {checkRunner, keysOf} from './runner-keys.ts';
import type {RunnerSockets} from './runner-sockets.ts';
import {endSession} from './session-end.ts';
import {handleUp} from './up-messages.ts';
import type {CheckedUp, From} from './up-work.ts';

/** Close code of a peer that broke the schema of its own messages, or sent bytes where text belongs. */
export const malformedCode = 4400;

export type LinkParts = {
  readonly core: FleetCore;
  readonly commit: GroupCommit;
  readonly sockets: RunnerSockets;
  readonly check: UpChecker;
  readonly seal: (runner: string, drafts: readonly Draft[]) => Promise<readonly DownMessage[]>;
  readonly randomBytes: RandomBytes;
  readonly nowMs: () => number;
};

/**
 * The sockets of runners: frames in, frames out. What one socket sends is handled in its order although checking a
 * signature takes time; what a batch sends leaves in the order of the batches although signing takes time.
 */
export class Link {
  readonly #parts: LinkParts;
  readonly #arrivals = new Map<string, Promise<void>>();
  #departure: Promise<void> = Promise.resolve();

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  /** Takes the socket of a runner that the Worker verified, and challenges it. */
  open(socket: WebSocket, {runner, x}: {readonly runner: string; readonly x: string}): void {
    const {core, sockets, nowMs, randomBytes} = this.#parts;
    const nonce = toHex(randomBytes(24));
    sockets.open(socket, {runner, nonce, opened_ms: nowMs()});
    try {
      checkRunner(core.memory.runners.get(runner)?.row, x, nowMs());
    } catch (error) {
      const isRevoked = error instanceof SwitchyardError && error.code === 'runner_revoked';
      core.refuse(isRevoked ? 'upgrade.revoked' : 'upgrade.unknown');
      const code = isRevoked ? closeCodes.revoked : closeCodes.unauthorized;
      sockets.close(nonce, code, isRevoked ? 'this runner was revoked' : 'the runner is not enrolled with this key');
      return;
    }
    sockets.send(nonce, encodeBatch([{t: 'challenge', nonce} satisfies DownMessage]));
  }

  /** One frame of a socket. Resolves when it was handled; never rejects for what the peer did. */
  async receive(socket: WebSocket, frame: string | ArrayBuffer): Promise<void> {
    const attachment = this.#parts.sockets.attachmentOf(socket);
    if (attachment === undefined) return;
    const from: From = {runner: attachment.runner, connection: attachment.nonce, transport: 'websocket'};
    const messages = this.#decode(from, frame);
    if (messages === undefined) return;
    const before = this.#arrivals.get(from.connection);
    const handling = this.#handle(from, messages, before);
    this.#arrivals.set(from.connection, handling.entered);
    await handling.entered;
    if (this.#arrivals.get(from.connection) === handling.entered) this.#arrivals.delete(from.connection);
    await handling.done;
  }

  async closed(socket: WebSocket): Promise<void> {
    const {sockets, commit} = this.#parts;
    const attachment = sockets.attachmentOf(socket);
    if (attachment === undefined) return;
    const {runner, nonce: connection} = attachment;
    sockets.forget(connection);
    await this.#arrivals.get(connection);
    await commit.run(batch => {
      endSession(batch, {runner, connection});
      return () => undefined;
    });
  }

  /** Sends what a batch decided: signed first, in the order of the batches, and closes what it ends. */
  deliver({drafts, closings}: Executed): void {
    const bySocket = groupBySocket(drafts);
    const ends = closings.filter(({connection}) => !isPolling(connection));
    if (bySocket.size === 0 && ends.length === 0) return;
    const {sockets} = this.#parts;
    const sealing = Promise.all(
      [...bySocket].map(async ([connection, outgoing]) => ({connection, frames: await this.#frames(outgoing)})),
    );
    this.#departure = this.#departure.then(async () => {
      for (const {connection, frames} of await sealing) for (const frame of frames) sockets.send(connection, frame);
      for (const {connection, code, why} of ends) sockets.close(connection, code, why);
    });
  }

  /** None where signing failed: offers expire, and everything else is said again at the next renewal or hello. */
  async #frames({runner, drafts}: Outgoing): Promise<readonly string[]> {
    try {
      return encodeBatches(await this.#parts.seal(runner, drafts));
    } catch {
      this.#parts.core.refuse('deliver.failed');
      return [];
    }
  }

  /** Checks the signatures in these messages, one by one where they have any. */
  async check(
    {runner}: From,
    nonce: string | undefined,
    messages: readonly UpMessage[],
  ): Promise<readonly CheckedUp[]> {
    const {core, check, nowMs} = this.#parts;
    const row = core.memory.runners.get(runner)?.row;
    const keys = row === undefined ? [] : keysOf(row, nowMs());
    return Promise.all(messages.map(async message => check({runner, keys, nonce}, message)));
  }

  #decode(from: From, frame: string | ArrayBuffer): readonly UpMessage[] | undefined {
    try {
      if (typeof frame !== 'string') throw new SwitchyardError('invalid_request', 'a control frame is text');
      return decodeBatch(upMessageSchema, frame).messages;
    } catch (error) {
      // A peer that breaks its own schema cannot be trusted with the rest: it connects again, its leases live on.
      this.#parts.core.refuse('frame.malformed');
      const why = error instanceof SwitchyardError ? error.detail : 'malformed';
      this.#parts.sockets.close(from.connection, malformedCode, why);
      return undefined;
    }
  }

  /**
   * `entered` resolves when the frame stands in the queue of operations: the next frame of the socket waits for that,
   * and not for the commit, so that frames can share one.
   */
  #handle(
    from: From,
    messages: readonly UpMessage[],
    before: Promise<void> | undefined,
  ): {readonly entered: Promise<void>; readonly done: Promise<void>} {
    const done = Promise.withResolvers<void>();
    const enter = async (): Promise<void> => {
      const isPlain = messages.every(isChecked);
      const checked = isPlain
        ? messages.filter(isChecked)
        : await this.check(from, from.connection, messages).catch(() => undefined);
      if (before !== undefined) await before;
      // Whatever the reason, the frames behind this one must not wait for it: the connection would be deaf for ever.
      if (checked === undefined) this.#giveUp(from);
      done.resolve(checked === undefined ? undefined : this.#apply(from, checked));
    };
    return {entered: enter(), done: done.promise};
  }

  async #apply(from: From, checked: readonly CheckedUp[]): Promise<void> {
    try {
      await this.#parts.commit.run(batch => {
        for (const message of checked) handleUp(batch, from, message);
        return () => undefined;
      });
    } catch {
      this.#giveUp(from);
    }
  }

  #giveUp({connection}: From): void {
    this.#parts.core.refuse('frame.failed');
    this.#parts.sockets.close(connection, 1011, 'the frame could not be handled: connect again');
  }
}

function isChecked(message: UpMessage): message is Extract<UpMessage, CheckedUp> {
  return message.t !== 'hello' && message.t !== 'exit';
}

type Outgoing = {readonly runner: string; readonly drafts: Draft[]};

function groupBySocket(drafts: readonly Addressed[]): ReadonlyMap<string, Outgoing> {
  const groups = new Map<string, Outgoing>();
  for (const {runner, connection, draft} of drafts) {
    if (isPolling(connection)) continue;
    const group = groups.get(connection) ?? {runner, drafts: []};
    groups.set(connection, group);
    group.drafts.push(draft);
  }
  return groups;
}
