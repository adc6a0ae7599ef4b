import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {
  attemptMachine,
  attemptStates,
  type AttemptEvent,
  type AttemptState,
} from '@switchyard/shared/machine/attempt-machine.ts';
import {step, terminalStates} from '@switchyard/shared/machine/machine.ts';
import {
  finishedTaskStates,
  isFinished,
  taskMachine,
  taskStates,
  type TaskEvent,
  type TaskFacts,
  type TaskState,
} from '@switchyard/shared/machine/task-machine.ts';

type Arrow = {
  readonly from: string;
  readonly event: string;
  readonly to: string;
  readonly when?: string;
  readonly run?: readonly string[];
};
type States = {
  readonly [state: string]: {
    readonly [event: string]: readonly {
      readonly when?: string;
      readonly to: string;
      readonly run?: readonly string[];
    }[];
  };
};

const listsOf = (table: States): Arrow[][] =>
  Object.entries(table).flatMap(([from, events]) =>
    Object.entries(events).map(([event, arrows]) => arrows.map(arrow => ({from, event, ...arrow}))),
  );
const arrowsOf = (table: States): Arrow[] => listsOf(table).flat();

/** Every state that can be reached over arrows of the table, `from` included. */
function reachableFrom(table: States, from: string): ReadonlySet<string> {
  const reached = new Set([from]);
  for (const state of reached) for (const {from: start, to} of arrowsOf(table)) if (start === state) reached.add(to);
  return reached;
}

const taskEvents: Record<TaskEvent, true> = {
  ready: true,
  dependencyFailed: true,
  deadlinePassed: true,
  offered: true,
  offerReturned: true,
  offerRefused: true,
  withheld: true,
  accepted: true,
  exited: true,
  leaseExpired: true,
  decided: true,
  cancelRequested: true,
};
const attemptEvents: Record<AttemptEvent, true> = {
  accepted: true,
  go: true,
  prepared: true,
  agentEnded: true,
  finished: true,
  stopRequested: true,
  stopped: true,
  logSealed: true,
  exitAcknowledged: true,
  gone: true,
  deadlinePassed: true,
  cleaned: true,
};
const keysOf = <Key extends string>(record: Record<Key, true>): fc.Arbitrary<Key> =>
  fc.constantFrom(...(Object.keys(record) as Key[]));

const facts: fc.Arbitrary<TaskFacts> = fc.record({
  failures: fc.nat({max: 6}),
  attemptsMax: fc.integer({min: 1, max: 5}),
  result: fc.constantFrom('succeeded', 'failed', 'timed_out', 'cancelled', 'interrupted', 'waiting', undefined),
  hasOpenAsks: fc.constantFrom(true, false, undefined),
  retryable: fc.constantFrom(true, false, undefined),
});
const taskRun = fc.array(fc.record({event: keysOf(taskEvents), facts}), {maxLength: 60});
const attemptRun = fc.array(keysOf(attemptEvents), {maxLength: 60});

describe.each([
  {
    name: 'task',
    states: taskStates,
    initial: taskMachine.initial,
    table: taskMachine.table,
    guards: taskMachine.guards,
  },
  {name: 'attempt', states: attemptStates, initial: attemptMachine.initial, table: attemptMachine.table, guards: {}},
])('the table of the $name', ({states, initial, table, guards}) => {
  const drawn: States = table;

  test('[MA5] names every state once and reaches each of them from the first', () => {
    expect(Object.keys(drawn)).toEqual([...states]);
    expect([...reachableFrom(drawn, initial)].toSorted()).toEqual([...states].toSorted());
  });

  test('[MA6] leaves no event of a state to chance: the last arrow has no guard, the others have', () => {
    for (const list of listsOf(drawn)) {
      expect(list.map(({when}) => when === undefined)).toEqual(list.map((_, index) => index === list.length - 1));
    }
  });

  test('[MA6] uses every guard it defines', () => {
    const used = new Set(arrowsOf(drawn).flatMap(({when}) => (when === undefined ? [] : [when])));
    expect([...used].toSorted()).toEqual(Object.keys(guards).toSorted());
  });

  test('[MA7] leads from every state to an end', () => {
    const ends = terminalStates(drawn);
    for (const state of states) {
      expect(
        [...reachableFrom(drawn, state)].some(reached => ends.has(reached)),
        state,
      ).toBe(true);
    }
  });
});

