import {describe, expect, test} from 'vitest';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {cancelTask} from '../../../worker/src/fleet/cancel.ts';
import {handleUp} from '../../../worker/src/fleet/up-messages.ts';
import type {CheckedUp} from '../../../worker/src/fleet/up-work.ts';
import {specOf} from '../../../worker/src/fleet/spec-row.ts';
import {taskView} from '../../../worker/src/fleet/views.ts';
import {pageOfTasks} from '../../../worker/src/fleet/task-lists.ts';
import {CoreWorld, type Attempt, type TestMachine} from '../../fixtures/fleet-core.ts';

type Scene = {
  readonly world: CoreWorld;
  readonly machine: TestMachine;
  readonly task: string;
  readonly attempt: Attempt;
};

/** A task whose agent runs. */
function running(spec: Partial<TaskSpecInput> = {}, slots = 1): Scene {
  const world = new CoreWorld();
  const machine = world.machine();
  machine.hello(slots);
  const task = world.one(spec);
  const attempt = machine.accept();
  machine.renew([attempt], slots);
  world.take(machine.id);
  return {world, machine, task, attempt};
}

const ask = (attempt: Attempt, tool: string, input: unknown, id = 'call-1'): object => ({
  t: 'ask',
  ...attempt,
  id,
  kind: 'call',
  tool,
  input: typeof input === 'string' ? input : JSON.stringify(input),
  reason: '',
  rule: null,
  expires_in_ms: 1_000,
});

/** The answer; whatever else was sent stays to be taken. */
function call({world, machine, attempt}: Scene, tool: string, input: unknown, id = 'call-1') {
  machine.say(ask(attempt, tool, input, id));
  const [answer] = world.sent.flatMap(({draft}) => (draft.t === 'answer' ? [draft] : []));
  world.sent.splice(0, world.sent.length, ...world.sent.filter(({draft}) => draft.t !== 'answer'));
  return answer;
}

const events = ({sql}: CoreWorld, task: string, kind: string): readonly unknown[] =>
  sql
    .all<{data: string}>('SELECT data FROM task_event WHERE task = ? AND kind = ? ORDER BY seq', task, kind)
    .map(({data}) => JSON.parse(data) as unknown);

const finding = {severity: 'high', category: 'bug', title: 'It crashes', description: 'When it starts.'};
const auditor = {agent: {type: 'auditor'}} as const;
const wish = {title: 'The tests', prompt: 'Write the tests.'};

describe('an event that an agent reports', () => {
  test('[AT1] stands in the history of its task, with the fields of that event', () => {
    const scene = running(auditor);
    const said = call(scene, 'emit_event', {event: 'audit.finding', data: finding});
    expect(said).toMatchObject({decision: 'answer', id: 'call-1', by: null});
    expect(events(scene.world, scene.task, 'event.audit.finding')).toEqual([finding]);
  });

  test.for([
    {why: 'no event of the role', input: {event: 'pr.approved', data: {}}, said: 'audit.completed'},
    {why: 'a field is wrong', input: {event: 'audit.finding', data: {...finding, severity: 'bad'}}, said: 'severity'},
    {why: 'no such shape', input: {name: 'audit.finding'}, said: 'emit_event'},
    {why: 'no JSON', input: '{', said: 'emit_event'},
  ])('[AT1] is refused with the reason when $why', ({input, said}) => {
    const scene = running(auditor);
    expect(call(scene, 'emit_event', input)).toMatchObject({decision: 'reject', text: expect.stringContaining(said)});
    expect(scene.world.sql.all("SELECT 1 FROM task_event WHERE kind LIKE 'event.%'")).toEqual([]);
  });

  test('[AT2] counts once for one id of an attempt, also after a restart, and a refused one may come again', () => {
    const scene = running(auditor);
    expect(call(scene, 'emit_event', {event: 'audit.finding', data: {}})).toMatchObject({decision: 'reject'});
    const first = call(scene, 'emit_event', {event: 'audit.finding', data: finding});
    scene.world.restart();
    scene.machine.hello(1, [{task: scene.task as never, epoch: 1, phase: 'running', spool_len: 0}]);
    expect(call(scene, 'emit_event', {event: 'audit.finding', data: finding})).toEqual(first);
    expect(events(scene.world, scene.task, 'event.audit.finding')).toHaveLength(1);
    call(scene, 'emit_event', {event: 'audit.finding', data: finding}, 'call-2');
    expect(events(scene.world, scene.task, 'event.audit.finding')).toHaveLength(2);
  });

  test('[AT5] is one of so many of an attempt', () => {
    const scene = running(auditor);
    const report = (n: number) => call(scene, 'emit_event', {event: 'audit.finding', data: finding}, `call-${n}`);
    for (let n = 0; n < limits.reportedEventsMax; n += 1) expect(report(n)).toMatchObject({decision: 'answer'});
    expect(report(limits.reportedEventsMax)).toMatchObject({decision: 'reject'});
    expect(report(0)).toMatchObject({decision: 'answer'});
  });
});

