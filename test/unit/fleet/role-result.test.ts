import {expect, test} from 'vitest';
import {agentView} from '@switchyard/shared/api/agent-view.ts';
import {taskViewSchema} from '@switchyard/shared/api/task-view.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {noneSpent} from '@switchyard/shared/protocol/spending.ts';
import {exitRecordSchema, type AttemptResult, type ExitRecord} from '@switchyard/shared/protocol/exit-record.ts';
import {attemptRecord} from '../../../worker/src/fleet/attempt-records.ts';
import {specOf} from '../../../worker/src/fleet/spec-row.ts';
import {taskView} from '../../../worker/src/fleet/views.ts';
import {exitRecordOf, understoodBy} from '../../../runner/src/attempt/exit-facts.ts';
import {newAttempt} from '../../../runner/src/attempt/attempt-state.ts';
import {specOf as specFrom, taskA} from '../attempt/attempt-scene.ts';
import {CoreWorld, failedResult} from '../../fixtures/fleet-core.ts';

const outcome = {event: 'task.closed', reason: 'It works since May.', resolution: 'already_resolved'};
const role = {prompt: 'starter@1.0.0', outcome};

function ended(exit: AttemptResult, over: Partial<ExitRecord> = {}) {
  const of = new CoreWorld();
  const machine = of.machine(['agent=claude']);
  machine.hello(1);
  const id = of.one({agent: {type: 'starter', driver: 'claude'}, attempts_max: 1});
  machine.exit(machine.accept(), exit, over);
  const sight = {sql: of.sql, memory: of.core.memory, pool: 'default', nowMs: 0};
  const view = taskViewSchema.parse(taskView(sight, of.task(id), specOf(of.sql, id)));
  const attempt = attemptRecord(sight, {task: id, epoch: 1});
  const events = of.sql.all<{data: string}>('SELECT data FROM task_event WHERE task = ? ORDER BY seq', id);
  return {
    result: view.result,
    agent: attempt === undefined ? undefined : agentView('starter-0', attempt),
    told: events.map(({data}): unknown => JSON.parse(data)).at(-1),
  };
}

test('[PM16] the outcome and the prompt of an attempt are kept with its task and shown with its agent', () => {
  const {result, agent, told} = ended({kind: 'succeeded', summary: 'Nothing to do.'}, {role});
  expect(told).toMatchObject({prompt: 'starter@1.0.0', outcome: 'task.closed'});
  expect(result).toMatchObject({summary: 'Nothing to do.', role});
  expect(agent).toMatchObject({result: 'Nothing to do.', metadata: {prompt: 'starter@1.0.0', outcome}});
});

test('[PM16] so are those of one that failed by its outcome, and nothing is made up where none was told', () => {
  const failed = ended(failedResult, {role: {prompt: 'starter@1.0.0', outcome: null}});
  expect(failed.result?.role).toEqual({prompt: 'starter@1.0.0', outcome: null});
  expect(failed.agent).toMatchObject({result: null, metadata: {prompt: 'starter@1.0.0', outcome: null}});
  const plain = ended({kind: 'succeeded', summary: 'done'});
  expect(plain.result?.role).toBeNull();
  expect(plain.agent).toMatchObject({result: 'done', metadata: {prompt: null, outcome: null}});
});

test('[PM25] the history is told the outcome, and of a long one its event and the commit that it is about', () => {
  const rowOf = (outcome: Record<string, unknown> & {event: string}) => {
    const of = new CoreWorld();
    const machine = of.machine();
    machine.hello();
    of.one({agent: {type: 'reviewer'}});
    machine.exit(machine.accept(), {kind: 'succeeded'}, {role: {prompt: 'reviewer@1.2.0', outcome}});
    return of.told('history.attempt')[0]?.role;
  };
  const commit = 'a'.repeat(40);
  const short = {event: 'pr.approved', summary: 'fine', commit};
  expect(rowOf(short)).toEqual({prompt: 'reviewer@1.2.0', outcome: short});
  const long = {...short, summary: 'x'.repeat(limits.historyOutcomeCharactersMax)};
  expect(rowOf(long)).toEqual({prompt: 'reviewer@1.2.0', outcome: {event: 'pr.approved', commit}});
  expect(rowOf({...long, commit: 7})).toEqual({prompt: 'reviewer@1.2.0', outcome: {event: 'pr.approved'}});
});

test('[PM16] the last text of an agent is cut where lists show it', () => {
  const {result, agent} = ended({kind: 'succeeded', summary: 'a'.repeat(20_000)});
  expect(agent?.result).toHaveLength(limits.agentResultCharactersMax);
  expect(result?.summary).toHaveLength(20_000);
});

test('[PM17] a runner signs what its agent was told and stated, and a control plane takes the outcomes of later prompts', () => {
  const sealed = {length: 0, sha256: '0'.repeat(64), receipt: null, dropped: 0};
  const attempt = {
    ...newAttempt({task: taskA, epoch: 1, spec: specFrom(), branch: 'b'}),
    agentEnd: {exitCode: 0, signal: null, summary: 'x', prompt: 'coding@9.0.0', result: null},
    result: {kind: 'succeeded'} as const,
    outcome: {event: 'pr.stacked', onto: 7},
    sealed,
  };
  const record = exitRecordOf(attempt);
  if (record === undefined) throw new Error('no record');
  expect(record.role).toEqual({prompt: 'coding@9.0.0', outcome: {event: 'pr.stacked', onto: 7}});
  const runner = 'rnr_01arz3ndektsv4rrffq69g5fav';
  expect(exitRecordSchema.safeParse({...record, runner}).success).toBe(true);
  const long = {event: 'pr.stacked', text: 'a'.repeat(limits.outcomeBytesMax)};
  expect(exitRecordSchema.safeParse({...record, runner, role: {...record.role, outcome: long}}).success).toBe(false);
  const resources = {cpu_ms: 1, rss_bytes: 1, processes: 1, rss_bytes_max: 1, processes_max: 1};
  const whole = {...record, spent: noneSpent, resources};
  expect(understoodBy(6, whole)).toEqual(whole);
  const {role: _role, ...withoutRole} = whole;
  expect(understoodBy(5, whole)).toEqual(withoutRole);
  const {resources: _resources, ...withoutResources} = withoutRole;
  expect(understoodBy(4, whole)).toEqual(withoutResources);
  expect(understoodBy(3, whole)).not.toHaveProperty('spent');
  expect(exitRecordOf({...attempt, agentEnd: {...attempt.agentEnd, prompt: null}})).not.toHaveProperty('role');
});

test('[PM19] deployments of one repository take turns, and an end or a loss of the agent gives the turn on', () => {
  const of = new CoreWorld();
  const machine = of.machine();
  const shop = {agent: {type: 'deployer'}, repository: {url: 'https://git.example/shop.git'}} as const;
  const [first, second] = [of.one(shop), of.one(shop)];
  const other = of.one({...shop, repository: {url: 'https://git.example/blog.git'}});
  const own = of.one({...shop, concurrency: {key: 'mine'}});
  machine.hello(9);
  const offers = machine.offers();
  expect(offers.map(({task}) => task).toSorted()).toEqual([first, other, own].toSorted());
  for (const attempt of offers) machine.say({t: 'accept', ...attempt, ts: 1});
  const held = offers.find(({task}) => task === first);
  if (held === undefined) throw new Error('the first deployment was not offered');
  machine.exit(held);
  expect(machine.offers().map(({task}) => task)).toEqual([second]);
});
