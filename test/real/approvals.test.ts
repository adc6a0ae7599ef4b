import {join} from 'node:path';
import {execa} from 'execa';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {decideApproval, listApprovals, type ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import type {TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {call, chosenBy, say, shell, turn, write, type Scenario} from '../fixtures/model-api/scenario.ts';
import {openStage, type Stage} from './stage.ts';

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
}, 900_000);
afterAll(async () => stage.stop(), 120_000);

const claude = (scenario: string): TaskSpecInput => ({
  prompt: `Please do the work. ${chosenBy(scenario)}`,
  agent: {driver: 'claude'},
});

async function asked(task: TaskView['id'], state: ApprovalView['state'] = 'open'): Promise<ApprovalView> {
  const find = async (): Promise<ApprovalView | undefined> =>
    (await stage.bed.client.call(listApprovals, {query: {task, state}})).approvals[0];
  await expect.poll(find, {timeout: 60_000}).toBeDefined();
  const found = await find();
  if (found === undefined) throw new Error('nothing is asked');
  return found;
}

const show = async (branch: string | null, path: string): Promise<string> =>
  (await execa('git', ['-C', stage.repository.path, 'show', `${branch}:${path}`])).stdout;

test('[RA20] a call that the charter escalates waits for a person, and runs once when it is approved', async () => {
  const id = await stage.submit(claude('granted'));
  const approval = await asked(id);
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
  const {id: approval} = await asked(id);
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
  const before = await asked(id);
  await stage.runner.kill('SIGKILL');
  await stage.bed.killPlane();
  await stage.bed.startPlane();
  await stage.runner.start();
  const approval = await asked(id);
  expect(approval.id).toBe(before.id);
  await stage.bed.client.call(decideApproval, {params: {approval: approval.id}, body: {decision: 'approve'}});
  const task = await stage.bed.finished(id, 60_000);
  expect(task, await stage.bed.log(id)).toMatchObject({state: 'succeeded', epoch: 1});
  expect(await show(task.branch, 'count.txt')).toBe('once');
});

test('[RA24] a question of the agent is answered from the command line, and the answer is what its tool says', async () => {
  const id = await stage.submit(claude('question'));
  const approval = await asked(id);
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