describe('a task', () => {
  const unfinished = taskStates.filter(state => !isFinished(state));

  test('[MA8] accepts no event once it is finished', () => {
    expect([...finishedTaskStates].toSorted()).toEqual(['cancelled', 'dead', 'failed', 'succeeded', 'timed_out']);
    for (const state of finishedTaskStates) expect(Object.keys(taskMachine.table[state])).toEqual([]);
  });

  test.for(unfinished)('[MA9] can be cancelled while it is %s', state => {
    const drawn: States = taskMachine.table;
    const taken = step(taskMachine, state, 'cancelRequested', {failures: 0, attemptsMax: 1});
    if (!taken.taken) throw new Error(`refused: ${taken.refused}`);
    // One that a runner may hold stays unfinished until the agent is known to be dead.
    expect(taken.to).toBe(state === 'leased' || state === 'cancelling' ? 'cancelling' : 'cancelled');
    expect([...reachableFrom(drawn, taken.to)].filter(reached => finishedTaskStates.has(reached as TaskState))).toEqual(
      ['cancelled'],
    );
  });

  test('[MA10] finishes at most once, says so exactly then, and never changes afterwards', () => {
    const property = fc.property(taskRun, run => {
      let state: TaskState = taskMachine.initial;
      let finishes = 0;
      for (const {event, facts: seen} of run) {
        const taken = step(taskMachine, state, event, seen);
        if (!taken.taken) continue;
        expect(isFinished(state)).toBe(false);
        expect(taken.effects.includes('finish')).toBe(isFinished(taken.to));
        if (isFinished(taken.to)) finishes += 1;
        state = taken.to;
      }
      expect(finishes).toBe(isFinished(state) ? 1 : 0);
    });
    fc.assert(property, {numRuns: 2_000});
  });

  test('[MA11] starts only when a runner accepted its offer', () => {
    const into = arrowsOf(taskMachine.table).filter(({from, to}) => to === 'leased' && from !== 'leased');
    expect(into).toEqual([{from: 'offered', event: 'accepted', to: 'leased', run: ['sendGo']}]);
    for (const {event, run = []} of arrowsOf(taskMachine.table))
      expect(run.includes('sendGo')).toBe(event === 'accepted');
  });

  test('[MA12] that a runner may still hold leaves it only with an answer from it, or with gone', () => {
    const held = ['offered', 'leased', 'cancelling'];
    const leaving = arrowsOf(taskMachine.table).filter(({from, to}) => held.includes(from) && !held.includes(to));
    const answered = leaving.filter(({event}) => event === 'exited' || event === 'offerRefused');
    for (const {event, run = []} of leaving.filter(arrow => !answered.includes(arrow))) {
      expect(run, event).toContain('sendGone');
    }
    expect(answered.length).toBeGreaterThan(0);
  });

  test('[MA13] burns an attempt by a failure or a lost lease, not by a refusal, an expired offer, a stop on purpose, a wait for a person or one for a budget', () => {
    const drawn = arrowsOf(taskMachine.table);
    const retries = drawn.filter(({run = []}) => run.includes('scheduleRetry'));
    expect(retries.map(({event, when}) => [event, when])).toEqual([
      ['withheld', 'parked'],
      ['exited', 'parked'],
      ['exited', 'attemptsLeft'],
      ['leaseExpired', 'attemptsLeft'],
    ]);
    for (const {run = [], to, when} of retries)
      expect([run.includes('recordFailure'), to]).toEqual([when !== 'parked', 'pending']);
    const requeues = drawn.filter(({run = []}) => run.includes('requeue'));
    expect(requeues.map(({event, when}) => when ?? event)).toEqual([
      'offerReturned',
      'exitInterrupted',
      'exitWaiting',
      'decided',
    ]);
    for (const {run = []} of requeues) expect(run).not.toContain('recordFailure');
  });

  test.for([
    {facts: {result: 'succeeded'}, to: 'succeeded'},
    {facts: {result: 'interrupted'}, to: 'queued'},
    {facts: {result: 'cancelled'}, to: 'cancelled'},
    {facts: {result: 'timed_out', retryable: true}, to: 'timed_out'},
    {facts: {result: 'failed', retryable: false}, to: 'failed'},
    {facts: {result: 'failed', retryable: true}, to: 'pending'},
    {facts: {result: 'failed', retryable: true, failures: 4}, to: 'dead'},
  ] as const)('[MA14] whose exit says $facts becomes $to', ({facts: seen, to}) => {
    const all: TaskFacts = {failures: 0, attemptsMax: 5, ...seen};
    expect(step(taskMachine, 'leased', 'exited', all)).toMatchObject({taken: true, to});
    expect(step(taskMachine, 'cancelling', 'exited', all)).toMatchObject({taken: true, to: 'cancelled'});
  });

  test.for([1, 2, 5])('[MA14] that may have %i attempts has no more', attemptsMax => {
    for (const event of ['exited', 'leaseExpired'] as const) {
      const ends = Array.from({length: attemptsMax}, (_, failures) => {
        const taken = step(taskMachine, 'leased', event, {failures, attemptsMax, result: 'failed', retryable: true});
        return taken.taken ? taken.to : taken.refused;
      });
      expect(ends).toEqual([...ends.slice(1).map(() => 'pending'), 'dead']);
    }
  });
});

