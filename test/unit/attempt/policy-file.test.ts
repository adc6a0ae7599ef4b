import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import type {TaskSpec} from '@switchyard/shared/domain/task-spec.ts';
import {defaultPolicy, judge, matches, policySchema, readPolicyFile} from '../../../runner/src/state/policy-file.ts';
import {specOf} from './attempt-scene.ts';

describe('the file', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'switchyard-policy-'));
  });
  afterEach(async () => {
    await rm(directory, {recursive: true, force: true});
  });

  test('[PO1] Without a file the default allows what the pool signs, and says that it is the default', async () => {
    const {policy, isDefault} = await readPolicyFile(join(directory, 'policy.json'));
    expect(isDefault).toBe(true);
    const spec = specOf({agent: {driver: 'exec', command: ['sh', '-c', 'true']}, timeout_ms: 43_200_000});
    expect(judge(policy, spec, 'https://github.com/o/r')).toEqual({allowed: true});
    expect(judge(policy, spec, undefined)).toEqual({allowed: true});
  });

  test.for([
    ['not JSON', '{'],
    ['an unknown field', '{"version":1,"repositorys":{}}'],
    ['another version', '{"version":2}'],
    ['an empty file', ''],
    ['a pattern that is no name', '{"version":1,"environment":{"allow":["A B"]}}'],
  ] as const)('[PO1] A broken file refuses the start: %s', async ([, text]) => {
    const path = join(directory, 'policy.json');
    await writeFile(path, text);
    await expect(readPolicyFile(path)).rejects.toMatchObject({code: 'configuration_invalid'});
  });
});

const policy = policySchema.parse({
  version: 1,
  repositories: {allow: ['https://github.com/acme/*'], deny: ['**/secret-*']},
  allow_no_repository: false,
  drivers: ['exec'],
  commands: {allow: ['npm', '/opt/tools/**']},
  timeout_max_ms: 60_000,
});
const good = specOf({agent: {driver: 'exec', command: ['npm', 'test']}, timeout_ms: 60_000});
const repository = 'https://github.com/acme/shop';

test('[PO2] What the policy allows is allowed', () => {
  expect(judge(policy, good, repository)).toEqual({allowed: true});
});

test.for([
  ['the repository', good, 'https://github.com/other/shop', 'not allowed'],
  ['a repository below an allowed one', good, 'https://github.com/acme/shop/evil', 'not allowed'],
  ['a denied repository', good, 'https://github.com/acme/secret-plans', 'denied'],
  ['a task without a repository', good, undefined, 'without a repository'],
  ['the driver', {...good, agent: {...good.agent, driver: 'scripted'}}, repository, 'driver scripted'],
  ['the command', specOf({agent: {driver: 'exec', command: ['rm', 'x']}, timeout_ms: 1_000}), repository, 'command rm'],
  ['a check', {...good, checks: [['npm', 'test'], ['/opt/tools/../../bin/rm']]}, repository, 'command /opt'],
  ['the time', {...good, timeout_ms: 60_001}, repository, '60001 ms'],
] satisfies [string, TaskSpec, string | undefined, string][])(
  '[PO2] The policy refuses by name: %s',
  ([, spec, of, why]) => {
    expect(judge(policy, spec, of)).toMatchObject({
      allowed: false,
      code: 'policy_refused',
      detail: expect.stringContaining(why),
    });
  },
);

const wish = (agent: Partial<TaskSpec['agent']>): TaskSpec => specOf({agent: {driver: 'claude', ...agent}});

test.for([
  ['the profile', {profile: 'full-access'}, 'the tool Task'],
  ['a tool of that profile', {profile: 'readonly', tools: ['Read', 'WebFetch']}, 'the tool WebFetch'],
  ['a tool of no profile', {tools: ['mcp__evil__run']}, 'the tool mcp__evil__run'],
] satisfies [string, Partial<TaskSpec['agent']>, string][])(
  '[PO4] More than the profile developer is refused outside container and VM, with the line to write: %s',
  ([, agent, what]) => {
    expect(judge(defaultPolicy, wish(agent), repository)).toEqual({
      allowed: false,
      code: 'policy_refused',
      detail: `${what} is of the profile full-access, which the executor host does not allow here: its owner can write "full_access": ["docker","lima","host"] in policy.json`,
    });
    const own = policySchema.parse({version: 1, full_access: ['docker', 'lima', 'host']});
    expect(judge(own, wish(agent), repository)).toEqual({allowed: true});
  },
);

test.for([{profile: 'developer'}, {tools: ['Bash', 'Read']}, {type: 'reviewer'}] satisfies Partial<
  TaskSpec['agent']
>[])('[PO4] What the profile developer has is allowed on the host: %o', agent => {
  expect(judge(defaultPolicy, wish(agent), repository)).toEqual({allowed: true});
});

test('[PO2] An executor that is not listed is refused', () => {
  expect(judge({...defaultPolicy, executors: []}, good, repository)).toMatchObject({allowed: false});
});

test.for([
  ['https://github.com/acme/*', 'https://github.com/acme/shop', true],
  ['https://github.com/acme/*', 'https://github.com/acme/shop/x', false],
  ['https://github.com/acme/**', 'https://github.com/acme/shop/x', true],
  ['https://github.com/acme/*', 'https://githubXcom/acme/shop', false],
  ['https://github.com/acme/*', 'evil https://github.com/acme/shop', false],
  ['**', 'anything\nat all', true],
  ['a+b(c)', 'a+b(c)', true],
  ['a+b(c)', 'aab(c)', false],
] as const)('[PO3] %s matches %s: %s', ([pattern, text, expected]) => {
  expect(matches(pattern, text)).toBe(expected);
});
