import {expect, test} from 'vitest';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {statedOutcomeSchema} from '@switchyard/shared/protocol/exit-record.ts';
import type {AgentEnd} from '../../../runner/src/attempt/attempt-work.ts';
import {roleComplaint, roleEnd} from '../../../runner/src/attempt/role-outcome.ts';

const specOf = (agent: TaskSpecInput['agent']) => taskSpecSchema.parse({prompt: 'do it', agent});
const endOf = (summary: string | null, result: AgentEnd['result'] = null): AgentEnd => ({
  exitCode: 0,
  signal: null,
  summary,
  result,
});
const block = (value: unknown): string => `\n\`\`\`json\n${JSON.stringify(value)}\n\`\`\`\n`;
const reviewer = specOf({type: 'reviewer', driver: 'claude'});
const deployer = specOf({type: 'deployer', driver: 'codex'});
const scores = {correctness: 4, quality: 4, security: 2, tests: 4, docs: 4};
const asked = {event: 'pr.changes.requested', scores, reviewComments: 'a.ts:1 leaks the key.'};

test('[PM13] an outcome that counts is work done, also where it is bad news, and its prose is what people read', () => {
  const {end, outcome} = roleEnd(reviewer, endOf(`I read it all.${block(asked)}One thing is left.`));
  expect(outcome).toEqual(asked);
  expect(end).toEqual(endOf('I read it all.\n\nOne thing is left.'));
  expect(roleEnd(reviewer, endOf(block(asked))).end.summary).toBeNull();
});

test.for([
  [null, 'no block'],
  ['I approve.', 'no block'],
  [block({event: 'pr.approved', scores, summary: 'fine'}), 'an approval needs 3'],
])('[PM14] without an outcome that counts the attempt has failed: %j', ([said, why]) => {
  const {end, outcome} = roleEnd(reviewer, endOf(said ?? null));
  expect(outcome).toBeNull();
  expect(end.result).toMatchObject({kind: 'failed', code: 'outcome_missing', retryable: false});
  expect(end.result).toHaveProperty('detail', expect.stringContaining(why ?? ''));
  expect(roleComplaint(reviewer, said ?? '')).toContain(why);
});

test('[PM15] a task that its agent gives back has failed with the reason, for a person to read', () => {
  const outcome = {event: 'agent.escalation', reason: 'Which of the two shops?'};
  const ended = roleEnd(reviewer, endOf(`I cannot know.${block(outcome)}`));
  expect(ended.outcome).toEqual(outcome);
  expect(ended.end.result).toEqual({
    kind: 'failed',
    code: 'agent_escalated',
    detail: 'Which of the two shops?',
    retryable: false,
  });
});

test('[PM15] a deployment that does not run has failed', () => {
  const outcome = {event: 'deploy.failed', error: 'port 80 answers 502', logs: 'x'};
  expect(roleEnd(deployer, endOf(block(outcome)))).toMatchObject({
    outcome,
    end: {result: {kind: 'failed', code: 'deploy_failed', detail: 'port 80 answers 502'}},
  });
  const good = {event: 'deploy.completed', url: 'https://shop.example', status: 'up'};
  expect(roleEnd(deployer, endOf(block(good))).end.result).toBeNull();
});

test.for([
  [{driver: 'claude'}],
  [{type: 'reviewer', driver: 'claude', prompt: 'as_is'}],
  [{type: 'reviewer', driver: 'exec', command: ['true']}],
  [{type: 'reviewer', driver: 'scripted'}],
] satisfies [TaskSpecInput['agent']][])('[PM14] nothing is asked of %j', ([agent]) => {
  const end = endOf(`Done.${block({event: 'agent.escalation', reason: 'x'})}`);
  expect(roleEnd(specOf(agent), end)).toEqual({end, outcome: null});
  expect(roleComplaint(specOf(agent), 'Done.')).toBeNull();
});

test('[PM14] an attempt that has failed already stays as it is', () => {
  const end = endOf('x', {kind: 'failed', code: 'turn_limit', detail: 'y', retryable: false});
  expect(roleEnd(reviewer, end)).toEqual({end, outcome: null});
});

test('[PM23] a review is bound to the commit that its worktree began at, whatever its agent says', () => {
  const sha = 'c'.repeat(40);
  expect(roleEnd(reviewer, endOf(block(asked)), sha).outcome).toEqual({...asked, commit: sha});
  const forged = block({...asked, commit: 'd'.repeat(40)});
  expect(roleEnd(reviewer, endOf(forged), sha).end.result).toMatchObject({code: 'outcome_missing'});
  const good = {event: 'deploy.completed', url: 'https://shop.example', status: 'up'};
  expect(roleEnd(deployer, endOf(block(good)), sha).outcome).toEqual(good);
  const longest = {...asked, reviewComments: '語'.repeat(20_000)};
  const {outcome} = roleEnd(reviewer, endOf(block(longest)), 'c'.repeat(64));
  expect(statedOutcomeSchema.safeParse(outcome).success).toBe(true);
});
