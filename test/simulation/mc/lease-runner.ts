import {hasRoom, send, withRunner, type LeaseStep, type Rules} from './lease-rules.ts';
import {idle, type LeaseState, type Machine, type Runner, type ToRunner} from './lease-state.ts';

/** What a machine does by itself. A suspended one does nothing but resume. */
export function runnerSteps(rules: Rules, state: LeaseState, machine: Machine): readonly LeaseStep[] {
  const runner = state.runners[machine];
  if (runner.isSuspended) return [resume(rules, state, machine)];
  return [...phaseSteps(rules, state, machine), ...(rules.suspends ? [suspend(state, machine)] : [])];
}

function phaseSteps(rules: Rules, state: LeaseState, machine: Machine): readonly LeaseStep[] {
  const {phase, epoch} = state.runners[machine];
  const says = (kind: 'accept' | 'renew' | 'exit', words: string, change: Partial<Runner> = {}): LeaseStep => {
    const network = send(rules, state.network, {kind, epoch, runner: machine, age: 0});
    return {words: `${machine} ${words}`, to: withRunner({...state, network}, machine, change)};
  };
  const mayRepeat = hasRoom(rules, state);
  switch (phase) {
    case 'idle':
      return [];
    case 'accepted':
      return mayRepeat ? [says('accept', `accepts epoch ${epoch} again`)] : [];
    case 'exited':
      return mayRepeat ? [says('exit', `sends exit ${epoch} again`)] : [];
    case 'running': {
      if (isPastDeadline(rules, state.runners[machine]))
        return [{words: `${machine} kills its agent at the deadline`, to: withRunner(state, machine, idle)}];
      const ends = says('exit', `ends its agent and sends exit ${epoch}`, {phase: 'exited', leaseLeft: 0});
      return mayRepeat ? [ends, says('renew', `sends renew ${epoch}`)] : [ends];
    }
  }
}

function isPastDeadline({selfFence}: Rules, {phase, leaseLeft}: Runner): boolean {
  return selfFence && phase === 'running' && leaseLeft === 0;
}

function suspend(state: LeaseState, machine: Machine): LeaseStep {
  return {words: `the machine of ${machine} is suspended`, to: withRunner(state, machine, {isSuspended: true})};
}

function resume(rules: Rules, state: LeaseState, machine: Machine): LeaseStep {
  const words = `the machine of ${machine} resumes`;
  if (rules.checksBeforeResume && isPastDeadline(rules, state.runners[machine]))
    return {
      words: `${words}; its agent is killed first`,
      to: withRunner(state, machine, {...idle, isSuspended: false}),
    };
  return {words, to: withRunner(state, machine, {isSuspended: false})};
}

/** The message has left the network of `state`, and the machine is awake. */
export function runnerReceives(rules: Rules, state: LeaseState, message: ToRunner): LeaseStep {
  const received = {message, words: `${message.runner} receives ${message.kind} ${message.epoch}`};
  return heard(rules, state, received) ?? {words: `${received.words} and ignores it`, to: state};
}

function heard(rules: Rules, state: LeaseState, received: Received): LeaseStep | undefined {
  const {kind, epoch, runner: machine} = received.message;
  const {phase, epoch: heldEpoch, startedEpoch} = state.runners[machine];
  const holds = phase !== 'idle' && heldEpoch === epoch;
  switch (kind) {
    case 'grant':
      return epoch > startedEpoch ? starts(rules, state, received) : undefined;
    case 'offer':
      // One attempt at a time: a machine with an agent lets the offer run out.
      return phase === 'running' || epoch < heldEpoch || epoch <= startedEpoch
        ? undefined
        : accepts(rules, state, received);
    case 'go':
      return holds && phase === 'accepted' ? goes(rules, state, received) : undefined;
    case 'renewed':
      return holds && phase === 'running' ? renews(rules, state, received) : undefined;
    case 'gone':
      return holds
        ? {words: `${received.words} and ends what it held`, to: withRunner(state, machine, idle)}
        : undefined;
  }
}

type Received = {readonly message: ToRunner; readonly words: string};

function accepts(rules: Rules, state: LeaseState, {message, words}: Received): LeaseStep {
  const network = send(rules, state.network, {...message, kind: 'accept', age: 0});
  const accepted = {phase: 'accepted', epoch: message.epoch, leaseLeft: 0} as const;
  return {words: `${words} and accepts`, to: withRunner({...state, network}, message.runner, accepted)};
}

function goes(rules: Rules, state: LeaseState, received: Received): LeaseStep {
  if (leaseFrom(rules, received.message) > 0) return starts(rules, state, received);
  return {words: `${received.words}, which is too late`, to: withRunner(state, received.message.runner, idle)};
}

/** An agent of an older epoch on the same machine is ended first. */
function starts(rules: Rules, state: LeaseState, {message, words}: Received): LeaseStep {
  const {epoch, runner: machine} = message;
  const running = {phase: 'running', epoch, leaseLeft: leaseFrom(rules, message), startedEpoch: epoch} as const;
  return {words: `${words} and starts its agent`, to: withRunner(state, machine, running)};
}

/** A deadline only moves outwards, and not once it has passed. */
function renews(rules: Rules, state: LeaseState, {message, words}: Received): LeaseStep | undefined {
  const runner = state.runners[message.runner];
  if (isPastDeadline(rules, runner)) return undefined;
  const leaseLeft = Math.max(runner.leaseLeft, leaseFrom(rules, message));
  return {words: `${words} and moves its deadline`, to: withRunner(state, message.runner, {leaseLeft})};
}

/** Ticks until the deadline that this message gives. A grant answers nothing, so it carries no time to count from. */
function leaseFrom({deadlineFrom, leaseTicks}: Rules, {kind, age}: ToRunner): number {
  return deadlineFrom === 'receipt' || kind === 'grant' ? leaseTicks : leaseTicks - age;
}
