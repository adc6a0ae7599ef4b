import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import {attemptKey, planOf, type Attempt} from './attempt-state.ts';
import {applyClock} from './clock-rules.ts';
import {onExitAck, onExitNack, onGo, onGone, onOffer, onRenewed, onWelcome, type Message} from './lease-rules.ts';
import type {Reduced, RunnerEvent, RunnerState} from './runner-state.ts';
import {advance, begin, emit, heldItems, newTurn, put, refuse, seal, sign, stateOf, type Turn} from './turn.ts';
import {onAnswer, onInput, onInputDone, stopWith} from './work-rules.ts';

/**
 * Everything that this runner decides about leases and attempts. Pure: the runner and the simulator run it alike.
 *
 *    offer (verified) -> accept{ts} -> go{echo = ts} -> prepare -> run -> finish -> seal -> exit -> exit_ack -> clean
 *
 * The laws: it starts only on `go`, once per epoch, for an epoch greater than any that began here; a lease ends at
 * `echo + ttl` of this machine's boot clock; past `hard_kill_ms` before that an attempt is fenced and never reports.
 *
 * Whoever calls it makes the new `attempts`, `maxEpochs` and `config` durable before any effect is carried out.
 * `nowBootMs` must not fall within one boot.
 */
export function reduce(state: RunnerState, event: RunnerEvent, nowBootMs: number): Reduced {
  const turn = newTurn(state, nowBootMs);
  if (event.kind === 'restored') restore(turn, event.sameBoot);
  applyClock(turn);
  decide(turn, event);
  for (const attempt of turn.attempts.values()) if (attempt.isHeldBack) begin(turn, attempt);
  if (isDraining(turn) && turn.attempts.size < state.attempts.size) sayDraining(turn);
  return {state: stateOf(turn), effects: turn.effects};
}

function decide(turn: Turn, event: RunnerEvent): void {
  switch (event.kind) {
    case 'welcome':
      onWelcome(turn, event.welcome);
      if (stateOf(turn).isDrainedHere) sayDraining(turn);
      return;
    case 'disconnected':
      turn.change = {...turn.change, isConnected: false};
      return;
    case 'revoked':
      for (const attempt of turn.attempts.values())
        if (attempt.state !== 'fenced') advance(turn, attempt, 'gone', {goneWhy: 'the runner was revoked'});
      return;
    case 'offer':
      onOffer(turn, event.offer, event.check);
      return;
    case 'message':
      onMessage(turn, event.message);
      return;
    case 'answer':
      onAnswer(turn, event.of, event.answer);
      return;
    case 'inputDone':
      onInputDone(turn, event.of, {seq: event.seq, delivered: event.delivered});
      return;
    case 'drainHere':
      turn.change = {...turn.change, isDrainedHere: true};
      sayDraining(turn);
      return;
    case 'stopAll':
      turn.change = {...turn.change, isDrainedHere: true};
      // First: a task that comes back from here must not be offered to who is about to leave.
      sayDraining(turn);
      stopAll(turn, event.graceMs, {kind: 'interrupted', detail: event.detail.slice(0, 1_000)});
      return;
    case 'restored':
    case 'tick':
      return;
  }
}

function onMessage(turn: Turn, message: Message): void {
  switch (message.t) {
    case 'go':
      onGo(turn, message);
      return;
    case 'gone':
      onGone(turn, message, message.why);
      return;
    case 'renewed':
      onRenewed(turn, message);
      return;
    case 'exit_ack':
      onExitAck(turn, message);
      return;
    case 'exit_nack':
      onExitNack(turn, message);
      return;
    case 'cancel': {
      const attempt = turn.attempts.get(attemptKey(message));
      if (attempt === undefined) refuse(turn, message, 'cancel');
      else stopWith(turn, attempt, {kind: 'cancelled'}, message.grace_ms);
      return;
    }
    case 'input':
      onInput(turn, message);
      return;
    case 'drain':
      turn.change = {...turn.change, isDrainedThere: true};
      sayDraining(turn);
      return;
    case 'resume':
      // The server counted on no slot; the next renewal, sent at once, states them again.
      turn.change = {...turn.change, isDrainedThere: false, nextRenewBootMs: turn.nowBootMs};
      return;
  }
}

function stopAll(turn: Turn, graceMs: number, result: AttemptResult): void {
  const live: ReadonlySet<string> = new Set(['accepted', 'preparing', 'running', 'finishing', 'stopping']);
  for (const attempt of turn.attempts.values()) if (live.has(attempt.state)) stopWith(turn, attempt, result, graceMs);
}

function isDraining(turn: Turn): boolean {
  const {isDrainedHere, isDrainedThere} = stateOf(turn);
  return isDrainedHere || isDrainedThere;
}

function sayDraining(turn: Turn): void {
  emit(turn, {kind: 'send', message: {t: 'draining', held: heldItems(stateOf(turn)).length}});
}

/**
 * Goes on where an earlier process of this runner stopped: every verb may be called again. After a reboot no time of
 * the boot clock means anything, and what needs a lease waits until the server keeps it.
 */
function restore(turn: Turn, sameBoot: boolean): void {
  for (const stored of turn.attempts.values()) resume(turn, put(turn, sameBoot ? stored : afterReboot(stored)));
}

function afterReboot(attempt: Attempt): Attempt {
  return {
    ...attempt,
    firstAcceptBootMs: null,
    lastAcceptBootMs: null,
    deadlineBootMs: null,
    goBootMs: null,
    agentStartBootMs: null,
    agentEndBootMs: null,
    endBootMs: null,
    stopKillBootMs: null,
    exitSentBootMs: null,
    isDead: true,
  };
}

function resume(turn: Turn, stored: Attempt): void {
  const inputs = stored.inputs.map(input => ({...input, delivered: input.delivered ?? false}));
  const attempt = put(turn, {...stored, inputs, retry: null});
  switch (attempt.state) {
    case 'preparing':
    case 'running':
    case 'finishing':
      // The clock comes first: a lease that ran out while nobody looked must not be worked on for one more moment.
      put(turn, {...attempt, isHeldBack: true});
      return;
    case 'stopping':
      emit(turn, {
        kind: 'stop',
        plan: planOf(attempt),
        graceMs: Math.max(0, (attempt.stopKillBootMs ?? 0) - turn.nowBootMs),
      });
      return;
    case 'exited':
      // Of another boot it has no time of its own: the one for its log begins again.
      put(turn, {...attempt, endBootMs: attempt.endBootMs ?? turn.nowBootMs});
      if (attempt.sealed === null) seal(turn, attempt);
      else sign(turn, attempt);
      return;
    case 'fenced':
      emit(turn, {kind: 'kill', plan: planOf(attempt)});
      return;
    case 'offered':
    case 'accepted':
    case 'reported':
    case 'collected':
      return;
  }
}
