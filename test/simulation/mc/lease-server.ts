import {send, type LeaseStep, type Rules} from './lease-rules.ts';
import {machines, type LeaseState, type Server, type ToServer} from './lease-state.ts';

/** What the server does by itself. */
export function serverSteps(rules: Rules, state: LeaseState): readonly LeaseStep[] {
  const {phase, epoch, leaseLeft} = state.server;
  if (phase === 'free' && epoch < rules.epochsMax) return dispatch(rules, state);
  if (phase === 'offered') return [giveUp(rules, state, `the server takes the offer of epoch ${epoch} back`)];
  if (phase === 'leased' && leaseLeft === 0)
    return [giveUp(rules, state, `the server's lease of epoch ${epoch} expires`)];
  return [];
}

function dispatch(rules: Rules, {server, runners, network}: LeaseState): readonly LeaseStep[] {
  const epoch = server.epoch + 1;
  const kind = rules.startOn === 'grant' ? 'grant' : 'offer';
  // The machines are alike: the one that gets the first epoch is called A.
  return machines.slice(0, epoch === 1 ? 1 : 2).map(holder => ({
    words: `the server ${kind}s epoch ${epoch} to ${holder}`,
    to: {
      server:
        kind === 'grant'
          ? leasedTo(rules, {...server, epoch, holder})
          : {phase: 'offered', epoch, holder, leaseLeft: 0},
      runners,
      network: send(rules, network, {kind, epoch, runner: holder, age: 0}),
    },
  }));
}

function leasedTo({leaseTicks, graceTicks}: Rules, server: Server): Server {
  return {...server, phase: 'leased', leaseLeft: leaseTicks + graceTicks};
}

/** The task may go to anybody; the holder hears of it, or not. */
function giveUp(rules: Rules, {server, runners, network}: LeaseState, words: string): LeaseStep {
  const {epoch, holder} = server;
  return {
    words,
    to: {
      server: {phase: epoch < rules.epochsMax ? 'free' : 'spent', epoch, holder: 'A', leaseLeft: 0},
      runners,
      network: send(rules, network, {kind: 'gone', epoch, runner: holder, age: 0}),
    },
  };
}

/** The message has left the network of `state`. */
export function serverReceives(rules: Rules, state: LeaseState, message: ToServer): LeaseStep {
  const words = `the server receives ${message.kind} ${message.epoch} of ${message.runner}`;
  if (!isCurrent(rules, state.server, message))
    return rules.serverFence ? fenced(rules, state, {message, words}) : {words, to: state};
  switch (message.kind) {
    case 'accept':
      return granted(rules, state, {message, words: `${words}, gives the lease and sends go`, answer: 'go'});
    case 'renew':
      return granted(rules, state, {message, words: `${words} and renews the lease`, answer: 'renewed'});
    case 'exit':
      return {words: `${words} and accepts the result`, to: {...state, server: finished(state.server)}};
  }
}

/** Whether the server acts on it. Without a fence any result counts, and any renewal of whatever is leased. */
function isCurrent({serverFence}: Rules, {phase, epoch, holder}: Server, message: ToServer): boolean {
  if (!serverFence && message.kind === 'exit') return true;
  if (serverFence && (message.epoch !== epoch || message.runner !== holder)) return false;
  return phase === 'leased' || (phase === 'offered' && message.kind === 'accept');
}

type Received = {readonly message: ToServer; readonly words: string};

function fenced(rules: Rules, state: LeaseState, {message, words}: Received): LeaseStep {
  const network = send(rules, state.network, {...message, kind: 'gone', age: 0});
  return {words: `${words} and answers gone`, to: {...state, network}};
}

/** The answer carries the runner's own time back to it. */
function granted(
  rules: Rules,
  state: LeaseState,
  {message, words, answer}: Received & {readonly answer: 'go' | 'renewed'},
): LeaseStep {
  const network = send(rules, state.network, {...message, kind: answer});
  return {words, to: {...state, server: leasedTo(rules, state.server), network}};
}

function finished({phase, epoch}: Server): Server {
  return {phase: phase === 'done' ? 'doneTwice' : 'done', epoch, holder: 'A', leaseLeft: 0};
}
