import type {DownMessage, Verdict, Welcome} from '@switchyard/shared/protocol/down.ts';
import {attemptKey, newAttempt, type Attempt, type AttemptRef} from './attempt-state.ts';
import type {OfferCheck, RunnerEvent} from './runner-state.ts';
import {
  advance,
  begin,
  emit,
  extend,
  heldItems,
  put,
  refuse,
  reportLater,
  sendAccept,
  sendExit,
  spendEpoch,
  stateOf,
  type Turn,
} from './turn.ts';

/** States whose agent may live, and which therefore need a lease. */
const leased: ReadonlySet<string> = new Set(['accepted', 'preparing', 'running', 'finishing', 'stopping']);

/** Attempts that may still be cleaning up, beyond the slots: a short task must not wait for the tidying of the last. */
const cleaningMax = 3;

/** Attempts that could not be cleaned up so far: they are tried again and hold nobody back, until they are so many. */
const stuckMax = 100;

export function onOffer(turn: Turn, offer: AttemptRef, check: OfferCheck): void {
  const held = turn.attempts.get(attemptKey(offer));
  if (held?.state === 'accepted') {
    sendAccept(turn, held);
    return;
  }
  if (held !== undefined) {
    refuse(turn, offer, 'offer');
    return;
  }
  const refusal = refusalOf(turn, offer, check);
  if (refusal !== undefined || !check.ok) {
    if (refusal !== undefined) emit(turn, {kind: 'send', message: refusal});
    return;
  }
  advance(turn, newAttempt(check.plan), 'accepted');
}

type Reject = Extract<Parameters<typeof emit>[1], {kind: 'send'}>['message'];

function refusalOf(turn: Turn, {task, epoch}: AttemptRef, check: OfferCheck): Reject | undefined {
  const state = stateOf(turn);
  const reject = (code: 'unavailable' | 'capacity_reached' | 'bad_envelope', detail: string): Reject => ({
    t: 'reject',
    ...taskRef(check, task, epoch),
    code,
    detail,
    retryable: true,
  });
  if (!check.ok)
    return {
      t: 'reject',
      ...taskRef(check, task, epoch),
      code: check.code,
      detail: check.detail.slice(0, 2_000),
      retryable: check.retryable,
    };
  if (state.isDrainedHere || state.isDrainedThere || state.config === null)
    return reject('unavailable', 'the runner takes no new task');
  const spent = state.maxEpochs.get(task) ?? 0;
  if (epoch <= spent) return reject('bad_envelope', `epoch ${epoch} is not greater than ${spent}, which began here`);
  const held = heldItems(state).length;
  const ended = [...state.attempts.values()].filter(({state: at}) => at === 'fenced');
  const stuck = ended.filter(({retry}) => retry !== null).length;
  const cleaning = ended.length - stuck;
  if (held >= state.slots || cleaning >= state.slots + cleaningMax || stuck >= stuckMax)
    return reject(
      'capacity_reached',
      `${held} of ${state.slots} slots are taken, ${cleaning} are being cleaned, ${stuck} could not be cleaned so far`,
    );
  return undefined;
}

/** The ids of the message are branded by its schema; a refused offer has no plan to take them from. */
function taskRef(check: OfferCheck, task: string, epoch: number): {task: Attempt['task']; epoch: number} {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the offer was parsed by offerSchema
  return check.ok ? {task: check.plan.task, epoch: check.plan.epoch} : {task: task as Attempt['task'], epoch};
}

type Go = Extract<DownMessage, {t: 'go'}>;

/** The only way to a start. */
export function onGo(turn: Turn, go: Go): void {
  const attempt = turn.attempts.get(attemptKey(go));
  const {config, maxEpochs} = stateOf(turn);
  if (attempt?.state !== 'accepted' || config === null || !isEchoOf(turn, go.echo, attempt.firstAcceptBootMs)) {
    refuse(turn, go, 'go');
    return;
  }
  const deadlineBootMs = go.echo + config.ttl_ms;
  if (go.epoch <= (maxEpochs.get(go.task) ?? 0)) {
    advance(turn, attempt, 'gone', {goneWhy: 'a newer epoch began here'});
    return;
  }
  if (turn.nowBootMs >= deadlineBootMs - config.hard_kill_ms) {
    advance(turn, attempt, 'deadlinePassed', {goneWhy: 'go came too late'});
    return;
  }
  for (const older of turn.attempts.values())
    if (older.task === go.task && older.epoch < go.epoch && older.state !== 'fenced')
      advance(turn, older, 'gone', {goneWhy: `epoch ${go.epoch} began`});
  spendEpoch(turn, attempt);
  advance(turn, attempt, 'go', {logTicket: go.log_ticket, deadlineBootMs, goBootMs: turn.nowBootMs});
}

