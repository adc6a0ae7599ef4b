import {describe, expect, test} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {approvalOfAsk, type ApprovalRow} from '../../../worker/src/fleet/approval-row.ts';
import {decide, type Decision} from '../../../worker/src/fleet/asks.ts';
import {cancelTask} from '../../../worker/src/fleet/cancel.ts';
import {taskView} from '../../../worker/src/fleet/views.ts';
import {CoreWorld, type Attempt, type TestMachine} from '../../fixtures/fleet-core.ts';

const hourMs = 3_600_000;

function world(machines = 1): {world: CoreWorld; machine: TestMachine; others: readonly TestMachine[]} {
  const made = new CoreWorld();
  const all = Array.from({length: machines}, () => made.machine());
  const [machine, ...others] = all;
  if (machine === undefined) throw new Error('no machine');
  machine.hello();
  return {world: made, machine, others};
}

/** A task whose agent runs. */
function running(): {world: CoreWorld; machine: TestMachine; task: string; attempt: Attempt} {
  const {world: of, machine} = world();
  const task = of.one();
  const attempt = machine.accept();
  machine.renew([attempt]);
  of.take(machine.id);
  return {world: of, machine, task, attempt};
}

const ask = (attempt: Attempt, over: object = {}): object => ({
  t: 'ask',
  ...attempt,
  id: 'toolu_1',
  kind: 'permission',
  tool: 'Bash',
  input: '{"command":"git push"}',
  reason: 'the charter asks a person about: git push',
  rule: 'git push',
  expires_in_ms: hourMs,
  ...over,
});

function asked(of: CoreWorld, task: string, id = 'toolu_1'): ApprovalRow {
  const row = approvalOfAsk(of.sql, task, id);
  if (row === undefined) throw new Error('nothing was asked');
  return row;
}

function say(of: CoreWorld, row: ApprovalRow, decision: Decision['decision'] = 'approve', text = ''): ApprovalRow {
  return of.run(batch => {
    const decided = decide(batch, row.id, {decision, text, by: 'ada'});
    return () => decided;
  });
}

const waitingFor = (of: CoreWorld, task: string): string | null =>
  taskView(of.core.sight(), of.task(task), {metadata: {}} as never).waiting_for;

const kinds = (of: CoreWorld, task: string): readonly string[] =>
  of.sql
    .all<{kind: string}>("SELECT kind FROM task_event WHERE task = ? AND kind LIKE 'approval.%' ORDER BY seq", task)
    .map(({kind}) => kind);