describe('an attempt', () => {
  const drawn: States = attemptMachine.table;
  /** Nothing is held of an offer that was not accepted. */
  const idle: ReadonlySet<AttemptState> = new Set(['offered', 'fenced', 'collected']);
  const live = attemptStates.filter(state => !idle.has(state));

  test('[MA15] reaches preparing by go alone, and only once it was accepted', () => {
    const into = arrowsOf(drawn).filter(({to}) => to === 'preparing');
    expect(into).toEqual([{from: 'accepted', event: 'go', to: 'preparing', run: ['prepare']}]);
    const launches = arrowsOf(drawn).filter(({run = []}) => run.includes('launch'));
    expect(launches).toEqual([{from: 'preparing', event: 'prepared', to: 'running', run: ['launch']}]);
  });

  test('[MA16] is launched at most once, whatever happens in whatever order', () => {
    const property = fc.property(attemptRun, run => {
      let state: AttemptState = attemptMachine.initial;
      const effects: string[] = [];
      let went = false;
      for (const event of run) {
        const taken = step(attemptMachine, state, event, undefined);
        if (!taken.taken) continue;
        went ||= event === 'go';
        effects.push(...taken.effects);
        state = taken.to;
      }
      const times = (effect: string) => effects.filter(each => each === effect).length;
      expect(times('launch')).toBeLessThanOrEqual(times('prepare'));
      expect(times('prepare')).toBe(went ? 1 : 0);
      expect(times('sealLog')).toBeLessThanOrEqual(1);
      expect(times('sendExit')).toBeLessThanOrEqual(times('sealLog'));
    });
    fc.assert(property, {numRuns: 2_000});
  });

  test.for(live)('[MA17] that is %s never reports after gone', state => {
    const taken = step(attemptMachine, state, 'gone', undefined);
    if (!taken.taken) throw new Error(`refused: ${taken.refused}`);
    const after = reachableFrom(drawn, taken.to);
    const effects = arrowsOf(drawn).flatMap(({from, run = []}) => (after.has(from) ? run : []));
    expect([...taken.effects, ...effects]).not.toContain('sendExit');
    expect([...after].filter(reached => reached !== 'fenced')).toEqual(['collected']);
  });

  test.for(['preparing', 'running', 'finishing', 'stopping'] as const)(
    '[MA18] that is %s is killed when it is gone or past its deadline',
    state => {
      for (const event of ['gone', 'deadlinePassed'] as const) {
        expect(step(attemptMachine, state, event, undefined)).toEqual({
          taken: true,
          to: 'fenced',
          effects: ['killNow'],
        });
      }
    },
  );

  test('[MA19] sends its exit only with a sealed log', () => {
    const sends = arrowsOf(drawn).filter(({run = []}) => run.includes('sendExit'));
    expect(sends).toEqual([{from: 'exited', event: 'logSealed', to: 'reported', run: ['sendExit']}]);
  });
});
