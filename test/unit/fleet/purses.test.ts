import fc from 'fast-check';
import {expect, test} from 'vitest';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {noFigures, type Figures} from '@switchyard/shared/policy/budget.ts';
import {noneSpent, type Spent} from '@switchyard/shared/protocol/spending.ts';
import {cleanUp} from '../../../worker/src/fleet/cleanup.ts';
import {endedTask, goOn} from '../../../worker/src/fleet/going-on.ts';
import {specOf} from '../../../worker/src/fleet/spec-row.ts';
import {CoreWorld, type Attempt, type TestMachine} from '../../fixtures/fleet-core.ts';

const turnsOf = (turns: number): Spent => ({...noneSpent, turns, cost_micros: turns * 1_000, output_tokens: turns});
const wanted = (turns: number): Figures => ({...noFigures, turns});
const failed = {kind: 'failed', code: 'agent_failed', detail: 'it broke', retryable: false} as const;
const spentAll = {kind: 'failed', code: 'budget_spent', detail: 'no more', retryable: true} as const;

type Family = {readonly world: CoreWorld; readonly machine: TestMachine; readonly root: Attempt};

/** A task that runs with this budget. */
function family(budget: TaskSpecInput['budget'], slots = 8): Family {
  const world = new CoreWorld();
  const machine = world.machine();
  machine.hello(slots);
  world.one({budget});
  const root = machine.accept();
  return {world, machine, root};
}

let calls = 0;

type Answer = {readonly decision: string; readonly text: string};

/** What an attempt hears that wants to make a sub-task. */
function asked({world, machine}: Family, parent: Attempt): Answer | undefined {
  calls += 1;
  const input = JSON.stringify({title: 'A part', prompt: 'Do it.'});
  const of = {t: 'ask', ...parent, id: `call-${calls}`, kind: 'call', tool: 'create_subtask', input};
  machine.say({...of, reason: '', rule: null, expires_in_ms: 1_000});
  const [answer] = world.sent.flatMap(({draft}) => (draft.t === 'answer' ? [draft] : []));
  world.sent.splice(0, world.sent.length, ...world.sent.filter(({draft}) => draft.t !== 'answer'));
  return answer;
}

/** The id of a sub-task that an attempt makes. */
function made(of: Family, parent: Attempt): string {
  const answer = asked(of, parent);
  if (answer?.decision !== 'answer') throw new Error(answer?.text ?? 'no answer');
  return answer.text;
}

function child(of: Family, parent: Attempt): Attempt {
  made(of, parent);
  return of.machine.accept();
}

/** What an attempt is given in answer to its report; null where nothing limits it. */
function report({world, machine}: Family, of: Attempt, spent: number, wants = spent): number | null | undefined {
  machine.say({t: 'spending', ...of, spent: turnsOf(spent), wants: wanted(wants)});
  return world.take(machine.id, 'allowance').at(-1)?.slice.turns;
}

const state = ({world}: Family, {task}: Attempt): string => world.task(task).state;

const max = 30;
const turn = fc.record({who: fc.nat(5), parent: fc.nat(5), act: fc.nat(5), turns: fc.integer({min: 1, max: 12})});
type Turn = {readonly who: number; readonly parent: number; readonly act: number; readonly turns: number};

/** A family at work: who lives, what each was given and what it has spent. */
class Work {
  readonly of: Family;
  readonly granted = new Map<string, number>();
  readonly #spent = new Map<string, number>();
  readonly #live: Attempt[] = [];

  constructor(budget: TaskSpecInput['budget']) {
    this.of = family(budget, 6);
    this.#live.push(this.of.root);
    this.granted.set(this.of.root.task, report(this.of, this.of.root, 0, 0) ?? Infinity);
  }

  step({who, parent, act, turns}: Turn): void {
    const attempt = this.#live[who % this.#live.length] ?? this.of.root;
    // One that is too deep, or of too many, is refused.
    if (act === 0) asked(this.of, this.#live[parent % this.#live.length] ?? attempt);
    else if (act === 1 && attempt.task !== this.of.root.task) this.#end(attempt);
    else this.#spend(attempt, turns);
    this.#take();
  }

  #end(attempt: Attempt): void {
    const spent = this.#spent.get(attempt.task) ?? 0;
    this.of.machine.exit(attempt, {kind: 'succeeded'}, {spent: turnsOf(spent)});
    this.#live.splice(this.#live.indexOf(attempt), 1);
    this.granted.set(attempt.task, spent);
  }

  #spend(attempt: Attempt, turns: number): void {
    const {task} = attempt;
    const known = this.#spent.get(task) ?? 0;
    const spent = Math.min(known + turns, this.granted.get(task) ?? 0);
    this.#spent.set(task, spent);
    this.granted.set(task, report(this.of, attempt, spent, known + 2 * turns) ?? Infinity);
  }

  #take(): void {
    const {world, machine} = this.of;
    for (const {task, epoch, allowance} of world.take(machine.id, 'offer')) {
      machine.say({t: 'accept', task, epoch, ts: 1});
      this.granted.set(task, allowance?.slice.turns ?? Infinity);
      this.#live.push({task, epoch});
    }
  }
}

test.for([{turns_max: max}, {total: {turns_max: max}}])(
  '[AT17] a task and all that its agents make of it are never given more together than its budget %j',
  budget => {
    fc.assert(
      fc.property(fc.array(turn, {maxLength: 60}), turns => {
        const work = new Work(budget);
        for (const each of turns) {
          work.step(each);
          expect([...work.granted.values()].reduce((sum, given) => sum + given, 0)).toBeLessThanOrEqual(max);
        }
      }),
      {numRuns: 40},
    );
  },
);

