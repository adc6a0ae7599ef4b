import * as fc from 'fast-check';
import {expect, test} from 'vitest';
import {subtaskSpec} from '@switchyard/shared/domain/subtask.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {toolsOf} from '@switchyard/shared/policy/tool-profile.ts';

const types = ['starter', 'coding', 'reviewer', 'deployer', 'verifier', 'auditor'] as const;
const type = fc.option(fc.constantFrom(...types), {nil: undefined});
const agent = fc.record({
  type,
  driver: fc.constantFrom('claude', 'codex', 'gemini', 'opencode'),
  profile: fc.option(fc.constantFrom('readonly', 'developer', 'full-access'), {nil: undefined}),
  tools: fc.option(fc.subarray(['Read', 'Write', 'Bash', 'Task', 'Own']), {nil: undefined}),
});

test('[AT4] whatever a sub-task is to be, it has no tool that its parent has not', () => {
  fc.assert(
    fc.property(agent, type, (parent, wanted) => {
      const spec = taskSpecSchema.parse({prompt: 'x', agent: parent, priority: 4});
      const made = subtaskSpec(spec, {title: 'A part', prompt: 'y', agent_type: wanted});
      const allowed = toolsOf(spec.agent);
      expect(toolsOf(made.agent).filter(tool => !allowed.includes(tool))).toEqual([]);
      expect(made).toMatchObject({priority: 4, prompt: 'y', agent: {driver: parent.driver}});
      expect(made.agent.type).toBe(wanted ?? parent.type);
    }),
  );
});

test('[AT4] what only the parent is about stays with it', () => {
  const spec = taskSpecSchema.parse({
    prompt: 'x',
    agent: {type: 'coding', driver: 'claude'},
    concurrency: {key: 'one'},
    checks: [['npm', 'test']],
    metadata: {a: 'b'},
    expect_change: false,
  });
  const same = subtaskSpec(spec, {title: 'A part', prompt: 'y'});
  expect(same).toMatchObject({checks: [['npm', 'test']], metadata: {}});
  expect([same.concurrency, same.expect_change, same.brief]).toEqual([undefined, undefined, undefined]);
  expect(subtaskSpec(spec, {title: 'A part', prompt: 'y', agent_type: 'reviewer'}).checks).toEqual([]);
});

test('[AT4] what a change is to be merged into is told to a sub-task that reviews it, and no other', () => {
  const repository = {url: 'https://example.test/a.git', base: 'feature', against: 'main'};
  const spec = taskSpecSchema.parse({prompt: 'x', agent: {type: 'reviewer', driver: 'claude'}, repository});
  const made = (agent_type: 'reviewer' | 'coding') =>
    subtaskSpec(spec, {title: 'A part', prompt: 'y', agent_type}).repository;
  expect(made('reviewer')).toEqual(repository);
  expect(made('coding')).toEqual({url: repository.url, base: 'feature'});
});
