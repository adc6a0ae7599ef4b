import {setTimeout as delay} from 'node:timers/promises';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {LogLink, type LogLinkOptions, type LogLinkOutcome} from '../logs/log-link.ts';
import type {AgentStream} from '../logs/log-merge.ts';
import {pumpStream} from '../logs/log-pump.ts';
import {LogSpool, type LogEnd} from '../logs/log-spool.ts';
import {Redactor} from '../logs/redactor.ts';
import type {Secrets} from '../logs/secrets.ts';
import type {SealedLog} from './attempt-work.ts';

const FINISH_RETRY_MS = 1_000;
/** A disk that takes no byte for so long is full for good: the log ends with what it took. */
const FINISH_MS_MAX = 30_000;

export type AttemptLogOptions = {
  readonly directory: string;
  readonly secrets: Secrets;
  readonly link: Omit<LogLinkOptions, 'spool'>;
  /** Called when the disk does not take the end of the log, after the agent has ended: frees what only it needed. */
  readonly makeRoom: () => Promise<void>;
};

/** The log of one attempt while this process holds it: the spool on disk and its upload, which runs beside the work. */
export class AttemptLog {
  readonly #spool: LogSpool;
  readonly #linkOptions: LogLinkOptions;
  #link: LogLink;
  #outcome: Promise<LogLinkOutcome>;
  /** Once it is known the log has no other one. */
  #end: LogEnd | undefined;
  #hasReceipt = false;
  readonly #upload = new AbortController();
  readonly #makeRoom: () => Promise<void>;
  readonly #secrets: Secrets;
  /** The last pump of each stream: true once the stream has ended. */
  readonly #pumps = new Map<AgentStream, Promise<boolean>>();

  private constructor(
    spool: LogSpool,
    linkOptions: LogLinkOptions,
    {makeRoom, secrets}: Pick<AttemptLogOptions, 'makeRoom' | 'secrets'>,
  ) {
    this.#secrets = secrets;
    this.#spool = spool;
    this.#linkOptions = linkOptions;
    this.#link = new LogLink(linkOptions);
    this.#makeRoom = makeRoom;
    this.#outcome = this.#link.run(this.#upload.signal);
  }

  static async open({directory, secrets, link, makeRoom}: AttemptLogOptions): Promise<AttemptLog> {
    const spool = await LogSpool.open({directory, secrets});
    return new AttemptLog(spool, {...link, spool}, {makeRoom, secrets});
  }

  get length(): number {
    return this.#spool.length;
  }

  /** Text as the log would show it: without secrets. */
  mask(text: string): string {
    const redactor = new Redactor(this.#secrets);
    return Buffer.concat([redactor.push(Buffer.from(text)), redactor.flush()]).toString();
  }

  async note(text: string): Promise<void> {
    await this.#spool.note(text);
  }

  /** Moves one raw stream into the log until the source ends. Goes on where a pump was aborted; an ended one is left. */
  async pump(
    stream: AgentStream,
    source: (fromOffset: number) => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const before = this.#pumps.get(stream);
    const pump = async (): Promise<boolean> => {
      if ((await before?.catch(() => false)) === true) return true;
      return (await pumpStream({spool: this.#spool, stream, source, signal})) === 'ended';
    };
    const pumped = pump();
    this.#pumps.set(stream, pumped);
    await pumped;
  }

  /**
   * Closes the log and waits until the server holds all of it, over restarts and cuts. Throws `lease_lost` when the
   * server takes nothing more from this attempt, `state_corrupt` when the two logs can never be equal. Called again, it
   * asks for a new receipt: the one before was refused.
   */
  async seal(signal: AbortSignal): Promise<SealedLog> {
    const end = (this.#end ??= await this.#finish(signal));
    if (this.#hasReceipt) this.#uploadAgain();
    this.#link.end(end);
    const outcome = await Promise.race([this.#outcome, aborted(signal)]);
    switch (outcome.kind) {
      case 'sealed':
        this.#hasReceipt = true;
        return {length: end.length, sha256: end.sha256, receipt: outcome.receipt, dropped: end.droppedBytes};
      case 'gone':
        throw new SwitchyardError('lease_lost', `the log of the attempt was closed: ${outcome.why}`);
      case 'diverged':
        throw new SwitchyardError('state_corrupt', `the log on the server differs: ${outcome.why}`);
      case 'stopped':
        throw new SwitchyardError('unavailable', 'the upload of the log was stopped');
    }
  }

  /** Lets go of the files; whoever opens them again goes on. */
  async close(): Promise<void> {
    this.#upload.abort();
    await this.#outcome;
    await this.#spool.close();
  }

  #uploadAgain(): void {
    this.#hasReceipt = false;
    this.#link = new LogLink(this.#linkOptions);
    this.#outcome = this.#link.run(this.#upload.signal);
  }

  async #finish(signal: AbortSignal): Promise<LogEnd> {
    for (let waitedMs = 0; waitedMs < FINISH_MS_MAX; waitedMs += FINISH_RETRY_MS) {
      const end = await this.#spool.finish();
      if (end !== undefined) return end;
      await this.#makeRoom();
      await delay(FINISH_RETRY_MS, undefined, {signal});
    }
    return this.#spool.giveUp();
  }
}

async function aborted(signal: AbortSignal): Promise<LogLinkOutcome> {
  if (!signal.aborted)
    await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), {once: true}));
  return {kind: 'stopped'};
}
