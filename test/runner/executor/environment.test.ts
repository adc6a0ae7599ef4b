import {describe, expect, test} from 'vitest';
import {agentPath} from '../../../runner/src/executor/agent-path.ts';
import {
  blockedVariableNames,
  isSecretName,
  isSecretValue,
  selectEnvironment,
} from '../../../runner/src/executor/environment.ts';

const everything = {allow: ['*']};

describe('the environment of an agent', () => {
  test('[EN1] it starts empty and takes exact names and prefixes', () => {
    const source = {PATH: '/bin', PATHS: 'x', CLAUDE_CODE_MAX_OUTPUT_TOKENS: '8000', HOME: '/root', EMPTY: undefined};
    expect(selectEnvironment(source)).toEqual({
      env: {PATH: '/bin', CLAUDE_CODE_MAX_OUTPUT_TOKENS: '8000'},
      blockedNames: [],
    });
    expect(selectEnvironment(source, {allow: []})).toEqual({env: {}, blockedNames: []});
    expect(selectEnvironment(source, {allow: ['PATH*']}).env).toEqual({PATH: '/bin', PATHS: 'x'});
  });

  test('[EN1] what steers programs, ssh and git of the runner stays out', () => {
    const names = [
      'LD_PRELOAD',
      'LD_LIBRARY_PATH',
      'DYLD_INSERT_LIBRARIES',
      'NODE_OPTIONS',
      'NODE_PATH',
      'BASH_ENV',
      'ENV',
    ];
    const ofGit = ['GIT_DIR', 'GIT_CONFIG_COUNT', 'GIT_SSH_COMMAND', 'GIT_ASKPASS', 'SSH_AUTH_SOCK', 'SSH_ASKPASS'];
    const source = Object.fromEntries([...names, ...ofGit, 'HOME', 'XDG_CONFIG_HOME'].map(name => [name, '/x']));
    expect(selectEnvironment(source)).toEqual({env: {}, blockedNames: []});
  });

  test('[EN7] what a session of an agent gives to its own children is not passed on to an agent', () => {
    const names = ['CLAUDE_CODE_SESSION_ID', 'CLAUDE_CODE_ENTRYPOINT', 'CLAUDE_CODE_SSE_PORT', 'CLAUDECODE'];
    const source = Object.fromEntries(names.map(name => [name, '1']));
    expect(selectEnvironment({...source, CLAUDE_CODE_USE_BEDROCK: '1'})).toEqual({
      env: {CLAUDE_CODE_USE_BEDROCK: '1'},
      blockedNames: [],
    });
  });

  test('[EN2] known secrets stay out although a pattern allows them', () => {
    const source = Object.fromEntries([...blockedVariableNames].map(name => [name, 'plain']));
    expect(selectEnvironment(source, everything)).toEqual({
      env: {},
      blockedNames: [...blockedVariableNames].toSorted(),
    });
    expect(blockedVariableNames.size).toBeGreaterThanOrEqual(13);
  });

  test.for([
    'MY_KEY',
    'my_token',
    'DB_PASSWORD',
    'CLIENT_SECRET',
    'ANTHROPIC_AUTH_TOKEN',
    'OPENAI_ADMIN_KEY',
    'CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR',
    'TOKEN',
    'SECRET_VALUE',
    'SWITCHYARD_KEYS_PASSPHRASE',
    'APIKEY',
    'GOOGLE_APPLICATION_CREDENTIALS',
    'ANTHROPIC_KEYS',
  ])('[EN2] the name %s is one of a secret', name => expect(isSecretName(name)).toBe(true));

  test.for([
    `sk-ant-${'api03-'.repeat(4)}`,
    `sk-proj-${'a'.repeat(20)}`,
    `ghp_${'a'.repeat(36)}`,
    `ghs_${'a'.repeat(36)}`,
    `github_pat_${'a'.repeat(30)}`,
    `AKIA${'A'.repeat(16)}`,
    `xoxb-${'1'.repeat(12)}`,
    `eyJ${'a'.repeat(20)}.${'b'.repeat(20)}.c`,
    'Bearer abc',
    'Authorization: Bearer abc',
    'x-api-key: abc\nx-other: d',
    `{"key":"sk-ant-${'x'.repeat(20)}"}`,
    'postgres://user:word@db/x',
    '-----BEGIN OPENSSH PRIVATE KEY-----\nabc',
  ])('[EN3] the value %s is one of a secret', value => {
    expect(isSecretValue(value)).toBe(true);
    expect(selectEnvironment({PLAIN: value}, everything)).toEqual({env: {}, blockedNames: ['PLAIN']});
  });

  test.for([
    ['CLAUDE_CODE_MAX_OUTPUT_TOKENS', '1000'],
    ['KEY_REPEAT', '30'],
    ['KEYBOARD', 'de'],
    ['ANTHROPIC_BASE_URL', 'http://127.0.0.1:9999/anthropic'],
    ['BRANCH', 'task-1234567890abcdef'],
    ['REMOTE', 'ssh://git@example.com/a.git'],
  ] as const)('[EN4] %s=%s gets in', ([name, value]) => {
    expect(selectEnvironment({[name]: value}, everything)).toEqual({env: {[name]: value}, blockedNames: []});
  });

  test('[EN5] nothing of a blocked value is returned', () => {
    const result = selectEnvironment(
      {API_KEY: 'canary-1', OTHER: `ghp_canary${'2'.repeat(30)}`, OK: 'yes'},
      everything,
    );
    expect(JSON.stringify(result)).not.toContain('canary');
    expect(result.blockedNames).toEqual(['API_KEY', 'OTHER']);
  });
});

describe('the PATH of an agent', () => {
  const node = '/opt/switchyard/node/bin/node';

  test('[EN6] the folders of the machine come first, that of our own Node last', () => {
    expect(agentPath('/home/ada/bin:/usr/bin', node)).toBe('/home/ada/bin:/usr/bin:/opt/switchyard/node/bin');
    expect(agentPath('/usr/bin:/opt/switchyard/node/bin:/bin', node)).toBe('/usr/bin:/opt/switchyard/node/bin:/bin');
  });

  test('[EN6] folders that a worktree could fill, and those of a script of npm, are left out', () => {
    const path = '/srv/sy/node_modules/.bin:.::bin:/usr/lib/npm/run-script/lib/node-gyp-bin:/usr/bin';
    expect(agentPath(path, node)).toBe('/usr/bin:/opt/switchyard/node/bin');
  });

  test.for([undefined, '', '.'])('[EN6] without a PATH (%s) the folders of the system are taken', path => {
    expect(agentPath(path, node)).toBe('/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/opt/switchyard/node/bin');
  });
});
