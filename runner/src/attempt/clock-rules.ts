import {timeoutMsOf} from '@switchyard/shared/domain/role-defaults.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {planOf, type Attempt} from './attempt-state.ts';
import type {RunnerState} from './runner-state.ts';
import {advance, emit, heldItems, put, seal, sendExit, sign, stateOf, type Turn} from './turn.ts';
import {leaseLost, stopWith} from './work-rules.ts';

/** A verb of the port that never answers must not hold a slot for ever; agents have the time of their task. */
const workMaxMs = 30 * 60_000;

/** A log that is not whole on the server so long after the end of its agent never will be, and no exit without it. */
export const sealMaxMs = 4 * 60 * 60_000;

/**
 * What the passing of time alone decides. It runs before every event, so that a machine that slept fences what it may
 * no longer run before it looks at anything else.
 */
export function applyClock(turn: Turn): void {
  for (const attempt of turn.attempts.values()) applyDeadline(turn, attempt);
  for (const attempt of turn.attempts.values()) applyTimeout(turn, attempt);
  for (const attempt of turn.attempts.values()) applyWarning(turn, attempt);
  for (const attempt of turn.attempts.values()) applyRetry(turn, attempt);
  for (const attempt of turn.attempts.values()) applyExitAgain(turn, attempt);
  applyRenew(turn);
}

const stoppable: ReadonlySet<string> = new Set(['preparing', 'running', 'finishing']);

/** Whether an attempt works under a lease that has not run out. */
export function isWorking({state, deadlineBootMs}: Attempt, nowBootMs: number): boolean {
  return (stoppable.has(state) || state === 'stopping') && deadlineBootMs !== null && nowBootMs < deadlineBootMs;
}

/** A process that has just begun has this share of the soft stop to find its server before it asks an agent to stop. */
const reconnectShare = 1 / 3;

/**
 * When the agent is asked to stop. Who begins late finds the lease nearly over although the agent may have ended well:
 * the lease holds until the hard kill, a renewal makes it whole again, and the shim asks the agent in any case.
 */
function softStopBootMs(
  {config, bornBootMs}: Pick<RunnerState, 'config' | 'bornBootMs'>,
  deadlineBootMs: number,
): number {
  const {soft_stop_ms: softStopMs = 0, hard_kill_ms: hardKillMs = 0} = config ?? {};
  const softBootMs = Math.max(deadlineBootMs - softStopMs, Math.ceil(bornBootMs + softStopMs * reconnectShare));
  return Math.min(softBootMs, deadlineBootMs - hardKillMs);
}

function applyDeadline(turn: Turn, attempt: Attempt): void {
  const {config, bornBootMs} = stateOf(turn);
  const {deadlineBootMs, state} = attempt;
  if (config === null || deadlineBootMs === null) return;
  if (state !== 'accepted' && state !== 'stopping' && !stoppable.has(state)) return;
  const hardBootMs = deadlineBootMs - config.hard_kill_ms;
  if (turn.nowBootMs >= hardBootMs) {
    advance(turn, attempt, 'deadlinePassed', {goneWhy: 'the lease ran out'});
  } else if (stoppable.has(state) && turn.nowBootMs >= softStopBootMs({config, bornBootMs}, deadlineBootMs)) {
    stopWith(turn, attempt, leaseLost, hardBootMs - turn.nowBootMs);
  }
}

/** When the state that an attempt is in must have ended, by the task's own time or by that of the machine. */
function timeoutBootMs({state, isHeldBack, spec, ...attempt}: Attempt): number | null {
  const {goBootMs, agentStartBootMs, agentEndBootMs, endBootMs} = attempt;
  if (isHeldBack) return null;
  if (state === 'preparing') return goBootMs === null ? null : goBootMs + workMaxMs;
  if (state === 'running') return agentStartBootMs === null ? null : agentStartBootMs + timeoutMsOf(spec);
  if (state === 'finishing') return agentEndBootMs === null ? null : agentEndBootMs + workMaxMs;
  if (state === 'exited') return endBootMs === null ? null : endBootMs + sealMaxMs;
  return null;
}

const timeoutGraceMs = 10_000;

function applyTimeout(turn: Turn, attempt: Attempt): void {
  const at = timeoutBootMs(attempt);
  if (at === null || turn.nowBootMs < at) return;
  if (attempt.state === 'running') {
    stopWith(turn, attempt, {kind: 'timed_out'}, timeoutGraceMs);
  } else if (attempt.state === 'exited') {
    advance(turn, attempt, 'gone', {goneWhy: `its log was not whole on the server within ${sealMaxMs} ms`});
  } else {
    const detail = `${attempt.state} did not end within ${workMaxMs} ms`;
    stopWith(turn, attempt, {kind: 'failed', code: 'unavailable', detail, retryable: true}, 0);
  }
}

