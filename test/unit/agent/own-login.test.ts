import {expect, test} from 'vitest';
import {taskSpecSchema} from '@switchyard/shared/domain/task-spec.ts';
import {acpDriver} from '../../../runner/src/agent/acp/acp-driver.ts';
import {claudeDriver} from '../../../runner/src/agent/claude/claude-driver.ts';
import {ownLoginOf} from '../../../runner/src/agent/own-login.ts';
import {defaultPolicy, judge, policySchema} from '../../../runner/src/state/policy-file.ts';
import {driverInput} from './driver-input.ts';

const specOf = (driver: 'claude' | 'codex') => taskSpecSchema.parse({prompt: 'do it', agent: {driver}});
const own = policySchema.parse({
  version: 1,
  agents: {claude: {login: 'own', repositories: {allow: ['https://github.com/me/*']}}},
});
const place = {env: {}, home: '/home/me'};

test('[OL1] nobody uses the login of a person unless the policy of the machine says so, and only for claude', () => {
  expect(ownLoginOf(defaultPolicy, 'claude', place)).toBeNull();
  expect(ownLoginOf(own, 'codex', place)).toBeNull();
  expect(ownLoginOf(own, 'claude', place)).toEqual({configDirectory: '/home/me/.claude'});
  const elsewhere = {...place, env: {CLAUDE_CONFIG_DIR: '/srv/claude'}};
  expect(ownLoginOf(own, 'claude', elsewhere)).toEqual({configDirectory: '/srv/claude'});
});

test('[OL2] the program is told where the login is and nothing else: no proxy, no token, no key, none of its settings', () => {
  const model = {configDirectory: '/home/me/.claude'};
  const {argv, env, files} = claudeDriver.plan(driverInput(specOf('claude'), {model}));
  expect(env['CLAUDE_CONFIG_DIR']).toBe('/home/me/.claude');
  expect(Object.keys(env).filter(name => /ANTHROPIC|TOKEN|KEY|HOST|^HOME$/.test(name))).toEqual([]);
  expect(argv[argv.indexOf('--setting-sources') + 1]).toBe('');
  // Files of ours lie in the home of the attempt: nothing of the person's folder is written.
  expect(files.every(({path}) => !path.startsWith('/') && !path.includes('..'))).toBe(true);
  expect(() => acpDriver('codex').plan(driverInput(specOf('codex'), {model}))).toThrow('needs a key');
});

test('[OL3] a login does not leave the host, nor work for a repository that its owner does not name', () => {
  const spec = specOf('claude');
  expect(judge(own, spec, 'https://github.com/me/shop')).toEqual({allowed: true});
  expect(judge(own, spec, undefined)).toEqual({allowed: true});
  expect(judge(own, spec, 'https://github.com/other/shop')).toMatchObject({
    allowed: false,
    code: 'policy_refused',
    detail: expect.stringContaining('for it the repository https://github.com/other/shop is not allowed'),
  });
  expect(judge(own, specOf('codex'), 'https://github.com/other/shop')).toEqual({allowed: true});
  const walled = {...own, executors: ['host', 'docker']};
  // The schema of this version knows the host alone; the rule holds for every executor to come.
  const elsewhere = {...spec, executor: 'docker'} as unknown as typeof spec;
  expect(judge(walled, elsewhere, 'https://github.com/me/shop')).toMatchObject({
    allowed: false,
    detail: expect.stringContaining('does not leave the host'),
  });
});
