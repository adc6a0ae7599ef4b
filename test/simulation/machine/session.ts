import {limits} from '@switchyard/shared/policy/limits.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import type {Hello, UpMessage} from '@switchyard/shared/protocol/up.ts';
import type {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {RunnerId} from '@switchyard/shared/domain/id.ts';
import type {SessionEnd} from '../../../runner/src/link/carrier.ts';
import {firstTries, nextTry, type Tries} from '../../../runner/src/link/reconnect.ts';
import type {ControlConnection} from '../control-plane/fleet-object.ts';
import {sealOf} from '../control-plane/proof.ts';
import type {End} from '../network/connection.ts';
import type {Refused} from '../network/dial.ts';
import type {Machine} from './machine.ts';

export type SessionParts = {
  readonly machine: Machine;
  readonly runner: RunnerId;
  readonly after: (delayMs: number, run: () => void) => void;
  readonly dial: (
    end: End<readonly DownMessage[]>,
    opened: (connection: ControlConnection) => void,
    failed: (why: Refused | 'unreachable') => void,
  ) => void;
  readonly hello: () => Pick<Hello, 'slots' | 'labels' | 'inventory' | 'ts'>;
  readonly onMessage: (message: DownMessage) => void;
  readonly onDisconnected: () => void;
  readonly onFatal: (error: SwitchyardError) => void;
};

const welcomeMaxMs = limits.challengeMs * 2;
const stableMs = 10_000;

/** One session with the Fleet at a time, again and again, as `FleetLink` keeps it; when to try again is `nextTry`'s. */
export class Session {
  readonly #parts: SessionParts;
  #tries: Tries = firstTries;
  #connection: ControlConnection | undefined;
  #isWelcome = false;
  #begunMs = 0;
  /** Rises with every session: what belongs to an earlier one is not heard. */
  #number = 0;
  #outbox: UpMessage[] = [];
  #isFlushing = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  get isWelcome(): boolean {
    return this.#isWelcome;
  }

  /** Both ends know of each other. */
  get isWhole(): boolean {
    return this.#isWelcome && this.#connection?.isOpenAtServer === true;
  }

  /** Nothing is on its way, nor held up by a fault that is over: what was sent has been heard. */
  get isStill(): boolean {
    return this.#connection?.inFlight === 0;
  }

  start(): void {
    this.#connect();
  }

  send(message: UpMessage): void {
    if (!this.#isWelcome) return;
    this.#outbox.push(message);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    const number = this.#number;
    // Everything of one turn leaves as one frame.
    this.#parts.after(0, () => {
      this.#isFlushing = false;
      const messages = this.#outbox;
      this.#outbox = [];
      if (number === this.#number && this.#isWelcome) this.#connection?.up(messages);
    });
  }

  vanish(isNoticed: boolean): void {
    this.#number += 1;
    this.#isWelcome = false;
    this.#connection?.abandonAtMachine(isNoticed);
    this.#connection = undefined;
  }

  cut(how: Parameters<ControlConnection['cut']>[0]): boolean {
    return this.#connection?.cut(how) ?? false;
  }

  #connect(): void {
    this.#number += 1;
    const number = this.#number;
    const {machine, after, dial} = this.#parts;
    const mine = (run: () => void): void => {
      if (number === this.#number) run();
    };
    this.#begunMs = machine.bootMs();
    this.#outbox = [];
    dial(
      {
        frame: messages => mine(() => this.#hear(number, messages)),
        closed: (code, why) => mine(() => this.#ended({kind: 'closed', code, why})),
      },
      connection =>
        mine(() => {
          this.#connection = connection;
          this.#beat(number, connection);
        }),
      why => mine(() => this.#ended(endOf(why))),
    );
    after(welcomeMaxMs, () =>
      mine(() => {
        if (!this.#isWelcome) this.#ended({kind: 'unreachable', why: 'no welcome'});
      }),
    );
  }

  #hear(number: number, messages: readonly DownMessage[]): void {
    for (const message of messages) {
      if (number !== this.#number) return;
      if (message.t === 'challenge') {
        this.#parts.after(1, () => {
          if (number === this.#number) this.#answer(message.nonce);
        });
        continue;
      }
      if (message.t === 'welcome') this.#isWelcome = true;
      if (this.#isWelcome) this.#parts.onMessage(message);
    }
  }

  #answer(nonce: string): void {
    const {runner, machine, hello} = this.#parts;
    const connection = nonce.replaceAll('.', '');
    this.#connection?.up([
      {
        t: 'hello',
        runner,
        session: `session-${machine.parts.index}-${machine.boot}-${this.#number}`,
        sig: sealOf('hello', connection, runner),
        version: '1',
        protocols: [1],
        boot_id: `boot-${machine.boot}`,
        lease_class: 'standard',
        ...hello(),
      },
    ]);
  }

  /** A ping every so often; a peer that does not answer one is gone. */
  #beat(number: number, connection: ControlConnection): void {
    const {after, machine} = this.#parts;
    const {line} = machine.parts;
    after(limits.heartbeatMs, () => {
      if (number !== this.#number) return;
      const wasLost = line.isBlocked() || !connection.isOpenAtServer;
      if (!wasLost) {
        this.#beat(number, connection);
        return;
      }
      after(limits.httpTimeoutMs, () => {
        if (number !== this.#number) return;
        if (line.isBlocked() || !connection.isOpenAtServer)
          this.#ended({kind: 'unreachable', why: 'no answer to a ping'});
        else this.#beat(number, connection);
      });
    });
  }

  #ended(end: SessionEnd): void {
    const {machine, after, onDisconnected, onFatal} = this.#parts;
    const wasWelcome = this.#isWelcome;
    this.#number += 1;
    const number = this.#number;
    this.#isWelcome = false;
    this.#connection?.abandonAtMachine(true);
    this.#connection = undefined;
    if (wasWelcome) onDisconnected();
    const wasStable = wasWelcome && machine.bootMs() - this.#begunMs >= stableMs;
    const clockCorrected = end.kind === 'refused' && end.why === 'clock';
    const next = nextTry(this.#tries, {end, wasWelcome, wasStable, clockCorrected}, machine.parts.chance.next());
    if (next.kind === 'stop') {
      onFatal(next.error);
      return;
    }
    // Polling is another transport, which this world does not have.
    this.#tries = {...next.tries, transport: 'websocket', socketFailures: 0};
    after(next.delayMs, () => {
      if (number === this.#number) this.#connect();
    });
  }
}

function endOf(why: Refused | 'unreachable'): SessionEnd {
  if (why === 'unreachable') return {kind: 'unreachable', why};
  const refused = {kind: 'refused', date: undefined, retryAfterMs: undefined, why: why.refused} as const;
  if (why.refused === 'revoked') return {...refused, status: 403, code: 'runner_revoked'};
  return {...refused, status: 401, code: 'unauthorized'};
}
