import {describe, expect, test} from 'vitest';
import {agentId, type AttemptRecord} from '@switchyard/shared/api/agent-view.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {attemptNamed, giveAgentId, knownAgentIds} from '../../../worker/src/fleet/agent-names.ts';
import {activeAttempts, pageOfAttempts} from '../../../worker/src/fleet/attempt-lists.ts';
import {attemptRecord, endOfAttempt} from '../../../worker/src/fleet/attempt-records.ts';
import {cancelTask} from '../../../worker/src/fleet/cancel.ts';
import {cleanUp} from '../../../worker/src/fleet/cleanup.ts';
import type {AgentListQuery} from '../../../worker/src/fleet/fleet-rpc.ts';
import {CoreWorld, failedResult, seededRandom, type TestMachine} from '../../fixtures/fleet-core.ts';

function world(slots = 1): {readonly of: CoreWorld; readonly machine: TestMachine} {
  const of = new CoreWorld();
  const machine = of.machine();
  machine.hello(slots);
  return {of, machine};
}

const sight = (of: CoreWorld) => ({sql: of.sql, memory: of.core.memory});

/** Every attempt that the pages of this query show, in their order. */
function all(of: CoreWorld, query: Partial<AgentListQuery> = {}): readonly AttemptRecord[] {
  const seen: AttemptRecord[] = [];
  for (let cursor: string | undefined; ;) {
    const page = pageOfAttempts(sight(of), {limit: 100, cursor, ...query});
    seen.push(...page.attempts);
    if (page.next === null) return seen;
    cursor = page.next;
  }
}

const recordOf = (of: CoreWorld, task: string, epoch: number) => attemptRecord(sight(of), {task, epoch});

function cancel(of: CoreWorld, id: string): void {
  of.run(batch => {
    cancelTask(batch, of.task(id), {reason: 'enough', grace_ms: 1_000});
    return () => undefined;
  });
}

describe('ids of agents', () => {
  test('[AV5] an attempt keeps the id that it was given', () => {
    const {sql} = new CoreWorld();
    const attempt = {task: 'tsk_a', epoch: 1, agentType: 'coding'};
    const id = giveAgentId(sql, attempt);
    expect(id).toBe(agentId(attempt, 0));
    expect(giveAgentId(sql, attempt)).toBe(id);
    expect(attemptNamed(sql, id)).toEqual({task: 'tsk_a', epoch: 1});
    expect(attemptNamed(sql, 'coding-00000000')).toBeUndefined();
  });

  test('[AV5] two attempts whose ids meet get two ids of the same form, also when asked again', () => {
    const {sql} = new CoreWorld();
    const random = seededRandom(3);
    const seen = new Map<string, string>();
    let pair: readonly [string, string] | undefined;
    for (let n = 0; pair === undefined && n < 1_000_000; n += 1) {
      const task = `tsk_01k0000000${Math.floor(random() * 2 ** 32).toString(32)}${n}`;
      const id = agentId({task, epoch: 1, agentType: 'coding'}, 0);
      const other = seen.get(id);
      if (other !== undefined) pair = [other, task];
      seen.set(id, task);
    }
    if (pair === undefined) throw new Error('no two ids met');
    const [first, second] = pair.map(task => ({task, epoch: 1, agentType: 'coding'}));
    if (first === undefined || second === undefined) throw new Error('a pair has two');
    expect(agentId(first, 0)).toBe(agentId(second, 0));
    const given = [giveAgentId(sql, first), giveAgentId(sql, second)] as const;
    expect(new Set(given).size).toBe(2);
    for (const id of given) expect(id).toMatch(/^coding-[0-9a-f]{8}$/);
    expect([giveAgentId(sql, first), giveAgentId(sql, second)]).toEqual(given);
    expect(given.map(id => attemptNamed(sql, id)?.task)).toEqual(pair);
  });

  test('[AV5] no two of many attempts share an id although there are few', () => {
    const {sql} = new CoreWorld();
    const few = (attempt: Parameters<typeof agentId>[0], salt: number): string => agentId(attempt, salt).slice(0, -5);
    const attempts = Array.from({length: 500}, (_, n) => ({task: `tsk_${n}`, epoch: 1, agentType: 'coding'}));
    const ids = attempts.map(attempt => giveAgentId(sql, attempt, few));
    expect(new Set(ids).size).toBe(500);
    expect([...knownAgentIds(sql, attempts).values()].toSorted()).toEqual(ids.toSorted());
    const one = (attempt: Parameters<typeof agentId>[0]): string => attempt.agentType;
    giveAgentId(sql, {task: 'tsk_a', epoch: 1, agentType: 'x'}, one);
    expect(() => giveAgentId(sql, {task: 'tsk_b', epoch: 1, agentType: 'x'}, one)).toThrow('no id is free');
  });

  test('[AV5] an id goes with its task', () => {
    const {of, machine} = world();
    of.one();
    const attempt = machine.accept();
    const id = giveAgentId(of.sql, {...attempt, agentType: 'coding'});
    machine.exit(attempt);
    expect(attemptNamed(of.sql, id)).toEqual(attempt);
    cleanUp(of.sql, of.nowMs + limits.finishedKeptMs + 1);
    expect(attemptNamed(of.sql, id)).toBeUndefined();
  });
});

