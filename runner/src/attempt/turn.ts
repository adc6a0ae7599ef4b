import {attemptMachine, type AttemptEffect, type AttemptEvent} from '@switchyard/shared/machine/attempt-machine.ts';
import {step} from '@switchyard/shared/machine/machine.ts';
import {attemptPhases, type AttemptPhase} from '@switchyard/shared/protocol/attempt-message.ts';
import {attemptKey, planOf, type Attempt, type WorkVerb} from './attempt-state.ts';
import {closingLine, exitRecordOf} from './exit-facts.ts';
import {maxEpochsKept, type HeldItem, type RunnerEffect, type RunnerState} from './runner-state.ts';

/** One reduction under way. It is born and dies within `reduce`, which is pure although this is not. */
export type Turn = {
  readonly nowBootMs: number;
  readonly before: RunnerState;
  readonly attempts: Map<string, Attempt>;
  change: Partial<Omit<RunnerState, 'attempts'>>;
  readonly effects: RunnerEffect[];
};

export function newTurn(before: RunnerState, nowBootMs: number): Turn {
  return {nowBootMs, before, attempts: new Map(before.attempts), change: {}, effects: []};
}

export function stateOf(turn: Turn): RunnerState {
  return {...turn.before, ...turn.change, attempts: turn.attempts};
}

export function emit(turn: Turn, effect: RunnerEffect): void {
  turn.effects.push(effect);
}

export function put(turn: Turn, attempt: Attempt): Attempt {
  turn.attempts.set(attemptKey(attempt), attempt);
  return attempt;
}

export function phaseOf(attempt: Attempt): AttemptPhase | undefined {
  return attemptPhases.find(phase => phase === attempt.state);
}

/** What the server is told of: every attempt whose end it has not acknowledged. */
export function heldItems(state: Pick<RunnerState, 'attempts'>): readonly HeldItem[] {
  return [...state.attempts.values()].flatMap(attempt => {
    const phase = phaseOf(attempt);
    return phase === undefined ? [] : [{task: attempt.task, epoch: attempt.epoch, phase}];
  });
}

export function refuse(turn: Turn, of: {task: string; epoch: number}, event: string): void {
  const state = turn.attempts.get(attemptKey(of))?.state ?? 'unknown';
  emit(turn, {kind: 'refused', of: {task: of.task, epoch: of.epoch}, state, event});
}

/**
 * Takes the arrow of the machine, with `changes` to what is known, and carries out what the arrow says. Answers the
 * attempt as it then is, or `undefined` when there was no arrow: then nothing changed and the refusal is counted.
 */
export function advance(
  turn: Turn,
  attempt: Attempt,
  event: AttemptEvent,
  changes: Partial<Attempt> = {},
): Attempt | undefined {
  const taken = step(attemptMachine, attempt.state, event, undefined);
  if (!taken.taken) {
    refuse(turn, attempt, event);
    return undefined;
  }
  let next = put(turn, {...attempt, ...changes, state: taken.to, retry: null});
  for (const effect of taken.effects) next = carryOut(turn, next, effect);
  if (next.state === 'collected') turn.attempts.delete(attemptKey(next));
  else announce(turn, attempt, next);
  return next;
}

function announce(turn: Turn, from: Attempt, to: Attempt): void {
  const phase = phaseOf(to);
  if (phase === undefined || from.state === to.state) return;
  // The accept and the exit say these themselves; after its exit the attempt is no longer ours to speak of.
  if (phase === 'accepted' || phase === 'reported') return;
  emit(turn, {kind: 'phase', of: {task: to.task, epoch: to.epoch, phase}, detail: to.result?.kind ?? ''});
}

function carryOut(turn: Turn, attempt: Attempt, effect: AttemptEffect): Attempt {
  switch (effect) {
    case 'sendAccept':
      return sendAccept(turn, attempt);
    case 'prepare':
      return begin(turn, attempt);
    case 'launch':
      return begin(turn, put(turn, {...attempt, agentStartBootMs: turn.nowBootMs}));
    case 'finish':
      return begin(turn, attempt);
    case 'stopAgent': {
      const graceMs = Math.max(0, (attempt.stopKillBootMs ?? 0) - turn.nowBootMs);
      emit(turn, {kind: 'stop', plan: planOf(attempt), graceMs});
      return attempt;
    }
    case 'sealLog':
      return seal(turn, put(turn, {...attempt, endBootMs: attempt.endBootMs ?? turn.nowBootMs, isHeldBack: false}));
    case 'sendExit':
      return sendExit(turn, attempt);
    case 'killNow':
      emit(turn, {kind: 'kill', plan: planOf(attempt)});
      return put(turn, {...attempt, isHeldBack: false});
    case 'clean':
      emit(turn, {kind: 'clean', plan: planOf(attempt)});
      return attempt;
  }
}

/** The lease is counted from the moment this accept is sent, whenever the answer comes. */
export function sendAccept(turn: Turn, attempt: Attempt): Attempt {
  const now = turn.nowBootMs;
  const config = stateOf(turn).config;
  emit(turn, {kind: 'send', message: {t: 'accept', task: attempt.task, epoch: attempt.epoch, ts: now}});
  return put(turn, {
    ...attempt,
    firstAcceptBootMs: attempt.firstAcceptBootMs ?? now,
    lastAcceptBootMs: now,
    deadlineBootMs: config === null ? attempt.deadlineBootMs : now + config.ttl_ms,
  });
}