/** An echo counts only when it is a time at which this process could have sent the message. */
function isEchoOf(turn: Turn, echo: number, firstSentBootMs: number | null): boolean {
  return firstSentBootMs !== null && echo >= firstSentBootMs && echo <= turn.nowBootMs;
}

export function onGone(turn: Turn, of: AttemptRef, why: string): void {
  const attempt = turn.attempts.get(attemptKey(of));
  if (attempt === undefined) refuse(turn, of, 'gone');
  else advance(turn, attempt, 'gone', {goneWhy: why.slice(0, 200)});
}

/** Prolongs what the server named, never beyond `echo + ttl`, and only if the echo is one of this process. */
export function renewLease(turn: Turn, of: AttemptRef, echo: number): void {
  const attempt = turn.attempts.get(attemptKey(of));
  const {config, bornBootMs} = stateOf(turn);
  if (attempt === undefined || config === null || !leased.has(attempt.state)) return;
  if (echo < bornBootMs || echo > turn.nowBootMs) {
    refuse(turn, of, 'renewed');
    return;
  }
  const deadlineBootMs = echo + config.ttl_ms;
  if (turn.nowBootMs >= deadlineBootMs - config.hard_kill_ms) return;
  if (attempt.deadlineBootMs !== null && deadlineBootMs <= attempt.deadlineBootMs) return;
  const renewed = put(turn, {...attempt, deadlineBootMs});
  if (renewed.isHeldBack) begin(turn, renewed);
  else if (renewed.state !== 'accepted') extend(turn, renewed);
}

type Renewed = Extract<DownMessage, {t: 'renewed'}>;

export function onRenewed(turn: Turn, {items, echo}: Renewed): void {
  for (const item of items) {
    const attempt = turn.attempts.get(attemptKey(item));
    // The server answers in order: a go for an accept sent before this renewal would have come first, so it was lost.
    if (attempt?.state === 'accepted' && (attempt.lastAcceptBootMs ?? 0) < echo) sendAccept(turn, attempt);
    else renewLease(turn, item, echo);
  }
}

export function onWelcome(turn: Turn, welcome: Welcome): void {
  turn.change = {
    ...turn.change,
    config: welcome.config,
    isConnected: true,
    isDrainedThere: false,
    nextRenewBootMs: turn.nowBootMs + welcome.config.renew_ms,
  };
  for (const verdict of welcome.verdicts) onVerdict(turn, verdict, welcome.echo);
  for (const attempt of turn.attempts.values()) if (attempt.state === 'reported') sendExit(turn, attempt);
}

function onVerdict(turn: Turn, verdict: Verdict, echo: number): void {
  const attempt = turn.attempts.get(attemptKey(verdict));
  if (attempt === undefined || attempt.state === 'fenced') return;
  switch (verdict.verdict) {
    case 'keep':
      if (attempt.state === 'accepted') sendAccept(turn, attempt);
      else renewLease(turn, verdict, echo);
      return;
    case 'kill':
      onGone(turn, verdict, 'the server gave the lease to nobody or to another');
      return;
    // What has ended is reported below; what still runs reports when it ends.
    case 'send_exit':
      return;
    case 'forget':
      if (attempt.state === 'reported') advance(turn, attempt, 'exitAcknowledged');
      else onGone(turn, verdict, 'the server has its exit');
      return;
  }
}

export function onExitAck(turn: Turn, of: AttemptRef): void {
  const attempt = turn.attempts.get(attemptKey(of));
  if (attempt === undefined) refuse(turn, of, 'exit_ack');
  else advance(turn, attempt, 'exitAcknowledged');
}

type ExitNack = Extract<DownMessage, {t: 'exit_nack'}>;

/** The log is completed, or the record signed anew, and the exit sent again; more slowly each time, and not for ever. */
export function onExitNack(turn: Turn, nack: ExitNack): void {
  const attempt = turn.attempts.get(attemptKey(nack));
  if (attempt?.state !== 'reported') {
    refuse(turn, nack, 'exit_nack');
    return;
  }
  emit(turn, {kind: 'notice', of: {task: nack.task, epoch: nack.epoch}, text: `the exit was refused: ${nack.why}`});
  reportLater(turn, attempt, nack.why === 'log_incomplete' && attempt.logTicket !== null ? 'seal' : 'sign', nack.why);
}

export type Message = Extract<RunnerEvent, {kind: 'message'}>['message'];