describe('attempts as they are remembered', () => {
  test('[AV6] an attempt is starting when it is offered and accepted, and running when its runner works', () => {
    const {of, machine} = world();
    const id = of.one({agent: {type: 'reviewer'}, metadata: {slug: 'x'}});
    expect(all(of)).toMatchObject([{task: id, epoch: 1, agentType: 'reviewer', state: 'leased', startedMs: null}]);
    of.advance(5);
    const attempt = machine.accept();
    const acceptedMs = of.nowMs;
    expect(all(of)).toMatchObject([
      {state: 'leased', startedMs: acceptedMs, runner: machine.id, metadata: {slug: 'x'}},
    ]);
    machine.say({t: 'phase', ...attempt, seq: 1, phase: 'preparing', detail: ''});
    expect(recordOf(of, id, 1)).toMatchObject({state: 'running', phase: 'preparing', endedMs: null});
    of.advance(1_000);
    machine.exit(attempt);
    expect(recordOf(of, id, 1)).toMatchObject({
      state: 'succeeded',
      startedMs: acceptedMs,
      endedMs: of.nowMs,
      exitCode: 0,
      code: null,
      detail: null,
      metadata: {slug: 'x'},
    });
    expect(activeAttempts(sight(of))).toEqual([]);
  });

  test('[AV6] every attempt of a task is remembered with its own end', () => {
    const {of, machine} = world();
    const id = of.one();
    machine.exit(machine.accept(), failedResult, {exit_code: 3});
    of.advance(limits.retryMaxMs);
    machine.hello(1);
    machine.accept();
    of.advance(limits.leaseTtlMs + limits.graceMs + 1);
    of.advance(limits.retryMaxMs);
    machine.hello(1);
    machine.exit(machine.accept(), {kind: 'timed_out'});
    expect(all(of).map(({epoch, state, code, exitCode}) => [epoch, state, code, exitCode])).toEqual([
      [3, 'timed_out', 'agent_timeout', 0],
      [2, 'interrupted', 'lease_lost', null],
      [1, 'failed', 'agent_failed', 3],
    ]);
    of.restart();
    expect(all(of, {task: id as never})).toHaveLength(3);
    expect([1, 2, 3].map(epoch => endOfAttempt(of.sql, of.task(id), epoch))).toEqual([
      'failed',
      'interrupted',
      'timed_out',
    ]);
  });

  test('[AV3] an attempt that was cancelled stays cancelled, whatever its exit says (T1)', () => {
    const {of, machine} = world();
    const id = of.one();
    const attempt = machine.accept();
    cancel(of, id);
    expect(recordOf(of, id, 1)).toMatchObject({state: 'running'});
    machine.exit(attempt, failedResult, {exit_code: 143});
    expect(recordOf(of, id, 1)).toMatchObject({state: 'cancelled', exitCode: 143});
  });

  test('[AV7] an offer that came to nothing is told as such to whoever was shown it, and is in no list', () => {
    const {of, machine} = world();
    const id = of.one();
    const [offer] = machine.offers();
    of.advance(limits.offerMs + 1);
    expect(recordOf(of, id, offer?.epoch ?? 0)).toMatchObject({state: 'interrupted', startedMs: null});
    expect(recordOf(of, id, of.task(id).epoch + 1)).toBeUndefined();
    expect(recordOf(of, of.unknownTask(), 1)).toBeUndefined();
    of.advance(limits.offerMs + 1);
    machine.hello(1);
    const [again] = machine.offers();
    if (again === undefined) throw new Error('no offer came');
    machine.say({
      t: 'reject',
      ...again,
      reject: {code: 'policy_refused', detail: 'not here', retryable: false},
      code: 'policy_refused',
      detail: 'not here',
      retryable: false,
    });
    expect(recordOf(of, id, again.epoch)).toMatchObject({state: 'failed', code: 'policy_refused', detail: 'not here'});
    expect(all(of)).toEqual([]);
    const other = of.one();
    machine.offers();
    cancel(of, other);
    expect(recordOf(of, other, 1)).toMatchObject({state: 'cancelled', code: null, detail: null});
  });
});

