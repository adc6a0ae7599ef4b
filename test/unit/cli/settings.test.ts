import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {redacted, resolveSettings} from '../../../runner/src/commands/settings.ts';
import {writeClientFile} from '../../../runner/src/services/client-file.ts';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'switchyard-settings-'));
});
afterEach(() => rmSync(home, {recursive: true, force: true}));

test('[CL10] without anything the control plane of this machine is meant, on port 7420', async () => {
  const settings = await resolveSettings({}, {}, home);
  expect(settings.url).toEqual({value: 'http://127.0.0.1:7420', from: 'default'});
  expect(settings.state).toEqual({value: join(home, '.switchyard'), from: 'default'});
  expect(settings.host.value).toBe('127.0.0.1');
  expect(settings.token.value).toBeUndefined();
});

test('[CL10] a flag wins over the environment, the environment over the file, and each says where it came from', async () => {
  const file = join(home, '.switchyard', 'client.json');
  await writeClientFile(file, {url: 'http://file.example', token: 'swy_file'});
  const fromFile = await resolveSettings({}, {}, home);
  expect(fromFile.url).toEqual({value: 'http://file.example', from: file});
  expect(fromFile.token).toEqual({value: 'swy_file', from: file});
  const env = {SWITCHYARD_URL: 'http://env.example', SWITCHYARD_TOKEN: 'swy_env', SWITCHYARD_PORT: '9001'};
  const fromEnv = await resolveSettings({}, env, home);
  expect(fromEnv.url).toEqual({value: 'http://env.example', from: 'environment SWITCHYARD_URL'});
  expect(fromEnv.token.value).toBe('swy_env');
  const fromFlag = await resolveSettings({url: 'http://flag.example', port: '9002'}, env, home);
  expect(fromFlag.url).toEqual({value: 'http://flag.example', from: '--url'});
  expect(fromFlag.port).toEqual({value: 9_002, from: '--port'});
});

test('[CL10] the variables of older daemons are read, and an empty one counts as not set', async () => {
  const env = {
    ORCHESTRATOR_DAEMON_PORT: '8787',
    ORCHESTRATOR_DAEMON_HOST: '::1',
    ORCHESTRATOR_MAX_SESSIONS: '7',
    SWITCHYARD_PORT: '',
  };
  const {port, host, slots} = await resolveSettings({}, env, home);
  expect([port.value, host.value, slots.value]).toEqual([8_787, '::1', 7]);
  expect(port.from).toBe('environment ORCHESTRATOR_DAEMON_PORT');
});

test.for([{SWITCHYARD_PORT: '70000'}, {SWITCHYARD_PORT: 'x'}, {SWITCHYARD_SLOTS: '0'}])(
  '[CL10] %j is refused by its name',
  async env => {
    await expect(resolveSettings({}, env, home)).rejects.toThrow(Object.keys(env)[0]);
  },
);

test('[CL11] a secret is shown by its beginning and its length only', () => {
  expect(redacted('swy_default_abcdefgh_0123456789')).toBe('swy_…(31 characters)');
  expect(redacted('short')).toBe('***');
});
