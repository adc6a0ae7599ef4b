import type {AttemptResult} from '@switchyard/shared/protocol/exit-record.ts';
import {attemptKey, inputsKept, planOf, type Attempt, type AttemptRef, type WorkVerb} from './attempt-state.ts';
import type {Completion, Said} from './attempt-work.ts';
import type {WorkAnswer, WorkFailure} from './runner-state.ts';
import {advance, emit, put, refuse, reportLater, retryLater, sendExit, sign, stateOf, type Turn} from './turn.ts';

export function onAnswer(turn: Turn, of: AttemptRef, answer: WorkAnswer): void {
  const attempt = turn.attempts.get(attemptKey(of));
  if (attempt === undefined) {
    refuse(turn, of, answer.verb);
    return;
  }
  switch (answer.verb) {
    case 'prepare':
      if (answer.result === null) advance(turn, attempt, 'prepared');
      else onFinished(turn, attempt, 'preparing', {result: answer.result});
      return;
    case 'run':
      onAgentEnd(turn, attempt, answer.end);
      return;
    case 'finish':
      onFinished(turn, attempt, 'finishing', answer.completion);
      return;
    case 'stop':
      advance(turn, attempt, 'stopped', {isDead: true});
      return;
    case 'kill':
      onKilled(turn, attempt);
      return;
    case 'clean':
      advance(turn, attempt, 'cleaned', {isDead: true});
      return;
    case 'seal':
      if (attempt.state === 'exited' || attempt.state === 'reported')
        sign(turn, put(turn, {...attempt, sealed: answer.sealed}));
      else refuse(turn, of, 'seal');
      return;
    case 'sign':
      onSigned(turn, attempt, answer.record);
      return;
    case 'failed':
      onFailed(turn, attempt, answer);
      return;
  }
}

function onAgentEnd(turn: Turn, attempt: Attempt, end: NonNullable<Attempt['agentEnd']>): void {
  const seen = {agentEnd: end, agentEndBootMs: turn.nowBootMs};
  // The code and signal of an agent that was stopped belong into its record; they change nothing else.
  if (attempt.state === 'stopping' && attempt.agentEnd === null) put(turn, {...attempt, ...seen});
  else if (attempt.state === 'running' && wasAskedByShim(turn, attempt, end))
    stopWith(turn, {...attempt, ...seen}, leaseLost, 0);
  else if (attempt.state === 'running' && end.result !== null) stopWith(turn, {...attempt, ...seen}, end.result, 0);
  else advance(turn, attempt, 'agentEnded', seen);
}

export const leaseLost = {
  kind: 'failed',
  code: 'lease_lost',
  detail: 'the lease was not renewed in time: no contact with the control plane',
  retryable: true,
} as const;

/** The shim asks at the soft stop, whether or not a runner is there: an agent that ends badly after it has obeyed. */
function wasAskedByShim(turn: Turn, {deadlineBootMs}: Attempt, {exitCode}: NonNullable<Attempt['agentEnd']>): boolean {
  const {config} = stateOf(turn);
  if (config === null || deadlineBootMs === null || exitCode === 0) return false;
  return turn.nowBootMs >= deadlineBootMs - config.soft_stop_ms;
}

/** Answers for another state than the one that asked come from before a stop or a fence, and are too late. */
function onFinished(
  turn: Turn,
  attempt: Attempt,
  asked: Attempt['state'],
  {result, git = null, outcome = null}: Pick<Completion, 'result' | 'outcome'> & {readonly git?: Attempt['git']},
): void {
  if (attempt.state !== asked) refuse(turn, attempt, 'finished');
  else advance(turn, attempt, 'finished', {result: attempt.result ?? result, git, outcome});
}

function onKilled(turn: Turn, attempt: Attempt): void {
  if (attempt.state !== 'fenced') {
    refuse(turn, attempt, 'kill');
    return;
  }
  put(turn, {...attempt, isDead: true, retry: null});
  emit(turn, {kind: 'clean', plan: planOf(attempt)});
}

function onSigned(turn: Turn, attempt: Attempt, record: string): void {
  if (attempt.state === 'exited') advance(turn, attempt, 'logSealed', {record});
  else if (attempt.state === 'reported') sendExit(turn, put(turn, {...attempt, record}));
  else refuse(turn, attempt, 'sign');
}

