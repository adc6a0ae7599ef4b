import {existsSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {execa} from 'execa';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {decideApproval, listApprovals, type ApprovalView} from '@switchyard/shared/api/approval-contracts.ts';
import type {TaskView} from '@switchyard/shared/api/task-view.ts';
import {chosenBy, say, shell, turn, write, type Scenario} from '../fixtures/model-api/scenario.ts';
import {until} from '../fixtures/until.ts';
import {openStage, PATIENCE_MS, type Stage} from './stage.ts';

const charter = `
name: patient
safetyHeuristics:
  escalate:
    - name: marks are for people
      command: [touch, marked*]
`;

/** The call is made again by an agent that goes on. */
const marking: Scenario = [
  turn(write('a.txt', 'a\n')),
  turn(shell('touch marked-file && echo once >> count.txt')),
  turn(shell('touch marked-file && echo once >> count.txt')),
  turn(say('done')),
];

/** What opencode runs when it starts, if it lies in its home. */
const planted = join(tmpdir(), `planted-${process.pid}`);
const plugin = `import {writeFileSync} from 'node:fs'; writeFileSync('${planted}', ''); export const P = async () => ({});`;
const planting: Scenario = [
  turn(
    shell(`mkdir -p ~/.config/opencode/plugin; echo "${plugin}" > ~/.config/opencode/plugin/evil.js; echo a > a.txt`),
  ),
  ...marking.slice(1),
];

const held: Scenario = [{...turn(shell('echo once >> count.txt')), hold: 'first'}, turn(say('done'))];

const agents = [
  {driver: 'codex', model: 'gpt-5'},
  {driver: 'gemini', model: 'gemini-2.5-pro'},
  {driver: 'opencode', model: 'm'},
] as const;

let stage: Stage;
beforeAll(async () => {
  const scenarios = agents.flatMap(({driver}) => [
    [`approved-${driver}`, driver === 'opencode' ? planting : marking] as const,
    [`rejected-${driver}`, marking] as const,
    [`held-${driver}`, held] as const,
  ]);
  stage = await openStage(Object.fromEntries(scenarios), {
    'charter.yaml': charter,
    'policy.json': JSON.stringify({version: 1, approvals: {hold_ms: 1_000}}),
  });
}, 900_000);
afterAll(async () => stage.stop(), 120_000);

const approvalsOf = async (task: TaskView['id']): Promise<readonly ApprovalView[]> =>
  (await stage.bed.client.call(listApprovals, {query: {task}})).approvals;

async function paused(task: TaskView['id']): Promise<ApprovalView> {
  await stage.bed.until(task, 'paused', ({state}) => state === 'paused');
  const [approval, ...more] = await approvalsOf(task);
  if (approval === undefined || more.length > 0) throw new Error('not one question');
  return approval;
}

/** gemini names the file of a session by the minute in which it began, and begins it anew when it loads it in the same one. */
async function nextMinute(): Promise<void> {
  const minute = (): number => Math.floor(Date.now() / 60_000);
  const before = minute();
  await expect.poll(minute, {timeout: 90_000, interval: 500}).toBeGreaterThan(before);
}

const show = async (branch: string | null, path: string): Promise<string> =>
  (await execa('git', ['-C', stage.repository.path, 'show', `${branch}:${path}`])).stdout;

test.for(agents)(
  '[RA108] $driver is put off, waits on disk through the death of everything, and goes on in its session with its call, which runs once',
  {timeout: 600_000},
  async agent => {
    const {bed, runner, api} = stage;
    const name = `approved-${agent.driver}`;
    const id = await stage.submit({prompt: `Please do the work. ${chosenBy(name)}`, agent});
    const approval = await paused(id);
    expect(await bed.task(id)).toMatchObject({runner: null, failures: []});
    await runner.kill('SIGKILL');
    await bed.killPlane();
    await bed.startPlane();
    await runner.start();
    if (agent.driver === 'gemini') await nextMinute();
    await bed.client.call(decideApproval, {params: {approval: approval.id}, body: {decision: 'approve'}});
    const task = await bed.finished(id, 400_000);
    const log = await bed.log(id);
    expect(task, log.slice(-6_000)).toMatchObject({state: 'succeeded', epoch: 2, failures: []});
    expect(await show(task.branch, 'count.txt'), log.slice(-6_000)).toBe('once');
    expect(await show(task.branch, 'a.txt')).toBe('a');
    // The second process asked on from where the first had stopped: the session was the same.
    expect(api.turnsPlayed(name)).toEqual([0, 1, 2, 3]);
    expect((await approvalsOf(id)).map(({state}) => state)).toEqual(['approved']);
    expect(log).toContain('put off Bash, until a person has decided');
    expect(existsSync(planted)).toBe(false);
  },
);

test.for(agents)(
  '[RA109] a call that is rejected while $driver waits on disk does not run',
  {timeout: 400_000},
  async agent => {
    const {bed} = stage;
    const id = await stage.submit({prompt: `Please do the work. ${chosenBy(`rejected-${agent.driver}`)}`, agent});
    const {id: approval} = await paused(id);
    if (agent.driver === 'gemini') await nextMinute();
    await bed.client.call(decideApproval, {params: {approval}, body: {decision: 'reject', reason: 'no marks'}});
    const task = await bed.finished(id, 240_000);
    const log = await bed.log(id);
    expect(task.state, log.slice(-6_000)).toBe('succeeded');
    expect(log).toMatch(/denied Bash: .*rejected it: no marks/);
    await expect(show(task.branch, 'count.txt')).rejects.toThrow('does not exist');
  },
);

test.for(agents)(
  '[RA114] a runner that is killed in the middle of a turn of $driver goes on with the same agent: no second prompt and no second turn',
  {timeout: 300_000},
  async agent => {
    const {bed, runner, api} = stage;
    const name = `held-${agent.driver}`;
    const prompt = `Please do the work. ${chosenBy(name)}`;
    const id = await stage.submit({prompt, agent});
    await until('the turn is asked for', () => api.turnsPlayed(name).includes(0), PATIENCE_MS);
    await runner.kill('SIGKILL');
    await runner.start();
    api.release();
    const task = await bed.finished(id, 200_000);
    expect(task, (await bed.log(id)).slice(-6_000)).toMatchObject({state: 'succeeded', epoch: 1, failures: []});
    // The way to the model was cut with the runner: the agent's program asks once more for the same turn, which runs once.
    expect([...new Set(api.turnsPlayed(name))]).toEqual([0, 1]);
    expect(await show(task.branch, 'count.txt')).toBe('once');
    const told = api.requests.filter(({scenario, tools}) => scenario === name && tools.length > 0);
    for (const {texts} of told) expect(texts.join('\n').split(prompt)).toHaveLength(2);
  },
);
