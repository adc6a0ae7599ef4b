/** What the world of the model looks like at one instant, and the number that stands for it. */

export const machines = ['A', 'B'] as const;
export type Machine = (typeof machines)[number];

/** `spent`: the last epoch of the bounds is over without a result. `doneTwice` is what must never be. */
const serverPhases = ['free', 'offered', 'leased', 'done', 'doneTwice', 'spent'] as const;
/** `holder` has the current epoch; `leaseLeft` counts the ticks until the server gives the lease up. */
export type Server = {
  readonly phase: (typeof serverPhases)[number];
  readonly epoch: number;
  readonly holder: Machine;
  readonly leaseLeft: number;
};

const runnerPhases = ['idle', 'accepted', 'running', 'exited'] as const;
/**
 * A machine with its runner, its dead man's switch and at most one agent, which lives in `running`. `leaseLeft` counts
 * the ticks of its own clock until its deadline. At 0 the kill is under way: the agent may be alive until the next tick.
 */
export type Runner = {
  readonly phase: (typeof runnerPhases)[number];
  readonly epoch: number;
  readonly leaseLeft: number;
  /** The highest epoch that it ever started, kept on its disk. */
  readonly startedEpoch: number;
  readonly isSuspended: boolean;
};

const kindsToRunner = ['grant', 'offer', 'go', 'renewed', 'gone'] as const;
const kindsToServer = ['accept', 'renew', 'exit'] as const;
const messageKinds = [...kindsToRunner, ...kindsToServer] as const;
type MessageKind = (typeof messageKinds)[number];
/** `age` counts the ticks since the runner stamped it, or stamped what it answers, by the clock of that runner. */
export type Message<Kind extends MessageKind = MessageKind> = {
  readonly kind: Kind;
  readonly epoch: number;
  /** The runner that it comes from or goes to. */
  readonly runner: Machine;
  readonly age: number;
};

export type ToRunner = Message<(typeof kindsToRunner)[number]>;
export type ToServer = Message<(typeof kindsToServer)[number]>;

export type LeaseState = {
  readonly server: Server;
  readonly runners: {readonly [M in Machine]: Runner};
  /** A bag: what is in flight arrives in any order. */
  readonly network: readonly Message[];
};

/** How far the model looks. */
export type Bounds = {
  /** Length of a lease. */
  readonly leaseTicks: number;
  /** Most messages in flight; what is sent beyond is lost. */
  readonly messagesMax: number;
  readonly epochsMax: number;
};

const toRunner: ReadonlySet<string> = new Set(kindsToRunner);

export function isToRunner(message: Message): message is ToRunner {
  return toRunner.has(message.kind);
}

export function isToServer(message: Message): message is ToServer {
  return !toRunner.has(message.kind);
}

export const idle = {phase: 'idle', epoch: 0, leaseLeft: 0} as const;

export const initialState: LeaseState = {
  server: {phase: 'free', epoch: 0, holder: 'A', leaseLeft: 0},
  runners: {A: {...idle, startedEpoch: 0, isSuspended: false}, B: {...idle, startedEpoch: 0, isSuspended: false}},
  network: [],
};

export type StateCode = {readonly encode: (state: LeaseState) => number; readonly decode: (key: number) => LeaseState};

/** A number with a digit for each field, each in a base as large as the field has values. */
export function stateCode({leaseTicks, messagesMax, epochsMax}: Bounds, graceTicks: number): StateCode {
  const epochs = epochsMax + 1;
  const ticks = leaseTicks + 1;
  const serverTicks = ticks + graceTicks;
  const messages = messageKinds.length * epochs * machines.length * ticks;
  const machineStates = runnerPhases.length * epochs * ticks * epochs * 2;
  const serverStates = serverPhases.length * epochs * machines.length * serverTicks;
  // 0 stands for no message.
  const networkStates = (messages + 1) ** messagesMax;
  if (serverStates * machineStates ** 2 * networkStates > Number.MAX_SAFE_INTEGER)
    throw new Error('a state of these bounds does not fit into a number');

  const messageNumber = ({kind, epoch, runner, age}: Message): number =>
    1 + age + ticks * (machines.indexOf(runner) + machines.length * (epoch + epochs * messageKinds.indexOf(kind)));
  const serverNumber = ({phase, epoch, holder, leaseLeft}: Server): number =>
    leaseLeft +
    serverTicks * (machines.indexOf(holder) + machines.length * (epoch + epochs * serverPhases.indexOf(phase)));
  const runnerNumber = ({phase, epoch, leaseLeft, startedEpoch, isSuspended}: Runner): number =>
    Number(isSuspended) +
    2 * (startedEpoch + epochs * (leaseLeft + ticks * (epoch + epochs * runnerPhases.indexOf(phase))));

  const digitsOf = (number: number): ((base: number) => number) => {
    let rest = number;
    return base => {
      const digit = rest % base;
      rest = (rest - digit) / base;
      return digit;
    };
  };
  const messageOf = (number: number): Message => {
    const next = digitsOf(number);
    const [age, runner, epoch] = [next(ticks), next(machines.length), next(epochs)];
    return {kind: at(messageKinds, next(messageKinds.length)), epoch, runner: at(machines, runner), age};
  };
  const serverOf = (number: number): Server => {
    const next = digitsOf(number);
    const [leaseLeft, holder, epoch] = [next(serverTicks), next(machines.length), next(epochs)];
    return {phase: at(serverPhases, next(serverPhases.length)), epoch, holder: at(machines, holder), leaseLeft};
  };
  const runnerOf = (number: number): Runner => {
    const next = digitsOf(number);
    const [suspended, startedEpoch, leaseLeft, epoch] = [next(2), next(epochs), next(ticks), next(epochs)];
    const phase = at(runnerPhases, next(runnerPhases.length));
    return {phase, epoch, leaseLeft, startedEpoch, isSuspended: suspended === 1};
  };

  const all = <Value>(count: number, valueOf: (number: number) => Value): readonly Value[] =>
    Array.from({length: count}, (_, number) => valueOf(number));
  const allMessages = all(messages, messageOf);
  const [allRunners, allServers] = [all(machineStates, runnerOf), all(serverStates, serverOf)];

  return {
    encode: ({server, runners, network}) => {
      let key = serverNumber(server);
      for (const machine of machines) key = key * machineStates + runnerNumber(runners[machine]);
      // Sorted, because a bag has no order.
      const numbers = network.map(messageNumber).toSorted((left, right) => left - right);
      for (let place = 0; place < messagesMax; place++) key = key * (messages + 1) + (numbers[place] ?? 0);
      return key;
    },
    decode: key => {
      const next = digitsOf(key);
      const network: Message[] = [];
      for (let place = 0; place < messagesMax; place++) {
        const number = next(messages + 1);
        if (number > 0) network.push(at(allMessages, number - 1));
      }
      const [B, A] = [at(allRunners, next(machineStates)), at(allRunners, next(machineStates))];
      return {server: at(allServers, next(serverStates)), runners: {A, B}, network};
    },
  };
}

function at<Value>(values: readonly Value[], index: number): Value {
  const value = values[index];
  if (value === undefined) throw new Error(`no value has the number ${index}`);
  return value;
}
