import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {execa} from 'execa';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {decideApproval, listApprovals, type ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {call, chosenBy, say, shell, turn, write, type Scenario} from '../fixtures/model-api/scenario.ts';
import {asked} from './asked.ts';
import {openStage, PATIENCE_MS, type Stage} from './stage.ts';

const charter = `
name: test
safetyHeuristics:
  autoApprove:
    - name: counting
      command: [git, commit]
  alwaysReject:
    - name: no history
      reason: the history stays as it is
      command: [git, rebase]
  escalate:
    - name: tags are for people
      command: [git, tag]
`;

/** Tags are of the whole repository: each scenario has its own. */
const tagging = (name: string): Scenario => [
  turn(write('a.txt', 'a\n')),
  turn(shell(`git tag ${name} && echo once >> count.txt`)),
  turn(say('done')),
];

let stage: Stage;
/** A runner that lets go of an agent at once. */
let quick: Stage;
beforeAll(async () => {
  stage = await openStage(
    {
      granted: tagging('granted'),
      denied: tagging('denied'),
      crash: tagging('crash'),
      rejected: [turn(write('a.txt', 'a\n')), turn(shell('git rebase main')), turn(say('done'))],
      question: [
        turn(call('mcp__switchyard__ask_person', {question: 'Which colour?'})),
        turn(write('a.txt', 'a\n')),
        turn(say('done')),
      ],
    },
    {'charter.yaml': charter, 'policy.json': JSON.stringify({version: 1, approvals: {hold_ms: 120_000}})},
  );
  quick = await openStage(
    {
      deferred: tagging('deferred'),
      refused: tagging('refused'),
      both: [
        turn(write('a.txt', 'a\n')),
        turn(shell('git tag b1 && echo b1 >> count.txt'), shell('git tag b2 && echo b2 >> count.txt')),
        turn(say('done')),
      ],
      'late-question': [
        turn(call('mcp__switchyard__ask_person', {question: 'Which colour?'})),
        turn(write('a.txt', 'a\n')),
        turn(say('done')),
      ],
    },
    {
      'charter.yaml': charter,
      'policy.json': JSON.stringify({version: 1, approvals: {hold_ms: 1_000}}),
    },
  );
}, 900_000);
afterAll(async () => {
  await stage.stop();
  await quick.stop();
}, 120_000);

const claude = (scenario: string): TaskSpecInput => ({
  prompt: `Please do the work. ${chosenBy(scenario)}`,
  agent: {driver: 'claude'},
});

const show = async (branch: string | null, path: string, on: Stage = stage): Promise<string> =>
  (await execa('git', ['-C', on.repository.path, 'show', `${branch}:${path}`])).stdout;

/** Living processes of the agent. */
const agentsOf = ({bed}: Stage): readonly number[] => bed.processesWith('stream-json');

test('[RA20] a call that the charter escalates waits for a person, and runs once when it is approved', async () => {
  const id = await stage.submit(claude('granted'));
  const approval = await asked(stage, id);
  expect(approval).toMatchObject({kind: 'permission', tool: 'Bash', rule: 'tags are for people'});
  expect((await stage.bed.task(id)).waiting_for).toContain('approval');
  await stage.bed.client.call(decideApproval, {
    params: {approval: approval.id},
    body: {decision: 'approve', reason: 'fine'},
  });
  const task = await stage.bed.finished(id);
  expect(task, await stage.bed.log(id)).toMatchObject({state: 'succeeded', epoch: 1});
  expect(await show(task.branch, 'count.txt')).toBe('once');
});

test('[RA21] a call that a person rejects does not run, and the agent is told why', async () => {
  const id = await stage.submit(claude('denied'));
  const {id: approval} = await asked(stage, id);
  await stage.bed.client.call(decideApproval, {
    params: {approval},
    body: {decision: 'reject', reason: 'no tags in this repository'},
  });
  const task = await stage.bed.finished(id);
  expect(task.state, await stage.bed.log(id)).toBe('succeeded');
  await expect(show(task.branch, 'count.txt')).rejects.toThrow('does not exist');
  expect(
    stage.api.requests.some(
      ({scenario, texts}) => scenario === 'denied' && texts.some(text => text.includes('no tags in this repository')),
    ),
  ).toBe(true);
});

test('[RA22] a call that the charter rejects does not run, and nobody is asked', async () => {
  const id = await stage.submit(claude('rejected'));
  const task = await stage.bed.finished(id);
  expect(task.state).toBe('succeeded');
  expect(await stage.bed.log(id)).toContain('denied Bash: the history stays as it is');
  const {approvals} = await stage.bed.client.call(listApprovals, {query: {task: id}});
  expect(approvals).toEqual([]);
});

test('[RA23] an approval survives the death of the runner and of the control plane, and reaches the call once', async () => {
  const id = await stage.submit(claude('crash'));
  const before = await asked(stage, id);
  await stage.runner.kill('SIGKILL');
  await stage.bed.killPlane();
  await stage.bed.startPlane();
  await stage.runner.start();
  const approval = await asked(stage, id);
  expect(approval.id).toBe(before.id);
  await stage.bed.client.call(decideApproval, {params: {approval: approval.id}, body: {decision: 'approve'}});
  const task = await stage.bed.finished(id);
  expect(task, await stage.bed.log(id)).toMatchObject({state: 'succeeded', epoch: 1});
  expect(await show(task.branch, 'count.txt')).toBe('once');
});

test('[RA24] a question of the agent is answered from the command line, and the answer is what its tool says', async () => {
  const id = await stage.submit(claude('question'));
  const approval = await asked(stage, id);
  expect(approval).toMatchObject({kind: 'question', input: {question: 'Which colour?'}});
  const cli = async (...args: string[]): Promise<string> =>
    (
      await execa(process.execPath, [join('runner', 'bin', 'switchyard.mjs'), ...args], {
        env: {SWITCHYARD_STATE: join(stage.bed.folder, 'plane'), SWITCHYARD_URL: stage.bed.url},
      })
    ).stdout;
  expect(await cli('approvals', 'list')).toContain('Which colour?');
  expect(await cli('approvals', 'answer', approval.id, 'the', 'blue', 'one')).toContain('answered');
  const task = await stage.bed.finished(id);
  expect(task.state, await stage.bed.log(id)).toBe('succeeded');
  expect(
    stage.api.requests.some(
      ({scenario, texts}) => scenario === 'question' && texts.some(text => text.includes('the blue one')),
    ),
  ).toBe(true);
});

test('[RA25] an agent that nobody answers soon ends, waits on disk through the death of everything, and goes on with its call', async () => {
  const {bed, runner, api} = quick;
  const id = await quick.submit(claude('deferred'));
  const approval = await asked(quick, id);
  const waiting = await bed.until(id, 'paused', ({state}) => state === 'paused');
  expect(waiting).toMatchObject({runner: null, failures: [], waiting_for: expect.stringContaining('approval')});
  await expect.poll(() => agentsOf(quick), {timeout: 60_000}).toEqual([]);
  await runner.kill('SIGKILL');
  await bed.killPlane();
  await bed.startPlane();
  await runner.start();
  await bed.client.call(decideApproval, {params: {approval: approval.id}, body: {decision: 'approve'}});
  const task = await bed.finished(id);
  expect(task, await bed.log(id)).toMatchObject({state: 'succeeded', epoch: 2, failures: []});
  expect(await show(task.branch, 'count.txt', quick)).toBe('once');
  expect(await show(task.branch, 'a.txt', quick)).toBe('a');
  expect(api.turnsPlayed('deferred')).toEqual([0, 1, 2]);
});

test('[RA26] a question that waited on disk is answered where the agent goes on', async () => {
  const {bed, api} = quick;
  const id = await quick.submit(claude('late-question'));
  const {id: approval} = await asked(quick, id);
  await bed.until(id, 'paused', ({state}) => state === 'paused');
  await bed.client.call(decideApproval, {params: {approval}, body: {decision: 'answer', text: 'the blue one'}});
  const task = await bed.finished(id);
  expect(task, await bed.log(id)).toMatchObject({state: 'succeeded', epoch: 2});
  const heard = api.requests.filter(({texts}) => texts.some(text => text.includes('the blue one')));
  expect(heard.some(({scenario}) => scenario === 'late-question')).toBe(true);
});

test('[RA27] a call that was rejected while its agent waited on disk does not run, and nothing of it is left', async () => {
  const {bed, api, runner} = quick;
  const id = await quick.submit(claude('refused'));
  const {id: approval} = await asked(quick, id);
  await bed.until(id, 'paused', ({state}) => state === 'paused');
  await bed.client.call(decideApproval, {params: {approval}, body: {decision: 'reject', reason: 'no tags here'}});
  const task = await bed.finished(id);
  expect(task.state, await bed.log(id)).toBe('succeeded');
  await expect(show(task.branch, 'count.txt', quick)).rejects.toThrow('does not exist');
  expect(api.requests.some(({texts}) => texts.some(text => text.includes('no tags here')))).toBe(true);
  await expect.poll(() => readdirSync(join(runner.stateDirectory, 'agents')), {timeout: 60_000}).toEqual([]);
});

test('[RA29] of two calls of one turn the first waits on disk and the other in the agent, and each runs once', async () => {
  const {bed} = quick;
  const {client} = bed;
  const id = await quick.submit(claude('both'));
  const open = async (): Promise<readonly ApprovalView[]> =>
    (await client.call(listApprovals, {query: {task: id, state: 'open'}})).approvals;
  const approve = async (input: string): Promise<void> => {
    const ask = (await open()).find(each => JSON.stringify(each.input).includes(input));
    if (ask === undefined) throw new Error(`nothing is asked about ${input}`);
    await client.call(decideApproval, {params: {approval: ask.id}, body: {decision: 'approve'}});
  };
  await expect.poll(async () => (await open()).length, {timeout: PATIENCE_MS}).toBe(2);
  await approve('git tag b2');
  await bed.until(id, 'paused', ({state}) => state === 'paused');
  await approve('git tag b1');
  const task = await bed.finished(id);
  expect(task, await bed.log(id)).toMatchObject({state: 'succeeded', epoch: 2});
  expect(await show(task.branch, 'count.txt', quick), await bed.log(id)).toBe('b2\nb1');
});

test('[RA28] what nobody decides in time is rejected, and the agent goes on', async () => {
  const hasty = await openStage(
    {slow: tagging('slow')},
    {'charter.yaml': charter, 'policy.json': JSON.stringify({version: 1, approvals: {expires_ms: 2_000}})},
  );
  try {
    const id = await hasty.submit(claude('slow'));
    const task = await hasty.bed.finished(id);
    expect(task.state, await hasty.bed.log(id)).toBe('succeeded');
    await expect(show(task.branch, 'count.txt', hasty)).rejects.toThrow('does not exist');
    expect(await hasty.bed.log(id)).toContain('denied Bash: rejected: nobody decided in time');
    const {approvals} = await hasty.bed.client.call(listApprovals, {query: {task: id}});
    expect(approvals).toMatchObject([{state: 'expired', decided_by: null}]);
  } finally {
    await hasty.stop();
  }
});