describe('an ask', () => {
  test('[PV1] waits for a person, who is named in the answer, and the task says that it waits', () => {
    const {world: of, machine, task, attempt} = running();
    machine.say(ask(attempt));
    expect(asked(of, task)).toMatchObject({state: 'open', tool: 'Bash', epoch: 1, expires_ms: of.nowMs + hourMs});
    expect(waitingFor(of, task)).toContain('approval');
    expect(say(of, asked(of, task), 'approve', 'it is fine')).toMatchObject({state: 'approved', decided_by: 'ada'});
    expect(of.take(machine.id, 'answer')).toEqual([
      {t: 'answer', ...attempt, id: 'toolu_1', decision: 'approve', text: 'it is fine', by: 'ada'},
    ]);
    expect(waitingFor(of, task)).toBe(null);
    expect(kinds(of, task)).toEqual(['approval.open', 'approval.approved']);
  });

  test('[PV2] that comes again opens nothing, and is answered each time once it was decided', () => {
    const {world: of, machine, task, attempt} = running();
    machine.say(ask(attempt));
    const {id} = asked(of, task);
    of.restart();
    machine.hello(1, [{task: attempt.task as never, epoch: 1, phase: 'running', spool_len: 0}]);
    machine.say(ask(attempt));
    expect(asked(of, task).id).toBe(id);
    say(of, asked(of, task));
    of.take(machine.id);
    machine.say(ask(attempt));
    machine.say(ask(attempt));
    expect(of.take(machine.id, 'answer')).toHaveLength(2);
    expect(kinds(of, task)).toEqual(['approval.open', 'approval.approved']);
  });

  test('[PV28] is good for the call that was shown, and for no other with its id', () => {
    const {world: of, machine, task, attempt} = running();
    const other = {input: '{"command":"git push --force"}'};
    machine.say(ask(attempt));
    machine.say(ask(attempt, other));
    expect(of.take(machine.id, 'answer')).toMatchObject([{decision: 'reject', by: null}]);
    expect(asked(of, task)).toMatchObject({state: 'open', input: '{"command":"git push"}'});
    say(of, asked(of, task));
    expect(of.take(machine.id, 'answer')).toMatchObject([{decision: 'approve'}]);
    for (const over of [other, {tool: 'Write'}]) {
      machine.say(ask(attempt, over));
      expect(of.take(machine.id, 'answer')).toEqual([]);
      expect(asked(of, task)).toMatchObject({state: 'open', ...over});
      say(of, asked(of, task), 'reject');
      expect(of.take(machine.id, 'answer')).toMatchObject([{decision: 'reject', by: 'ada'}]);
    }
  });

  test('[PV3] is decided once: the same again changes nothing, anything else is refused', () => {
    const {world: of, machine, task, attempt} = running();
    machine.say(ask(attempt));
    const first = say(of, asked(of, task), 'reject', 'no');
    of.nowMs += 1_000;
    expect(say(of, first, 'reject', 'again')).toEqual(first);
    expect(() => say(of, first, 'approve')).toThrow('already_decided');
    machine.say(ask(attempt, {id: 'toolu_2'}));
    expect(() => say(of, asked(of, task, 'toolu_2'), 'answer', 'yes')).toThrow('invalid_request');
    machine.say(ask(attempt, {id: 'toolu_3', kind: 'question'}));
    expect(() => say(of, asked(of, task, 'toolu_3'), 'approve')).toThrow('invalid_request');
    const answered = say(of, asked(of, task, 'toolu_3'), 'answer', 'blue');
    expect(answered).toMatchObject({state: 'answered', text: 'blue'});
    expect(say(of, answered, 'answer', 'blue')).toEqual(answered);
    expect(() => say(of, answered, 'answer', 'red')).toThrow('already_decided');
    machine.say(ask(attempt, {id: 'toolu_4'}));
    const approved = say(of, asked(of, task, 'toolu_4'), 'approve');
    expect(say(of, approved, 'approve')).toEqual(approved);
    for (const other of ['reject', 'grant', 'answer'] as const)
      expect(() => say(of, approved, other)).toThrow(`${approved.id} is approved by ada`);
  });

  test('[PV4] that nobody decides in time is rejected by the clock, also for a Fleet that was not there', () => {
    const {world: of, machine, task, attempt} = running();
    machine.say(ask(attempt, {expires_in_ms: 20_000}));
    expect(of.core.nextDueMs()).toBeLessThanOrEqual(of.nowMs + 20_000);
    of.advance(19_999);
    expect(asked(of, task).state).toBe('open');
    of.restart();
    of.advance(1);
    expect(asked(of, task)).toMatchObject({state: 'expired', decided_by: null});
    expect(of.take(machine.id, 'answer')).toMatchObject([{decision: 'reject', by: null}]);
  });

  test('[PV5] dies with its attempt, whatever ended it, and with its task', () => {
    const {world: of, machine, task, attempt} = running();
    machine.say(ask(attempt));
    machine.exit(attempt, {kind: 'failed', code: 'agent_failed', detail: 'it broke', retryable: true});
    expect(asked(of, task).state).toBe('withdrawn');
    const second = running();
    second.machine.say(ask(second.attempt));
    second.world.advance(limits.leaseTtlMs + limits.graceMs + 1);
    expect(asked(second.world, second.task).state).toBe('withdrawn');
    expect(() => say(second.world, asked(second.world, second.task))).toThrow('already_decided');
  });

  test('[PV5] is nothing to decide from the moment that its task is cancelled, and is not asked again', () => {
    const {world: of, machine, task, attempt} = running();
    machine.say(ask(attempt));
    of.run(batch => {
      cancelTask(batch, of.task(task), {reason: 'no more', grace_ms: 1_000});
      return () => undefined;
    });
    expect(of.task(task).state).toBe('cancelling');
    expect(waitingFor(of, task)).toBeNull();
    expect(() => say(of, asked(of, task))).toThrow('already_decided');
    of.take(machine.id);
    machine.say(ask(attempt));
    expect(of.take(machine.id, 'answer')).toMatchObject([{decision: 'reject', text: 'the task is being cancelled'}]);
    expect(asked(of, task).state).toBe('withdrawn');
  });

  test('[PV5] that the agent takes back is withdrawn, and open again when it comes again', () => {
    const {world: of, machine, task, attempt} = running();
    machine.say(ask(attempt));
    machine.say({t: 'ask_withdrawn', ...attempt, id: 'toolu_1'});
    expect(asked(of, task).state).toBe('withdrawn');
    machine.say(ask(attempt));
    expect(asked(of, task).state).toBe('open');
  });

  test('[PV5] that the agent took back while its runner was away is withdrawn when that says so, each time', () => {
    const {world: of, machine, task, attempt} = running();
    machine.say(ask(attempt));
    of.restart();
    for (let session = 0; session < 2; session += 1) {
      machine.hello(1, [{task: attempt.task as never, epoch: 1, phase: 'running', spool_len: 0}]);
      machine.say({t: 'ask_withdrawn', ...attempt, id: 'toolu_1'});
      expect(asked(of, task).state).toBe('withdrawn');
    }
    expect(kinds(of, task)).toEqual(['approval.open', 'approval.withdrawn']);
  });

  test('[PV6] of an attempt that is not the runner of it changes nothing', () => {
    const {world: of, machine, task, attempt} = running();
    machine.say(ask({...attempt, epoch: 2}));
    expect(approvalOfAsk(of.sql, task, 'toolu_1')).toBe(undefined);
    expect(of.take(machine.id, 'gone')).toHaveLength(1);
  });

  test('[PV7] beyond the number that may be open is rejected at once', () => {
    const {world: of, machine, attempt} = running();
    for (let n = 0; n <= limits.asksOpenMax; n += 1) machine.say(ask(attempt, {id: `toolu_${n}`}));
    expect(of.take(machine.id, 'answer')).toMatchObject([{id: `toolu_${limits.asksOpenMax}`, decision: 'reject'}]);
  });
});

