import type {Model} from './checker.ts';
import type {Variant} from './lease-designs.ts';
import {countsAges, hasRoom, older, withRunner, type LeaseStep, type Rules} from './lease-rules.ts';
import {runnerReceives, runnerSteps} from './lease-runner.ts';
import {serverReceives, serverSteps} from './lease-server.ts';
import {
  idle,
  initialState,
  isToRunner,
  isToServer,
  machines,
  stateCode,
  type Bounds,
  type LeaseState,
  type Message,
  type Runner,
} from './lease-state.ts';

export const twoAgents = 'two agents at once';
export const twoResults = 'two results accepted';
export const neverEnds = 'a state that can never end';
export const neverSucceeds = 'an epoch is left, but no result can come of it';

/** Enough for every known counterexample, and small enough to be looked at as a whole in seconds. */
export const usualBounds: Bounds = {leaseTicks: 3, messagesMax: 2, epochsMax: 2};

/**
 * One task, a server, two machines, and a network that loses, repeats and reorders. Nothing knows what time it is: every
 * lease, deadline and stamp is kept as the ticks to or from it, so that time without end has finitely many states.
 */
export function leaseModel({design, suspends}: Variant, bounds: Bounds): Model<LeaseState> {
  const rules: Rules = {...design, ...bounds, suspends};
  return {
    initial: initialState,
    ...stateCode(bounds, design.graceTicks),
    steps: state => [
      ...serverSteps(rules, state),
      ...machines.flatMap(machine => runnerSteps(rules, state, machine)),
      ...networkSteps(rules, state),
      {words: 'tick', to: tick(rules, state)},
    ],
    laws: [
      {broken: twoAgents, holds: ({runners}) => !(isAtWork(runners.A) && isAtWork(runners.B))},
      {broken: twoResults, holds: ({server}) => server.phase !== 'doneTwice'},
    ],
    goals: [
      {
        broken: neverEnds,
        from: () => true,
        to: state => isOver(state) && machines.every(machine => state.runners[machine].phase === 'idle'),
      },
      {
        broken: neverSucceeds,
        from: state => !isOver(state) && state.server.epoch < bounds.epochsMax,
        to: ({server}) => server.phase === 'done',
      },
    ],
  };
}

/** An agent of a suspended machine does nothing. */
function isAtWork({phase, isSuspended}: Runner): boolean {
  return phase === 'running' && !isSuspended;
}

function isOver({server}: LeaseState): boolean {
  return server.phase === 'done' || server.phase === 'spent';
}

function networkSteps(rules: Rules, state: LeaseState): readonly LeaseStep[] {
  return state.network.flatMap((message, place) => {
    // Two copies of the same message are as good as each other.
    if (isSame(message, state.network[place - 1])) return [];
    const named = `${message.kind} ${message.epoch} ${isToServer(message) ? 'of' : 'to'} ${message.runner}`;
    const less: LeaseState = {...state, network: state.network.toSpliced(place, 1)};
    const lost = {words: `the network loses ${named}`, to: less};
    const repeated = {words: `the network repeats ${named}`, to: {...state, network: [...state.network, message]}};
    return [...deliver(rules, less, message), lost, ...(hasRoom(rules, state) ? [repeated] : [])];
  });
}

function isSame(one: Message, other: Message | undefined): boolean {
  if (other === undefined) return false;
  return one.kind === other.kind && one.epoch === other.epoch && one.runner === other.runner && one.age === other.age;
}

function deliver(rules: Rules, state: LeaseState, message: Message): readonly LeaseStep[] {
  if (isToServer(message)) return [serverReceives(rules, state, message)];
  return isToRunner(message) && !state.runners[message.runner].isSuspended
    ? [runnerReceives(rules, state, message)]
    : [];
}

/** All clocks go at the same rate. One that sleeps with its machine stops, and so do the stamps that it gave. */
function tick(rules: Rules, state: LeaseState): LeaseState {
  const stands = (runner: Runner): boolean => runner.isSuspended && rules.clock === 'monotonic';
  const ages = (message: Message): boolean =>
    countsAges(rules) && hasStamp(message) && !stands(state.runners[message.runner]);
  const later: LeaseState = {
    ...state,
    server: {...state.server, leaseLeft: Math.max(0, state.server.leaseLeft - 1)},
    network: state.network.map(message => (ages(message) ? older(rules, message) : message)),
  };
  if (!rules.selfFence) return later;
  return machines.reduce((at, machine) => {
    const runner = at.runners[machine];
    if (runner.phase !== 'running' || stands(runner)) return at;
    if (runner.leaseLeft > 0) return withRunner(at, machine, {leaseLeft: runner.leaseLeft - 1});
    return runner.isSuspended ? at : withRunner(at, machine, idle);
  }, later);
}

function hasStamp({kind}: Message): boolean {
  return kind === 'accept' || kind === 'go' || kind === 'renew' || kind === 'renewed';
}