describe('lists of attempts', () => {
  function many(count: number): {
    readonly of: CoreWorld;
    readonly machine: TestMachine;
    readonly live: readonly string[];
  } {
    const {of, machine} = world(count);
    for (let n = 0; n < count; n += 1) {
      of.one({agent: {type: n % 3 === 0 ? 'reviewer' : 'coding'}});
      // Some begin within one millisecond.
      if (n % 2 === 0) of.advance(1);
      const attempt = machine.accept();
      if (n % 5 !== 0) machine.exit(attempt, n % 4 === 0 ? {kind: 'timed_out'} : {kind: 'succeeded'});
    }
    return {of, machine, live: activeAttempts(sight(of)).map(({task}) => task)};
  }

  test('[AV8] pages of any size show every attempt once, the newest first, those that live among those that ended', () => {
    const {of, live} = many(60);
    expect(live).toHaveLength(12);
    const whole = all(of);
    const keys = whole.map(({task, epoch}) => `${task}/${epoch}`);
    expect(new Set(keys).size).toBe(60);
    const starts = whole.map(({startedMs}) => startedMs ?? Infinity);
    expect(starts).toEqual(starts.toSorted((left, right) => right - left));
    for (const limit of [1, 7, 59, 60])
      expect(all(of, {limit}).map(({task}) => task)).toEqual(whole.map(each => each.task));
    of.restart();
    expect(all(of, {limit: 9})).toEqual(whole);
  });

  test('[AV9] a list is filtered by status, type and task, and its pages show what the whole list has', () => {
    const {of} = many(40);
    const whole = all(of);
    const timedOut = whole.filter(({state}) => state === 'timed_out').map(({task}) => task);
    expect(timedOut.length).toBeGreaterThan(3);
    for (const limit of [2, 100]) {
      const found = (query: Partial<AgentListQuery>) => all(of, {limit, ...query}).map(({task}) => task);
      expect(found({status: 'timeout'})).toEqual(timedOut);
      expect(found({status: 'starting'})).toHaveLength(8);
      expect(found({status: 'killed'})).toEqual([]);
      const reviewers = whole.filter(({agentType}) => agentType === 'reviewer').map(({task}) => task);
      expect(found({type: 'reviewer'})).toEqual(reviewers);
      const both = whole.filter(({agentType, state}) => agentType === 'reviewer' && state === 'succeeded');
      expect(found({type: 'reviewer', status: 'completed'})).toEqual(both.map(({task}) => task));
      expect(found({task: timedOut[0] as never})).toEqual([timedOut[0]]);
    }
  });

  test('[AV9] a filtered page looks at a bounded number of attempts, and says where to go on', () => {
    const {of, machine} = world();
    const old = of.one({agent: {type: 'auditor'}});
    machine.exit(machine.accept());
    of.advance(1);
    of.sql.run(
      `INSERT INTO attempt (task, epoch, runner, outcome, ended_ms, started_ms, state)
       WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
       SELECT ?, i, 'r', 'failed', ?, ?, 'failed' FROM n`,
      of.one(),
      of.nowMs,
      of.nowMs,
    );
    const page = pageOfAttempts(sight(of), {limit: 100, type: 'auditor'});
    expect(page.attempts).toEqual([]);
    expect(page.next).not.toBeNull();
    expect(all(of, {type: 'auditor'}).map(({task}) => task)).toEqual([old]);
  });

  test('[AV8] a page is read by an index', () => {
    const {of} = many(5);
    const plan = of.sql
      .all<{detail: string}>(
        `EXPLAIN QUERY PLAN SELECT * FROM attempt WHERE (started_ms, task, epoch) < (5, 'a', 1)
         ORDER BY started_ms DESC, task DESC, epoch DESC LIMIT 10`,
      )
      .map(({detail}) => detail);
    expect(plan).toEqual([expect.stringMatching(/^SEARCH attempt USING (COVERING )?INDEX attempt_started/)]);
  });
});