/** Of a short time a warning leaves no more than this part. */
const warningShare = 1 / 4;

/** How long before its end an attempt is warned; null where that would be too late to do anything about it. */
function warningMs(spec: Attempt['spec']): number | null {
  const ms = Math.min(limits.timeoutWarningMs, timeoutMsOf(spec) * warningShare);
  return ms < limits.timeoutWarningMinMs ? null : ms;
}

/** Once in an attempt. */
function warningBootMs(attempt: Attempt): number | null {
  const {isWarned, state, spec} = attempt;
  if (isWarned || state !== 'running') return null;
  const [endsAt, beforeMs] = [timeoutBootMs(attempt), warningMs(spec)];
  return endsAt === null || beforeMs === null ? null : endsAt - beforeMs;
}

function applyWarning(turn: Turn, attempt: Attempt): void {
  const [at, endsAt] = [warningBootMs(attempt), timeoutBootMs(attempt)];
  if (at === null || endsAt === null || turn.nowBootMs < at) return;
  const warned = put(turn, {...attempt, isWarned: true});
  emit(turn, {kind: 'warn', plan: planOf(warned), leftMs: endsAt - turn.nowBootMs});
}

function applyRetry(turn: Turn, attempt: Attempt): void {
  const {retry} = attempt;
  if (retry === null || retry.atBootMs === null || turn.nowBootMs < retry.atBootMs) return;
  const trying = put(turn, {...attempt, retry: {...retry, atBootMs: null}});
  const plan = planOf(trying);
  if (retry.verb === 'stop') emit(turn, {kind: 'stop', plan, graceMs: 0});
  else if (retry.verb === 'kill' || retry.verb === 'clean') emit(turn, {kind: retry.verb, plan});
  else if (retry.verb === 'seal') seal(turn, trying);
  else if (retry.verb === 'sign') sign(turn, trying);
}

/** An exit without an answer was lost on the way: it is sent again until it is acknowledged. */
function applyExitAgain(turn: Turn, attempt: Attempt): void {
  const at = exitAgainBootMs(stateOf(turn), attempt);
  if (at !== null && turn.nowBootMs >= at) sendExit(turn, attempt);
}

function exitAgainBootMs({config, isConnected}: RunnerState, {state, exitSentBootMs, retry}: Attempt): number | null {
  if (!isConnected || config === null || state !== 'reported' || typeof retry?.atBootMs === 'number') return null;
  return (exitSentBootMs ?? 0) + 2 * config.renew_ms;
}

function applyRenew(turn: Turn): void {
  const state = stateOf(turn);
  if (!state.isConnected || state.config === null || state.nextRenewBootMs === null) return;
  if (turn.nowBootMs < state.nextRenewBootMs) return;
  turn.change = {...turn.change, nextRenewBootMs: turn.nowBootMs + state.config.renew_ms};
  emit(turn, {kind: 'renew', ts: turn.nowBootMs, slots: statedSlots(state), items: heldItems(state)});
}

/** What the server may count on: nothing while this process drains. */
export function statedSlots({
  slots,
  isDrainedHere,
}: Pick<RunnerState, 'slots' | 'isDrainedHere'>): Readonly<Record<string, number>> {
  return {default: isDrainedHere ? 0 : slots};
}

/** The boot-clock time at which `tick` has something to decide, or null. */
export function nextWakeBootMs(state: RunnerState): number | null {
  const times = [state.isConnected ? state.nextRenewBootMs : null];
  for (const attempt of state.attempts.values()) {
    times.push(
      timeoutBootMs(attempt),
      warningBootMs(attempt),
      attempt.retry?.atBootMs ?? null,
      exitAgainBootMs(state, attempt),
    );
    times.push(...deadlinesOf(state, attempt));
  }
  const known = times.filter(time => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** Timers do not count sleep and the lease does: with attempts held, the boot clock is looked at this often. */
export const clockCheckMs = 1_000;
const idleCheckMs = 60_000;

/** How long to wait before the next `tick`, by a timer that does not count sleep. */
export function nextLookMs(state: RunnerState, nowBootMs: number): number {
  const wake = nextWakeBootMs(state);
  const checkMs = state.attempts.size > 0 ? clockCheckMs : idleCheckMs;
  return wake === null ? checkMs : Math.min(checkMs, Math.max(1, wake - nowBootMs));
}

function deadlinesOf({config, bornBootMs}: RunnerState, {state, deadlineBootMs}: Attempt): readonly number[] {
  if (config === null || deadlineBootMs === null) return [];
  const hard = deadlineBootMs - config.hard_kill_ms;
  if (stoppable.has(state)) return [hard, softStopBootMs({config, bornBootMs}, deadlineBootMs)];
  return state === 'accepted' || state === 'stopping' ? [hard] : [];
}
