import type {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {RunnerId} from '@switchyard/shared/domain/id.ts';
import type {DownMessage, Offer} from '@switchyard/shared/protocol/down.ts';
import {dispatchSchema} from '@switchyard/shared/protocol/envelope.ts';
import type {UpMessage} from '@switchyard/shared/protocol/up.ts';
import {reduce} from '../../../runner/src/attempt/attempt-reducer.ts';
import {attemptKey, planOf, type AttemptRef} from '../../../runner/src/attempt/attempt-state.ts';
import {nextWakeBootMs, statedSlots} from '../../../runner/src/attempt/clock-rules.ts';
import {journalChange} from '../../../runner/src/attempt/journal-change.ts';
import {
  initialState,
  type OfferCheck,
  type RunnerEffect,
  type RunnerEvent,
  type RunnerState,
} from '../../../runner/src/attempt/runner-state.ts';
import {heldItems} from '../../../runner/src/attempt/turn.ts';
import {judgeDispatch, serverTimeOf, type ServerTime} from '../../../runner/src/link/envelope-check.ts';
import {simulatedPool} from '../control-plane/fleet-object.ts';
import {sha256Of, signed, verified} from '../control-plane/proof.ts';
import {keyOf} from '../kernel/fact.ts';
import {Hands, type HandsParts} from './hands.ts';
import type {Machine} from './machine.ts';
import {Session, type SessionParts} from './session.ts';

export type ProcessParts = {
  readonly machine: Machine;
  readonly runner: RunnerId;
  readonly slots: number;
  readonly labels: readonly string[];
  readonly dial: SessionParts['dial'];
  readonly dialLog: HandsParts['dialLog'];
  /** It ended by itself, or died. */
  readonly onEnd: (why: 'crashed' | 'fatal' | 'drained' | 'revoked') => void;
};

/** Where a fault kills the process within one turn. */
export type DeathPoint = 'beforeJournal' | 'afterJournal' | 'midEffects' | 'midStore';

/** A look that finds nothing due decides nothing; this many milliseconds are never slept through without one. */
const lookMaxMs = 60_000;

/**
 * The runner process: the loop of `AttemptLoop` around the shipped reducer. One event at a time, journal first, then the
 * effects.
 */
export class RunnerProcess {
  readonly #parts: ProcessParts;
  readonly session: Session;
  readonly hands: Hands;
  state: RunnerState;
  #isGone = false;
  #serverTime: ServerTime | null = null;
  #inbound: (DownMessage | 'disconnected')[] = [];
  #isReading = false;
  #queue: {readonly event: RunnerEvent; readonly message: DownMessage | undefined}[] = [];
  #isBusy = false;
  #seq: number;
  #looks = 0;
  /** What the last turn was told to end. */
  #isRevoked = false;
  diesAt: DeathPoint | undefined;
  onDeath: (at: DeathPoint) => void = () => undefined;
  onSlow: () => void = () => undefined;

  /** Throws `disk_full` when the journal cannot be opened. */
  constructor(parts: ProcessParts) {
    this.#parts = parts;
    const {machine, slots, runner, dial, dialLog} = parts;
    const content = machine.disk.openJournal(machine.boot);
    const {attempts, maxEpochs, config} = content;
    this.state = initialState({attempts, maxEpochs, config, slots, bornBootMs: machine.bootMs()});
    this.#seq = content.openings * 2 ** 32;
    const after = (delayMs: number, run: () => void): void =>
      machine.after(delayMs, () => {
        if (!this.#isGone) run();
      });
    this.hands = new Hands({
      machine,
      after,
      answer: (of, answer) => this.dispatch({kind: 'answer', of, answer}),
      inputDone: (of, seq, delivered) => this.dispatch({kind: 'inputDone', of, seq, delivered}),
      dialLog,
    });
    this.session = new Session({
      machine,
      runner,
      after,
      dial,
      hello: () => this.#hello(),
      onMessage: message => {
        if (message.t === 'welcome') this.#serverTime = serverTimeOf(message);
        this.#receive(message);
      },
      onDisconnected: () => this.#receive('disconnected'),
      onFatal: error => this.#linkEnded(error),
    });
    machine.process = {vanish: isNoticed => this.#vanish(isNoticed), woke: () => this.dispatch({kind: 'tick'})};
    machine.parts.see({t: 'runner.started', machine: machine.parts.index});
    this.dispatch({kind: 'restored', sameBoot: content.sameBoot});
    if (!this.#isGone) this.session.start();
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  drain(): void {
    this.dispatch({kind: 'drainHere'});
  }

  stopAll(graceMs: number): void {
    this.dispatch({kind: 'stopAll', graceMs, detail: 'the runner was told to stop'});
  }

  /** A message that the Fleet did not send to this session. */
  overhear(message: DownMessage): void {
    this.#receive(message);
  }

  /** `kill -9`. */
  crash(): void {
    this.#end('crashed');
  }

  dispatch(event: RunnerEvent, message?: DownMessage): void {
    if (this.#isGone) return;
    if (this.#isBusy) this.#queue.push({event, message});
    else this.#turn(event, message);
  }

  #turn(event: RunnerEvent, message: DownMessage | undefined): void {
    const {machine} = this.#parts;
    const before = this.state;
    const {state, effects} = reduce(before, event, machine.bootMs());
    const change = journalChange(before, state);
    if (this.#mayDie('beforeJournal', effects.length)) return;
    const {slowMs} = machine.disk;
    const takesMs = change !== undefined && slowMs > 0 ? machine.parts.chance.between(1, slowMs) : 0;
    const isWrittenFirst = takesMs === 0 || machine.parts.chance.isLuck(0.5);
    try {
      if (change !== undefined && isWrittenFirst) machine.disk.writeJournal(change);
    } catch {
      this.#end('fatal');
      return;
    }
    if (takesMs === 0) {
      this.#conclude(event, {state, effects, message});
      return;
    }
    this.onSlow();
    this.#isBusy = true;
    machine.after(takesMs, () => {
      if (this.#isGone) return;
      this.#isBusy = false;
      try {
        if (change !== undefined && !isWrittenFirst) machine.disk.writeJournal(change);
      } catch {
        this.#end('fatal');
        return;
      }
      this.#conclude(event, {state, effects, message});
      for (let next = this.#queue.shift(); next !== undefined && !this.#isGone; next = this.#queue.shift()) {
        if (this.#isBusy) {
          this.#queue.unshift(next);
          return;
        }
        this.#turn(next.event, next.message);
      }
    });
  }

  #conclude(
    event: RunnerEvent,
    {state, effects, message}: {state: RunnerState; effects: readonly RunnerEffect[]; message: DownMessage | undefined},
  ): void {
    this.state = state;
    if (this.#mayDie('afterJournal', effects.length)) return;
    if (message !== undefined) this.#told(message, effects);
    for (const [index, effect] of effects.entries()) {
      if (index === Math.ceil(effects.length / 2) && this.#mayDie('midEffects', effects.length)) return;
      this.#perform(effect);
      if (this.#isGone) return;
    }
    this.#schedule();
    if (state.attempts.size > 0) return;
    if (this.#isRevoked) this.#end('revoked');
    else if (state.isDrainedHere && event.kind !== 'restored') this.#end('drained');
  }

  #told(message: DownMessage, effects: readonly RunnerEffect[]): void {
    const {see, index} = this.#parts.machine.parts;
    const killed = effects.flatMap(effect =>
      effect.kind === 'kill' || effect.kind === 'stop' ? [keyOf(effect.plan)] : [],
    );
    see({t: 'runner.decided', machine: index, message, killed});
  }

  #mayDie(at: DeathPoint, effects: number): boolean {
    if (this.diesAt !== at || effects === 0) return false;
    this.diesAt = undefined;
    this.onDeath(at);
    this.#end('crashed');
    return true;
  }

  #perform(effect: RunnerEffect): void {
    switch (effect.kind) {
      case 'send':
        this.#parts.machine.parts.see({
          t: 'runner.said',
          machine: this.#parts.machine.parts.index,
          message: effect.message,
        });
        this.session.send(effect.message);
        return;
      case 'phase':
        this.#seq += 1;
        this.session.send({t: 'phase', seq: this.#seq, ...effect.of, detail: effect.detail.slice(0, 500)});
        return;
      case 'renew':
        this.session.send(this.#renewal(effect));
        return;
      case 'sign':
        this.#sign(effect);
        return;
      case 'refused':
      case 'notice':
      case 'warn':
        return;
      case 'extend':
        this.#note(effect);
        this.hands.perform(effect);
        return;
      case 'prepare':
      case 'run':
      case 'kill':
      case 'clean':
      case 'finish':
      case 'stop':
      case 'seal':
      case 'input':
        if (this.diesAt === 'midStore') this.hands.diesInStore = () => this.#mayDie('midStore', 1);
        this.hands.perform(effect);
        return;
    }
  }

  #note({plan, hardBootMs}: Extract<RunnerEffect, {kind: 'extend'}>): void {
    const {machine} = this.#parts;
    const {task, epoch} = plan;
    const hardKillMs = this.state.config?.hard_kill_ms ?? 0;
    machine.parts.see({
      t: 'deadline',
      machine: machine.parts.index,
      task,
      epoch,
      killAtMs: machine.trueMs(hardBootMs),
      endsAtMs: machine.trueMs(hardBootMs + hardKillMs),
    });
  }

  #renewal({ts, slots, items}: Extract<RunnerEffect, {kind: 'renew'}>): UpMessage {
    return {
      t: 'renew',
      ts,
      slots: {...slots},
      items: items.map(item => ({...item, spool_len: this.#spoolLength(item)})),
    };
  }

  #spoolLength(of: AttemptRef): number {
    const attempt = this.state.attempts.get(attemptKey(of));
    return attempt === undefined || attempt.logTicket === null ? 0 : this.hands.spoolLength(planOf(attempt));
  }

  #sign({of, record}: Extract<RunnerEffect, {kind: 'sign'}>): void {
    const {machine, runner} = this.#parts;
    const jws = signed({...record, runner});
    machine.after(1, () => this.dispatch({kind: 'answer', of, answer: {verb: 'sign', record: jws}}));
  }

  #hello(): ReturnType<SessionParts['hello']> {
    const {machine, labels} = this.#parts;
    const inventory = heldItems(this.state).map(item => ({...item, spool_len: this.#spoolLength(item)}));
    const slots = {...statedSlots(this.state)};
    machine.parts.see({
      t: 'runner.hello',
      machine: machine.parts.index,
      slots: slots['default'] ?? 0,
      live: [...machine.agents.keys()],
    });
    return {slots, labels: [...labels], inventory, ts: machine.bootMs()};
  }

  /** In the order of the server, although the check of an offer takes a moment. */
  #receive(message: DownMessage | 'disconnected'): void {
    this.#inbound.push(message);
    if (!this.#isReading) this.#read();
  }

  #read(): void {
    const message = this.#inbound.shift();
    this.#isReading = message !== undefined;
    if (message === undefined) return;
    if (message === 'disconnected' || message.t !== 'offer') {
      this.#hear(message);
      this.#read();
      return;
    }
    this.#parts.machine.after(1, () => {
      if (this.#isGone) return;
      this.#hear(message);
      this.#read();
    });
  }

  #hear(message: DownMessage | 'disconnected'): void {
    const {see, index} = this.#parts.machine.parts;
    if (message === 'disconnected') {
      this.dispatch({kind: 'disconnected'});
      return;
    }
    see({t: 'runner.heard', machine: index, message});
    switch (message.t) {
      case 'challenge':
      case 'server_drain':
      case 'rotate':
      case 'allowance':
      case 'budget_warning':
      // No agent of the simulation asks.
      case 'answer':
        return;
      case 'welcome':
        this.dispatch({kind: 'welcome', welcome: message}, message);
        return;
      case 'offer':
        this.dispatch({kind: 'offer', offer: message, check: this.#check(message)}, message);
        return;
      default:
        this.dispatch({kind: 'message', message}, message);
    }
  }

  #check(offer: Offer): OfferCheck {
    const {runner, machine} = this.#parts;
    const dispatch = verified(offer.envelope, dispatchSchema);
    return judgeDispatch(
      {runner, pool: simulatedPool, serverTime: () => this.#serverTime, bootMs: () => machine.bootMs()},
      offer,
      dispatch && {dispatch, specSha256: sha256Of(dispatch.spec)},
    );
  }

  #schedule(): void {
    const {machine} = this.#parts;
    this.#looks += 1;
    const looks = this.#looks;
    const wake = nextWakeBootMs(this.state);
    const waitMs = wake === null ? lookMaxMs : Math.min(lookMaxMs, Math.max(1, wake - machine.bootMs()));
    machine.after(Math.ceil(waitMs / machine.parts.clockRate), () => {
      if (looks === this.#looks && !this.#isGone) this.dispatch({kind: 'tick'});
    });
  }

  #linkEnded(error: SwitchyardError): void {
    if (error.code !== 'runner_revoked') throw error;
    const {machine} = this.#parts;
    machine.parts.see({t: 'runner.revoked', machine: machine.parts.index});
    this.dispatch({kind: 'disconnected'});
    this.#isRevoked = true;
    this.dispatch({kind: 'revoked'});
    if (this.state.attempts.size === 0) this.#end('revoked');
    machine.after(60_000, () => this.#end('revoked'));
  }

  #end(why: Parameters<ProcessParts['onEnd']>[0]): void {
    if (this.#isGone) return;
    this.#vanish(true);
    this.#parts.machine.process = undefined;
    this.#parts.onEnd(why);
  }

  #vanish(isNoticed: boolean): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const {see, index} = this.#parts.machine.parts;
    this.session.vanish(isNoticed);
    this.hands.vanish(isNoticed);
    see({t: 'runner.ended', machine: index});
  }
}