export function sendExit(turn: Turn, attempt: Attempt): Attempt {
  if (attempt.record === null) return attempt;
  emit(turn, {kind: 'send', message: {t: 'exit', task: attempt.task, epoch: attempt.epoch, record: attempt.record}});
  return put(turn, {...attempt, exitSentBootMs: turn.nowBootMs});
}

const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** An attempt that never got `go` has no log and no ticket to open one. */
export function seal(turn: Turn, attempt: Attempt): Attempt {
  if (attempt.logTicket !== null) {
    emit(turn, {kind: 'seal', plan: planOf(attempt), line: closingLine(attempt)});
    return attempt;
  }
  return sign(turn, put(turn, {...attempt, sealed: {length: 0, sha256: emptySha256, receipt: null, dropped: 0}}));
}

export function sign(turn: Turn, attempt: Attempt): Attempt {
  const record = exitRecordOf(attempt);
  const of = {task: attempt.task, epoch: attempt.epoch};
  const isPlain = attempt.retry?.verb === 'sign' && attempt.retry.count >= plainFrom;
  if (record !== undefined) emit(turn, {kind: 'sign', of, record, isPlain});
  return attempt;
}

const beginVerbs = {preparing: 'prepare', running: 'run', finishing: 'finish'} as const;

/** Calls the verb of a working state, unless there is no lease, or an older attempt of the task may still be alive. */
export function begin(turn: Turn, attempt: Attempt): Attempt {
  if (attempt.state !== 'preparing' && attempt.state !== 'running' && attempt.state !== 'finishing') return attempt;
  if (attempt.deadlineBootMs === null || (attempt.state === 'preparing' && hasOlderAlive(turn, attempt)))
    return attempt.isHeldBack ? attempt : put(turn, {...attempt, isHeldBack: true});
  const verb = beginVerbs[attempt.state];
  extend(turn, attempt);
  const plan = planOf(attempt);
  if (verb === 'finish') {
    const end = attempt.agentEnd ?? {exitCode: null, signal: null, summary: null, result: null};
    emit(turn, {kind: 'finish', plan, end});
  } else {
    emit(turn, {kind: verb, plan});
  }
  return put(turn, {...attempt, ...beginningOf(turn, attempt), isHeldBack: false, isDead: false});
}

const beginTimes = {preparing: 'goBootMs', running: 'agentStartBootMs', finishing: 'agentEndBootMs'} as const;

/** What waited before it had a process has the whole time of its state from here on, however long it waited. */
function beginningOf(turn: Turn, {state, isHeldBack, isDead}: Attempt): Partial<Attempt> {
  if (!isHeldBack || !isDead) return {};
  if (state !== 'preparing' && state !== 'running' && state !== 'finishing') return {};
  return {[beginTimes[state]]: turn.nowBootMs};
}

function hasOlderAlive(turn: Turn, attempt: Attempt): boolean {
  return [...turn.attempts.values()].some(
    other => other.task === attempt.task && other.epoch < attempt.epoch && (!other.isDead || isLeaving(other)),
  );
}

/** The tree of an agent that waits is taken over, once the attempt has left it. What cannot be cleaned keeps nobody. */
function isLeaving({result, retry}: Attempt): boolean {
  return result?.kind === 'waiting' && retry === null;
}

export function extend(turn: Turn, attempt: Attempt): void {
  const config = stateOf(turn).config;
  if (attempt.deadlineBootMs === null || config === null) return;
  emit(turn, {
    kind: 'extend',
    plan: planOf(attempt),
    softBootMs: attempt.deadlineBootMs - config.soft_stop_ms,
    hardBootMs: attempt.deadlineBootMs - config.hard_kill_ms,
  });
}

/** The epoch is spent: in the journal before the work of this turn begins. */
export function spendEpoch(turn: Turn, {task, epoch}: Attempt): void {
  const epochs = new Map(turn.change.maxEpochs ?? turn.before.maxEpochs);
  epochs.delete(task);
  epochs.set(task, epoch);
  for (const oldest of epochs.keys()) {
    if (epochs.size <= maxEpochsKept) break;
    epochs.delete(oldest);
  }
  turn.change = {...turn.change, maxEpochs: epochs};
}

/** Refusals after which a record says no more than it must: some three minutes, which whatever passes by itself has passed in; */
const plainFrom = 10;
/** and after which its attempt is let go, some three hours later: it would hold its slot and its task for ever. */
const refusalsMax = 365;

/** The record of an exit could not be made, or was refused. It is tried again, and again, and in the end let go. */
export function reportLater(turn: Turn, attempt: Attempt, verb: 'seal' | 'sign', why: string): void {
  const {retry} = retryLater(turn, attempt, verb);
  if (retry === null || retry.count + 1 < refusalsMax) return;
  const of = {task: attempt.task, epoch: attempt.epoch};
  const text = `the exit could not be reported in ${refusalsMax} tries and is given up: the lease runs out`;
  emit(turn, {kind: 'notice', of, text});
  advance(turn, attempt, 'gone', {goneWhy: `its exit could not be reported: ${why}`.slice(0, 200)});
}

const retryFirstMs = 1_000;
const retryMaxMs = 30_000;

/** A verb that must succeed in the end is tried again, ever more slowly; the count survives until the state changes. */
export function retryLater(turn: Turn, attempt: Attempt, verb: WorkVerb): Attempt {
  const count = attempt.retry?.verb === verb ? attempt.retry.count + 1 : 0;
  const atBootMs = turn.nowBootMs + Math.min(retryMaxMs, retryFirstMs * 2 ** Math.min(count, 10));
  return put(turn, {...attempt, retry: {verb, atBootMs, count}});
}