test('[AT17] what a sub-task was given and did not spend goes back when it ends, and what it spent does not', () => {
  const of = family({total: {turns_max: 10}});
  const part = child(of, of.root);
  expect(report(of, part, 1, 6)).toBe(6);
  expect(report(of, of.root, 1, 10)).toBe(4);
  of.machine.exit(part, {kind: 'succeeded'}, {spent: turnsOf(3)});
  expect(report(of, of.root, 4, 10)).toBe(7);
  of.world.restart();
  of.machine.hello(8, [{...of.root, phase: 'running', spool_len: 0} as never]);
  of.world.take(of.machine.id);
  expect(report(of, of.root, 7, 11)).toBe(7);
});

test('[AT17] the sub-tasks of an attempt count for the limit of that attempt, and the next one has it anew', () => {
  const of = family({turns_max: 5});
  const part = child(of, of.root);
  expect(report(of, part, 0, 3)).toBe(3);
  expect(report(of, part, 3)).toBe(3);
  expect(report(of, of.root, 1, 5)).toBe(2);
  of.machine.exit(of.root, {kind: 'interrupted', detail: 'stopped'}, {spent: turnsOf(2)});
  const [offer] = of.world.take(of.machine.id, 'offer');
  const next = {task: of.root.task, epoch: 2};
  expect(offer).toMatchObject(next);
  of.machine.say({t: 'accept', ...next, ts: 1});
  expect(report(of, next, 0, 5)).toBe(5);
  // The sub-task goes on to count for the attempt that made it, of which nothing is left.
  expect(report(of, part, 3, 5)).toBe(3);
});

test('[AT18] a sub-task for which nothing is left fails with budget_spent before it begins, and so do those that wait for it', () => {
  const of = family({total: {turns_max: 4}}, 1);
  const waiting = made(of, of.root);
  const after = of.world.one({depends_on: [waiting]});
  report(of, of.root, 3, 4);
  of.machine.exit(of.root, {kind: 'succeeded'}, {spent: turnsOf(4)});
  expect(of.machine.offers()).toEqual([]);
  expect(of.world.task(waiting)).toMatchObject({state: 'failed', epoch: 0});
  expect(JSON.parse(of.world.task(waiting).failures)).toMatchObject([{code: 'budget_spent'}]);
  expect(of.world.task(after).state).toBe('failed');
});

test('[AT18] what is promised to others of the family is waited for, and burns no attempt', () => {
  const of = family({total: {turns_max: 4}}, 2);
  report(of, of.root, 0, 4);
  const waiting = made(of, of.root);
  expect(of.machine.offers()).toEqual([]);
  expect(of.world.task(waiting)).toMatchObject({state: 'pending', failure_count: 0, epoch: 0});
  of.machine.exit(of.root, {kind: 'succeeded'}, {spent: turnsOf(1)});
  of.world.advance(limits.purseLookMs);
  expect(of.machine.offers()).toEqual([{task: waiting, epoch: 1}]);
});

test('[AT18] an agent that was stopped because the family has spent its budget has failed for good', () => {
  const of = family({total: {turns_max: 4}});
  const part = child(of, of.root);
  report(of, of.root, 3, 3);
  of.machine.exit(part, spentAll, {spent: turnsOf(1)});
  expect(state(of, part)).toBe('failed');
  // Something is left for the root once the other one has given back what it did not spend.
  const waits = family({total: {turns_max: 4}});
  const other = child(waits, waits.root);
  report(waits, waits.root, 1, 3);
  waits.machine.exit(other, spentAll, {spent: turnsOf(1)});
  expect(state(waits, other)).toBe('pending');
});

test('[AT20] what goes on from a sub-task belongs to its parent, while that one has not ended', () => {
  const of = family({total: {turns_max: 10}});
  const {world, machine, root} = of;
  const part = child(of, root);
  machine.exit(part, failed, {spent: turnsOf(3)});
  const again = (task: string): string =>
    world.run(batch => {
      const row = world.task(task);
      const id = goOn(batch, row, {spec: batch.spec(task), randomBytes: length => world.randomBytes(length)});
      return () => id;
    });
  const next = again(part.task);
  const attempt = machine.accept();
  expect(world.task(next)).toMatchObject({parent: root.task, retried_from: part.task});
  expect(report(of, attempt, 0, 10)).toBe(6);
  machine.exit(root, failed, {spent: turnsOf(1)});
  expect(world.task(next).state).toBe('cancelling');
  const alone = again(part.task);
  expect(world.task(alone)).toMatchObject({parent: null, retried_from: part.task});
  expect(endedTask(world.task(part.task), specOf(world.sql, part.task))).toMatchObject({
    branch: null,
    outcome: null,
    failure: 'agent_failed: it broke',
  });
});

test('[AT19] a budget is kept while a sub-task still spends of it, and forgotten with the last one', () => {
  const of = family({total: {turns_max: 9}});
  const part = child(of, of.root);
  of.machine.exit(of.root, {kind: 'succeeded'}, {spent: turnsOf(5)});
  of.world.nowMs += limits.finishedKeptMs + 1;
  cleanUp(of.world.sql, of.world.nowMs);
  expect(of.world.sql.all('SELECT 1 FROM task WHERE id = ?', of.root.task)).toEqual([]);
  expect(of.world.sql.all('SELECT turns FROM purse WHERE task = ?', of.root.task)).toEqual([{turns: 5}]);
  of.world.execute([]);
  of.world.sql.run('UPDATE task SET finished_ms = 1 WHERE id = ?', part.task);
  cleanUp(of.world.sql, of.world.nowMs);
  expect(of.world.sql.all('SELECT id FROM purse')).toEqual([]);
  expect(of.world.sql.all('SELECT task FROM purse_share')).toEqual([]);
});
