import {expect, test} from 'vitest';
import {timeoutMsOf} from '@switchyard/shared/domain/role-defaults.ts';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {toolProfiles, toolsOf} from '@switchyard/shared/policy/tool-profile.ts';
import {olderAgent, olderAgentNames} from '@switchyard/shared/prompts/older-agent.ts';
import {taskSpecOf} from '../../../runner/src/commands/task-spec-options.ts';

const here = {cwd: import.meta.dirname};
const specOf = (options: object) =>
  taskSpecSchema.parse(taskSpecOf('x', {check: [], label: [], agent: 'claude', ...options}, here));

test.for([
  ['product_owner', 'starter', 'readonly', 300],
  ['project_manager', 'starter', 'readonly', 300],
  ['scrum_master', 'starter', 'readonly', 300],
  ['support', 'starter', 'readonly', 300],
  ['triage', 'starter', 'readonly', 180],
  ['architect', 'starter', 'readonly', 600],
  ['developer', 'coding', 'developer', 900],
  ['reviewer', 'reviewer', 'readonly', 300],
  ['healthcheck', 'verifier', 'developer', 3_600],
  ['qa', 'verifier', 'developer', 600],
  ['release', 'deployer', 'developer', 300],
] as const)('[PM18] %s of an older system is a %s that is %s and has %i s', ([name, type, profile, seconds]) => {
  expect(olderAgent(name)).toEqual({type, profile, timeoutMs: seconds * 1_000});
});

test('[PM18] a task may be given to an agent of an older system, and says otherwise as usual', () => {
  expect(olderAgentNames).toHaveLength(11);
  for (const name of olderAgentNames.filter(each => each !== 'reviewer')) {
    const spec = specOf({role: name});
    const older = olderAgent(name);
    expect(spec.agent).toMatchObject({type: older?.type, profile: older?.profile});
    expect(toolsOf(spec.agent)).toEqual(toolProfiles[older?.profile ?? 'full-access']);
    expect(timeoutMsOf(spec)).toBe(older?.timeoutMs);
  }
  expect(timeoutMsOf(specOf({role: 'qa', timeout: '1h'}))).toBe(3_600_000);
  expect(specOf({role: 'qa', profile: 'readonly'}).agent.profile).toBe('readonly');
});

test('[PM18] a name that both know is ours, and one that nobody knows is none', () => {
  expect(timeoutMsOf(specOf({role: 'reviewer'}))).toBe(1_800_000);
  expect(olderAgent('toString')).toBeUndefined();
  expect(() => specOf({role: 'manager'})).toThrow('--role is "manager"');
});
