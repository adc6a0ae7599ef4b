import {expect, test} from 'vitest';
import {expectsChange, promptRoleOf, roleOf, timeoutMsOf} from '@switchyard/shared/domain/role-defaults.ts';
import {taskSpecSchema, type TaskSpecInput} from '@switchyard/shared/domain/task-spec.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {profileOf, toolProfiles, toolsOf} from '@switchyard/shared/policy/tool-profile.ts';
import {ruleOfRole, type Role} from '@switchyard/shared/prompts/role.ts';

const roles: readonly Role[] = ['starter', 'coding', 'reviewer', 'deployer', 'verifier', 'auditor'];
const specOf = (spec: Partial<TaskSpecInput>) => taskSpecSchema.parse({prompt: 'do it', ...spec});
const faultOf = (spec: Partial<TaskSpecInput>): string | undefined =>
  taskSpecSchema.safeParse({prompt: 'do it', ...spec}).error?.issues[0]?.path.join('.');

test.for(roles)('[PM9] what a task of %s does not state is that of its role', type => {
  const spec = specOf({agent: {type, driver: 'claude'}});
  expect(timeoutMsOf(spec)).toBe(ruleOfRole(type).timeoutMs);
  expect(toolsOf(spec.agent)).toEqual(toolProfiles[ruleOfRole(type).profile]);
  expect(expectsChange(spec)).toBe(type === 'coding');
  expect(promptRoleOf(spec.agent)).toBe(type);
});

test('[PM9] a task that names no role has the time of every task, and codes', () => {
  const spec = specOf({});
  expect(timeoutMsOf(spec)).toBe(limits.taskTimeoutDefaultMs);
  expect([roleOf(spec.agent), profileOf(spec.agent), expectsChange(spec)]).toEqual(['coding', 'developer', true]);
});

test('[PM10] tools come before the profile, the profile before the role, the role before what holds for all', () => {
  const type = 'reviewer';
  expect(toolsOf(specOf({agent: {type, profile: 'developer', tools: ['Read', 'Bash']}}).agent)).toEqual([
    'Read',
    'Bash',
  ]);
  expect(toolsOf(specOf({agent: {type, profile: 'developer'}}).agent)).toEqual(toolProfiles.developer);
  expect(toolsOf(specOf({agent: {type}}).agent)).toEqual(toolProfiles.readonly);
  expect(toolsOf(specOf({}).agent)).toEqual(toolProfiles.developer);
  expect(timeoutMsOf(specOf({agent: {type}, timeout_ms: 5_000}))).toBe(5_000);
  expect(expectsChange(specOf({agent: {type}, expect_change: true}))).toBe(true);
  expect(expectsChange(specOf({expect_change: false}))).toBe(false);
});

test.for([
  ['a model without a role', {driver: 'claude'}, undefined],
  ['a model with a role', {driver: 'codex', type: 'reviewer'}, 'reviewer'],
  ['a model whose role is to leave the prompt alone', {driver: 'claude', type: 'reviewer', prompt: 'as_is'}, undefined],
  ['a model that is to have the usual role', {driver: 'gemini', prompt: 'role'}, 'coding'],
  ['a program', {driver: 'exec', type: 'reviewer'}, undefined],
  ['the scripted agent', {driver: 'scripted', type: 'reviewer'}, undefined],
] as const)('[PM11] %s is told the right prompt', ([, agent, role]) => {
  expect(promptRoleOf(specOf({agent: {...agent, command: ['true']}}).agent)).toBe(role);
});

test('[PM11] the prompt of a role for what asks no model, and a brief that nobody would read, are refused', () => {
  expect(faultOf({agent: {driver: 'scripted', prompt: 'role'}})).toBe('agent.prompt');
  expect(faultOf({agent: {driver: 'exec', command: ['true'], prompt: 'role'}})).toBe('agent.prompt');
  const brief = {review_feedback: 'The test cannot fail.'};
  expect(faultOf({brief})).toBe('brief');
  expect(faultOf({brief, agent: {driver: 'claude'}})).toBe('brief');
  expect(faultOf({brief, agent: {driver: 'claude', type: 'coding', prompt: 'as_is'}})).toBe('brief');
  expect(faultOf({brief, agent: {driver: 'claude', type: 'coding'}})).toBeUndefined();
});

const wide = (size: number, of: (index: number) => unknown) => Array.from({length: size}, (_, index) => of(index));
const most = limits.briefEntriesMax;
const long = limits.briefTextCharactersMax;
test.for([
  ['a review', (size: number) => ({review_feedback: 'a'.repeat(size)}), long],
  ['focus areas', (size: number) => ({focus_areas: wide(size, () => 'a')}), most],
  ['ancestors', (size: number) => ({ancestors: wide(size, () => 'a')}), most],
  ['siblings', (size: number) => ({siblings: wide(size, () => 'a')}), most],
  ['comments', (size: number) => ({comments: wide(size, () => ({author: 'a', text: 'b'}))}), most],
  ['a comment', (size: number) => ({comments: [{author: 'a', text: 'b'.repeat(size)}]}), long],
  ['repositories', (size: number) => ({repositories: wide(size, () => ({name: 'a', about: 'b'}))}), most],
] as const)('[PM12] %s has its limit in a brief', ([, of, max]) => {
  const takes = (brief: unknown): boolean =>
    taskSpecSchema.safeParse({prompt: 'x', agent: {driver: 'claude', type: 'coding'}, brief}).success;
  expect([takes(of(1)), takes(of(max)), takes(of(max + 1))]).toEqual([true, true, false]);
  expect(takes({...of(1), reviewer: 'ada'})).toBe(false);
});