function onFailed(turn: Turn, attempt: Attempt, {of, failure}: {of: WorkVerb; failure: WorkFailure}): void {
  const text = `${of} failed: ${failure.code}: ${failure.detail}`;
  emit(turn, {kind: 'notice', of: {task: attempt.task, epoch: attempt.epoch}, text});
  if (of === 'prepare' || of === 'run' || of === 'finish') {
    const asked = {prepare: 'preparing', run: 'running', finish: 'finishing'}[of];
    if (attempt.state === asked) stopWith(turn, attempt, resultOf(failure), 0);
    return;
  }
  if (of === 'seal' && (attempt.state === 'exited' || attempt.state === 'reported') && isLogLost(failure)) {
    advance(turn, attempt, 'gone', {goneWhy: failure.detail.slice(0, 200)});
    return;
  }
  tryAgain(turn, attempt, {of, failure});
}

/** The states that a verb belongs to which must succeed in the end. */
const retried: Readonly<Partial<Record<WorkVerb, readonly Attempt['state'][]>>> = {
  stop: ['stopping'],
  kill: ['fenced'],
  clean: ['fenced'],
  seal: ['exited', 'reported'],
  sign: ['exited', 'reported'],
};

function tryAgain(turn: Turn, attempt: Attempt, {of, failure}: {of: WorkVerb; failure: WorkFailure}): void {
  if (retried[of]?.includes(attempt.state) !== true) return;
  if (of === 'sign') reportLater(turn, attempt, of, failure.detail);
  else retryLater(turn, attempt, of);
}

/**
 * The log can never be whole: the server takes nothing more of it, or holds other bytes than this machine. An exit needs
 * the whole log, so none will ever be accepted; the lease is let go instead, and the task is queued again when it ends.
 */
function isLogLost({code}: WorkFailure): boolean {
  return code === 'lease_lost' || code === 'state_corrupt';
}

function resultOf({code, detail, retryable, retryAfterMs}: WorkFailure): AttemptResult {
  return {
    kind: 'failed',
    code,
    detail: detail.slice(0, 4_000),
    retryable,
    ...(retryAfterMs === undefined ? {} : {retry_after_ms: Math.max(0, Math.round(retryAfterMs))}),
  };
}

/** Ends an attempt that has its result already: whatever lives of it is stopped before it is reported. */
export function stopWith(turn: Turn, attempt: Attempt, result: AttemptResult, graceMs: number): void {
  const killAt = turn.nowBootMs + graceMs;
  advance(turn, attempt, 'stopRequested', {
    result: attempt.result ?? result,
    agentEnd: attempt.agentEnd,
    agentEndBootMs: attempt.agentEndBootMs,
    stopKillBootMs: Math.min(attempt.stopKillBootMs ?? killAt, killAt),
  });
}

/** At most once per sequence number: the journal knows of the delivery before it is tried. */
export function onInput(turn: Turn, input: AttemptRef & Said): void {
  const attempt = turn.attempts.get(attemptKey(input));
  if (attempt === undefined) {
    refuse(turn, input, 'input');
    return;
  }
  const known = attempt.inputs.find(({seq}) => seq === input.seq);
  if (known === undefined && attempt.state === 'running' && !attempt.isHeldBack) {
    put(turn, {...attempt, inputs: [...attempt.inputs.slice(1 - inputsKept), {seq: input.seq, delivered: null}]});
    const {seq, data, interrupt} = input;
    emit(turn, {kind: 'input', plan: planOf(attempt), seq, data, interrupt});
  } else if (known?.delivered !== null) {
    acknowledgeInput(turn, attempt, {seq: input.seq, delivered: known?.delivered ?? false});
  }
}

export function onInputDone(turn: Turn, of: AttemptRef, done: {seq: number; delivered: boolean}): void {
  const attempt = turn.attempts.get(attemptKey(of));
  if (attempt === undefined) return;
  const inputs = attempt.inputs.map(each => (each.seq === done.seq ? done : each));
  acknowledgeInput(turn, put(turn, {...attempt, inputs}), done);
}

function acknowledgeInput(
  turn: Turn,
  {task, epoch}: Attempt,
  {seq, delivered}: {seq: number; delivered: boolean},
): void {
  emit(turn, {kind: 'send', message: {t: 'input_ack', task, epoch, seq, delivered}});
}