describe('a sub-task', () => {
  const repository = {url: 'https://git.test/a.git', base: 'dev'};

  test('[AT3] starts by itself in the repository of its parent, and both name each other', () => {
    const scene = running({repository}, 2);
    const id = call(scene, 'create_subtask', wish)?.text ?? '';
    const {world, machine, task} = scene;
    expect(machine.offers()).toEqual([{task: id, epoch: 1}]);
    const view = taskView(world.core.sight(), world.task(id), specOf(world.sql, id));
    expect(view).toMatchObject({parent: task, title: 'The tests', spec: {repository, prompt: wish.prompt}});
    expect(events(world, task, 'subtask.created')).toEqual([{task: id, title: 'The tests'}]);
    expect(events(world, id, 'task.submitted')).toEqual([{parent: task}]);
  });

  test('[AT2] is made once for one id of an attempt', () => {
    const scene = running({repository}, 2);
    const first = call(scene, 'create_subtask', wish);
    scene.world.restart();
    scene.machine.hello(2, [{task: scene.task as never, epoch: 1, phase: 'running', spool_len: 0}]);
    expect(call(scene, 'create_subtask', wish)).toEqual(first);
    expect(scene.world.sql.all('SELECT id FROM task WHERE parent IS NOT NULL')).toHaveLength(1);
  });

  test('[AT2] that the queue refused may be made by the same call later', () => {
    const scene = running({repository}, 1);
    scene.world.core.memory.waiting += limits.queuedTasksMax;
    expect(call(scene, 'create_subtask', wish)).toMatchObject({
      decision: 'reject',
      text: expect.stringContaining('wait'),
    });
    scene.world.core.memory.waiting -= limits.queuedTasksMax;
    expect(call(scene, 'create_subtask', wish)).toMatchObject({decision: 'answer'});
  });

  test('[AT4] has the limits of its parent, and no tools that its parent has not', () => {
    const spec: Partial<TaskSpecInput> = {
      repository,
      priority: 4,
      timeout_ms: 60_000,
      attempts_max: 2,
      deadline_ms: 1_900_000_000_000,
      budget: {turns_max: 5},
      requires: ['os=linux'],
      depends_on: [],
      concurrency: {key: 'one'},
      agent: {type: 'reviewer', driver: 'scripted', turns_max: 7},
    };
    const world = new CoreWorld();
    const machine = world.machine(['os=linux']);
    machine.hello(2);
    const task = world.one(spec);
    const attempt = machine.accept();
    machine.renew([attempt], 2);
    world.take(machine.id);
    const id = call({world, machine, task, attempt}, 'create_subtask', {...wish, agent_type: 'coding'})?.text ?? '';
    const made = specOf(world.sql, id);
    expect(made).toMatchObject({
      priority: 4,
      timeout_ms: 60_000,
      attempts_max: 2,
      deadline_ms: spec.deadline_ms,
      budget: {turns_max: 5},
      requires: ['os=linux'],
      agent: {type: 'coding', profile: 'readonly', turns_max: 7},
    });
    expect(made.concurrency).toBe(undefined);
  });

  test('[AT4] has no more time than its parent, whatever its role would have', () => {
    const scene = running({agent: {type: 'reviewer', driver: 'scripted'}});
    const timeOf = (agent_type: 'coding' | 'starter'): number | undefined => {
      const made = call(scene, 'create_subtask', {...wish, title: agent_type, agent_type}, agent_type);
      return specOf(scene.world.sql, made?.text ?? '').timeout_ms;
    };
    expect([timeOf('coding'), timeOf('starter')]).toEqual([30 * 60_000, 10 * 60_000]);
  });

  test('[AT5] makes sub-tasks of its own to a certain depth, and an attempt a certain number', () => {
    const scene = running({repository}, 10);
    let deepest = scene;
    for (let depth = 0; depth < limits.subtaskDepthMax; depth += 1) {
      expect(call(deepest, 'create_subtask', wish)).toMatchObject({decision: 'answer'});
      const attempt = scene.machine.accept();
      scene.machine.renew([attempt], 10);
      scene.world.take(scene.machine.id);
      deepest = {...scene, attempt};
    }
    expect(call(deepest, 'create_subtask', wish)).toMatchObject({
      decision: 'reject',
      text: expect.stringContaining('deep'),
    });
    for (let n = 1; n < limits.subtasksMax; n += 1)
      expect(call(scene, 'create_subtask', wish, `more-${n}`)).toMatchObject({decision: 'answer'});
    expect(call(scene, 'create_subtask', wish, 'too-many')).toMatchObject({decision: 'reject'});
  });

  const failed = {kind: 'failed', code: 'agent_failed', detail: 'no', retryable: false} as const;

  test.for([
    {end: failed, state: 'failed', children: ['cancelling', 'cancelled'], told: 1},
    {end: {kind: 'timed_out'}, state: 'timed_out', children: ['cancelling', 'cancelled'], told: 1},
    {end: {kind: 'succeeded'}, state: 'succeeded', children: ['leased', 'offered'], told: 0},
  ] as const)(
    '[AT16] of a parent that ends as $state is cancelled unless that is a success',
    ({end, state, children, told}) => {
      const scene = running({repository}, 3);
      const {world, machine, attempt} = scene;
      const ids = [1, 2].map(n => call(scene, 'create_subtask', wish, `call-${n}`)?.text ?? '');
      const child = machine.accept();
      world.take(machine.id);
      machine.exit(attempt, end);
      expect(world.task(attempt.task).state).toBe(state);
      expect(ids.map(id => world.task(id).state)).toEqual(children);
      const reason = `${attempt.task}, which made it, ended as ${state}`;
      expect(world.take(machine.id, 'cancel')).toMatchObject([{...child, reason}].slice(0, told));
    },
  );

  test('[AT16] is cancelled with all that it made, also after a restart', () => {
    const scene = running({repository}, 3);
    const {world, machine, task} = scene;
    const child = call(scene, 'create_subtask', wish)?.text ?? '';
    const attempt = machine.accept();
    world.take(machine.id);
    const grandchild = call({...scene, attempt}, 'create_subtask', wish)?.text ?? '';
    world.restart();
    machine.hello(
      3,
      [scene.attempt, attempt].map(held => ({...held, phase: 'running', spool_len: 0}) as never),
    );
    world.run(batch => {
      cancelTask(batch, world.task(task), {reason: 'a person', grace_ms: 0});
      return () => undefined;
    });
    expect([child, grandchild].map(id => world.task(id).state)).toEqual(['leased', 'offered']);
    machine.exit(scene.attempt, {kind: 'cancelled'});
    expect([task, child, grandchild].map(id => world.task(id).state)).toEqual(['cancelled', 'cancelling', 'offered']);
    machine.exit(attempt, {kind: 'cancelled'});
    expect([child, grandchild].map(id => world.task(id).state)).toEqual(['cancelled', 'cancelled']);
  });

  test('[AT16] is cancelled when its parent ends in the same moment in which it was made', () => {
    const {world, machine, attempt} = running({repository}, 2);
    const messages = [ask(attempt, 'create_subtask', wish), machine.exitOf(attempt, {kind: 'timed_out'})];
    world.execute(
      messages.map(message => batch => {
        handleUp(batch, machine.from, message as CheckedUp);
        return () => undefined;
      }),
    );
    const made = world.sql.all('SELECT state, parent FROM task WHERE parent IS NOT NULL');
    expect(made).toEqual([{state: 'cancelled', parent: attempt.task}]);
  });

  test('[AT16] goes on while its parent may be tried again', () => {
    const scene = running({repository}, 2);
    const child = call(scene, 'create_subtask', wish)?.text ?? '';
    scene.machine.exit(scene.attempt, {...failed, retryable: true});
    expect(scene.world.task(scene.task).state).toBe('pending');
    expect(scene.world.task(child).state).toBe('offered');
  });

  test('[AT8] is found by its parent', () => {
    const scene = running({repository}, 1);
    const id = call(scene, 'create_subtask', wish)?.text;
    scene.world.one();
    const {rows} = pageOfTasks(scene.world.sql, {limit: 10, parent: scene.task as never});
    expect(rows.map(({row}) => row.id)).toEqual([id]);
  });
});

test('[AT6] a call for an attempt that its sender does not hold, or holds no more, changes nothing', () => {
  const scene = running(auditor);
  const {world, machine, attempt} = scene;
  const report = {event: 'audit.finding', data: finding};
  machine.say(ask({...attempt, epoch: 2}, 'emit_event', report));
  expect(world.take(machine.id).map(({t}) => t)).toEqual(['gone']);
  const other = world.machine();
  other.hello();
  other.say(ask(attempt, 'emit_event', report));
  expect(world.take(other.id).map(({t}) => t)).toContain('gone');
  machine.exit(attempt);
  world.take(machine.id);
  machine.say(ask(attempt, 'emit_event', report));
  expect(world.take(machine.id).map(({t}) => t)).toEqual(['exit_ack']);
  expect(events(world, scene.task, 'event.audit.finding')).toEqual([]);
});