describe('a task whose agent was put off', () => {
  function paused() {
    const made = running();
    made.machine.say(ask(made.attempt));
    made.machine.exit(made.attempt, {kind: 'waiting', asks: ['toolu_1']});
    made.machine.renew([]);
    made.world.take(made.machine.id);
    return made;
  }

  test('[PV8] is paused without a lease, burns no attempt, and is queued when it was decided', () => {
    const {world: of, machine, task} = paused();
    expect(of.task(task)).toMatchObject({state: 'paused', runner: null, expires_ms: null, failure_count: 0});
    of.advance(hourMs / 2);
    expect(of.task(task).state).toBe('paused');
    expect(waitingFor(of, task)).toContain('approval');
    machine.renew([]);
    of.take(machine.id);
    say(of, asked(of, task));
    const [offer] = machine.offers();
    expect(offer).toEqual({task, epoch: 2});
  });

  test('[PV8] waits for what its agent was put off with, and for nothing else that it had asked', () => {
    const {world: of, machine, task, attempt} = running();
    for (const id of ['toolu_1', 'toolu_2']) machine.say(ask(attempt, {id}));
    machine.exit(attempt, {kind: 'waiting', asks: ['toolu_1']});
    expect(['toolu_1', 'toolu_2'].map(id => asked(of, task, id).state)).toEqual(['open', 'withdrawn']);
    say(of, asked(of, task, 'toolu_1'));
    expect(of.task(task).state).not.toBe('paused');
  });

  test('[PV9] asks again in the attempt that goes on, and is answered at once', () => {
    const {world: of, machine, task} = paused();
    say(of, asked(of, task));
    const attempt = machine.accept();
    machine.renew([attempt]);
    machine.say(ask(attempt));
    expect(of.take(machine.id, 'answer')).toMatchObject([{epoch: 2, id: 'toolu_1', decision: 'approve'}]);
    expect(kinds(of, task)).toEqual(['approval.open', 'approval.approved']);
  });

  test('[PV10] an approval is good for the attempt that goes on, and for no later one', () => {
    const {world: of, machine, task} = paused();
    say(of, asked(of, task));
    const second = machine.accept();
    machine.renew([second]);
    machine.say(ask(second));
    machine.exit(second, {kind: 'failed', code: 'agent_failed', detail: 'it broke', retryable: true});
    of.advance(limits.retryMaxMs);
    machine.renew([]);
    const third = machine.accept();
    machine.renew([third]);
    of.take(machine.id);
    machine.say(ask(third));
    expect(asked(of, task)).toMatchObject({state: 'open', epoch: 3});
    expect(of.take(machine.id, 'answer')).toEqual([]);
  });

  test('[PV11] time and cancelling end the wait', () => {
    const first = paused();
    first.machine.renew([]);
    first.world.advance(hourMs);
    expect(asked(first.world, first.task).state).toBe('expired');
    expect(first.world.task(first.task).state).not.toBe('paused');
    const second = paused();
    second.world.run(batch => {
      const row = batch.task(second.task);
      if (row !== undefined) cancelTask(batch, row, {reason: 'enough', grace_ms: 0});
      return () => undefined;
    });
    expect(second.world.task(second.task)).toMatchObject({state: 'cancelled', finished_ms: second.world.nowMs});
    expect(asked(second.world, second.task).state).toBe('withdrawn');
  });

  test('[PV12] goes on at once when the decision came before the exit, and when nothing was asked', () => {
    const {world: of, machine, task, attempt} = running();
    machine.say(ask(attempt));
    say(of, asked(of, task));
    machine.exit(attempt, {kind: 'waiting', asks: ['toolu_1']});
    expect(machine.offers()).toEqual([{task, epoch: 2}]);
    const unheard = running();
    unheard.machine.exit(unheard.attempt, {kind: 'waiting', asks: ['toolu_9']});
    expect(unheard.machine.offers()).toEqual([{task: unheard.task, epoch: 2}]);
  });

  test('[PV13] waits for the runner that holds the session, holds nobody else up, and after a while takes any', () => {
    const {world: of, machine, others} = world(2);
    const [other] = others;
    if (other === undefined) throw new Error('no machine');
    const task = of.one();
    const attempt = machine.accept();
    machine.renew([attempt]);
    machine.say(ask(attempt));
    machine.exit(attempt, {kind: 'waiting', asks: ['toolu_1']});
    machine.renew([], 0);
    other.hello();
    of.take(other.id);
    say(of, asked(of, task));
    expect(other.offers()).toEqual([]);
    expect(waitingFor(of, task)).toContain('holds the session');
    const next = of.one();
    expect(other.offers()).toEqual([{task: next, epoch: 1}]);
    of.advance(limits.sessionAffinityMs - 1);
    other.hello(3);
    expect(other.offers()).not.toContainEqual({task, epoch: 2});
    of.advance(1);
    expect(other.offers()).toContainEqual({task, epoch: 2});
    other.say({t: 'accept', task, epoch: 2, ts: 1});
    other.renew([{task, epoch: 2}], 3);
    expect(of.take(other.id, 'input')).toMatchObject([{data: expect.stringContaining('git push')}]);
  });
});
