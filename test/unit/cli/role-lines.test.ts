import {expect, test} from 'vitest';
import {roleLines} from '../../../runner/src/commands/role-lines.ts';
import {taskSpecOf} from '../../../runner/src/commands/task-spec-options.ts';
import {UsageError} from '../../../runner/src/commands/usage-error.ts';

const shown = (role: string, outcome: Parameters<typeof roleLines>[0]['outcome']): string =>
  roleLines({prompt: `${role}@1.0.0`, outcome}).join('\n');

test.for([
  [
    'starter',
    {
      event: 'task.plan.created',
      plan: {
        summary: 'Use the name.',
        affectedFiles: [{path: 'page.ts', action: 'modify', description: 'the greeting'}],
        steps: ['Read the name', 'Show it\nin bold'],
        testingStrategy: 'A test of the page.',
      },
    },
  ],
  ['coding', {event: 'pr.created', title: 'Greet by name', summary: 'Uses the name.\nAnd tests it.'}],
  [
    'reviewer',
    {
      event: 'pr.changes.requested',
      scores: {correctness: 5, quality: 4, security: 2, tests: 4, docs: 3},
      reviewComments: 'a.ts:7 leaks the key.',
    },
  ],
  ['deployer', {event: 'deploy.completed', url: 'https://shop.example', status: 'answers 200'}],
  [
    'verifier',
    {
      event: 'verify.failed',
      bug: {description: 'No name.', steps: ['Sign in', 'Look'], expected: 'Hello, Ada', actual: 'Hello, undefined'},
    },
  ],
  [
    'auditor',
    {
      event: 'audit.completed',
      summary: 'Two faults.',
      findings: [
        {severity: 'high', category: 'bug', title: 'Sign-in fails', description: `It ${'really '.repeat(20)}fails.`},
        {severity: 'low', category: 'ux', title: 'Grey on grey', description: 'Hard to read.', steps: ['Open it']},
      ],
    },
  ],
] as const)('[CL28] the outcome of %s is read without knowing JSON', async ([role, outcome]) => {
  const text = shown(role, structuredClone(outcome));
  expect(text).not.toMatch(/[{}"]|undefined (?!$)/m);
  await expect(`${text}\n`).toMatchFileSnapshot(`snapshots/outcome-${role}.txt`);
});

test('[CL28] without an outcome the prompt is named, and one of a later prompt is shown as it is', () => {
  expect(shown('coding', null)).toBe('  prompt  coding@1.0.0');
  expect(shown('coding', {event: 'pr.stacked', onto: 7, notes: []})).toContain('onto: 7');
});

test('[CL4] what an agent states cannot control the terminal', () => {
  const evil = 'a\u001b[2J\u202e';
  const text = shown('coding', {event: evil, title: evil, list: [evil, {[evil]: `${evil}\n${evil}`}]});
  expect(text).not.toMatch(/[\u001b\u202e]/);
});

const none = {check: [], label: []};
const here = {cwd: import.meta.dirname};

test('[CL8] a role, its brief and the wish for the prompt as it is make a spec', () => {
  const role = {...none, agent: 'claude', role: 'coding'};
  expect(taskSpecOf('x', role, here).agent).toEqual({driver: 'claude', model: undefined, type: 'coding'});
  expect(taskSpecOf('x', {...role, asIs: true}, here).agent).toMatchObject({prompt: 'as_is', type: 'coding'});
  const brief = '{"review_feedback": "The test cannot fail."}';
  expect(taskSpecOf('x', {...role, brief}, here).brief).toEqual({review_feedback: 'The test cannot fail.'});
});

test.for([
  ['a brief that is not JSON', {agent: 'claude', role: 'coding', brief: '{'}, '--brief is not JSON'],
  ['a brief with an unknown field', {agent: 'claude', role: 'coding', brief: '{"x": 1}'}, '--brief'],
  ['a brief without a role', {agent: 'claude', brief: '{}'}, 'brief: only the prompt of a role'],
  ['a brief that nobody reads', {agent: 'claude', role: 'coding', asIs: true, brief: '{}'}, 'brief: only'],
] as const)('[CL8] %s is a wrong call', ([, options, why]) => {
  expect(() => taskSpecOf('do it', {...none, ...options}, here)).toThrow(UsageError);
  expect(() => taskSpecOf('do it', {...none, ...options}, here)).toThrow(why);
});
