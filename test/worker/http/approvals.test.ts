import {beforeAll, describe, expect, test} from 'vitest';
import type {ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {call, json, migrated, newPool, newTask, newToken, problem} from './api-world.ts';
import {enrolled, runAttempt, type RunningAttempt} from './runner-world.ts';

beforeAll(migrated);

type World = {
  readonly admin: string;
  readonly task: TaskView;
  readonly attempt: RunningAttempt;
  readonly approval: ApprovalView;
};

/** An agent that has asked a person. */
async function asked(over: object = {}): Promise<Omit<World, 'approval'>> {
  const {token: admin} = await newPool();
  const machine = await enrolled(admin);
  const task = await newTask(admin);
  const attempt = await runAttempt(machine);
  attempt.ask({
    id: 'toolu_1',
    kind: 'permission',
    tool: 'Bash',
    input: '{"command":"git push"}',
    reason: 'the charter asks a person about: git push',
    rule: 'git push',
    expires_in_ms: 3_600_000,
    ...over,
  });
  return {admin, task, attempt};
}

/** An agent that waits for a person. */
async function asking(): Promise<World> {
  const world = await asked();
  await expect.poll(async () => (await inbox(world.admin)).approvals.length).toBe(1);
  const [approval] = (await inbox(world.admin)).approvals;
  if (approval === undefined) throw new Error('nothing was asked');
  return {...world, approval};
}

async function inbox(token: string, query = 'state=open'): Promise<{approvals: ApprovalView[]; next: string | null}> {
  return json(await call(`/v1/approvals?${query}`, {token}), 200);
}

const decide = async (token: string, {id}: ApprovalView, body: object): Promise<Response> =>
  call(`/v1/approvals/${id}/decision`, {method: 'POST', token, body});

describe('the inbox', () => {
  test('[PV14] shows what is asked, takes a decision in the name of the credential and tells the runner', async () => {
    const {admin, task, attempt, approval} = await asking();
    expect(approval).toMatchObject({state: 'open', task: task.id, tool: 'Bash', input: {command: 'git push'}});
    expect((await json<TaskView>(await call(`/v1/tasks/${task.id}`, {token: admin}), 200)).waiting_for).toContain(
      'approval',
    );
    const writer = await newToken(admin, 'write');
    const decided = await json<ApprovalView>(
      await decide(writer, approval, {decision: 'approve', reason: 'it is fine'}),
      200,
    );
    expect(decided).toMatchObject({state: 'approved', decided_by: 'write', text: 'it is fine'});
    expect(await attempt.answer()).toMatchObject({id: 'toolu_1', decision: 'approve', by: 'write'});
    expect((await inbox(admin)).approvals).toEqual([]);
    expect((await inbox(admin, `task=${task.id}`)).approvals).toEqual([decided]);
    const again = await decide(admin, approval, {decision: 'approve'});
    expect(await json<ApprovalView>(again, 200)).toEqual(decided);
    expect(await problem(await decide(admin, approval, {decision: 'reject'}))).toMatchObject({
      status: 409,
      code: 'already_decided',
    });
  });

  test('[PV14] needs the scope to write, and shows a pool nothing of another', async () => {
    const {admin, approval} = await asking();
    const reader = await newToken(admin, 'read');
    expect((await decide(reader, approval, {decision: 'approve'})).status).toBe(403);
    const other = await newPool();
    expect((await decide(other.token, approval, {decision: 'approve'})).status).toBe(404);
    expect((await call(`/v1/approvals/${approval.id}`, {token: other.token})).status).toBe(404);
    expect((await inbox(other.token)).approvals).toEqual([]);
    expect((await decide(admin, approval, {decision: 'answer', text: ''})).status).toBe(400);
  });

  test('[PV4] an ask that nobody decides is rejected by the alarm', async () => {
    const {admin, task, attempt} = await asked({expires_in_ms: 1_500});
    expect(await attempt.answer()).toMatchObject({decision: 'reject', by: null});
    expect((await inbox(admin, `task=${task.id}`)).approvals).toMatchObject([{state: 'expired'}]);
  });
});
