import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import * as z from 'zod';
import {lastJson, pinnedNode, repository, runCli, startCli, systemNode, type CliResult} from '../../fixtures/cli.ts';

let home = '';
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-cli-')));
});
afterEach(() => rmSync(home, {recursive: true, force: true}));

const cli = async (
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = '',
): Promise<CliResult> => runCli(args, {home, env, input});

const nodes = [
  ['the pinned Node', pinnedNode],
  ...(systemNode === undefined ? [] : [['the Node of the system', systemNode]]),
] as const;

test.for(nodes)('[CL12] the published command runs under %s and hands its exit code on', async ([, node = '']) => {
  const version = await runCli(['version', '--json'], {home, node});
  expect(version.code).toBe(0);
  expect(z.object({node: z.string()}).parse(lastJson(version)).node).toMatch(/^24\./);
  expect((await runCli(['no-such-command'], {home, node})).code).toBe(2);
  const list = await runCli(['task', 'list'], {home, node});
  expect([list.code, list.stdout]).toEqual([1, '']);
});

test.for([
  [['no-such-command'], 'unknown command'],
  [['task', 'show'], 'missing required argument'],
  [['task', 'show', 'tsk_x'], 'is not the id of a task'],
  [['task', 'list', '--limit', '0'], '--limit'],
  [['task', 'create', ''], 'the prompt is empty'],
  [['task', 'create', 'x', '--agent', 'magic'], '--agent'],
  [['task', 'create', 'x', '--file', 'y'], 'not both'],
  [['task', 'create', '--file', '/nowhere/at/all'], 'cannot be read'],
  [['task', 'logs', 'tsk_x'], 'is not the id'],
  [['runner', 'drain', 'rnr_x'], 'is not the id of a runner'],
  [['runner', 'drain'], 'this machine is not enrolled'],
  [['up', '--port', '99999'], '--port'],
  [['up', '--slots', 'many'], '--slots'],
  [['up', '--no-such-option'], 'unknown option'],
  [['task', 'list', '--state', 'queued,leased'], '--states queued,leased'],
  [['task', 'list', '--states', 'queued,asleep'], '"asleep" is no state of a task'],
  [['task', 'list', '--cursor', 'tsk_x'], 'is not the id of a task'],
  [['task', 'list', '--parent', 'tsk_x'], 'is not the id of a task'],
  [['task', 'events', 'tsk_x'], 'is not the id of a task'],
  [['pool', 'set'], 'name a setting'],
  [['pool', 'set', '--max-concurrent', '0'], '--max-concurrent'],
  [['pool', 'create', '--team', 'acme', '--pool', 'default'], '--url is needed'],
  [['pool', 'create', '--url', 'http://127.0.0.1:9', '--team', 'Acme', '--pool', 'default'], '--team'],
  [['pool', 'create', '--url', 'http://127.0.0.1:9', '--team', 'acme', '--pool', 'default'], 'no secret came'],
  [['token', 'create', 'x', '--scope', 'all'], '--scope'],
  [['token', 'create', 'x', '--kind', 'rsa'], '--kind'],
  [['token', 'create', 'x', '--kind', 'hmac', '--scope', 'read'], '--scope'],
  [['token', 'create', 'x', '--kind', 'ed25519', '--public-key', 'abc'], '--public-key'],
  [['token', 'revoke', 'swy_default_0123456789_secret'], 'is not the id of a token'],
  [['login', '--url', 'http://127.0.0.1:9'], 'no token came'],
  [['down', '--state', ''], '--state is empty'],
  [['task', 'create', 'x', '--repo', ''], '--repo is empty'],
  [['task', 'create', 'x', '--check', ''], '--check is empty'],
  [['runner', 'token', '--label', 'a b'], '--label is "a b"'],
  [['budget', 'set', 'Every Day', '--period', 'day', '--cost', '5'], '"Every Day" is no name for a budget'],
  [['costs', '--from', '2026-13-01'], '--from is "2026-13-01"'],
  [['keys', 'move', '--to', 'pocket'], '--to is "pocket"'],
] as const)('[CL14] the wrong call %j exits with 2 and says why', async ([args, why]) => {
  const {code, stdout, stderr} = await cli(args);
  expect(stderr).toContain(why);
  expect(code).toBe(2);
  expect(stdout).toBe('');
});

test.for(['', 'relative'])(
  '[CL14] a HOME %j that is no place is a wrong call, not the folder one is in',
  async HOME => {
    const {code, stderr} = await cli(['config'], {HOME});
    expect({code, stderr}).toEqual({code: 2, stderr: expect.stringContaining(`HOME is ${JSON.stringify(HOME)}`)});
  },
);

test.for([
  [['up', '--no-such-option'], "unknown option '--no-such-option'"],
  [['task', 'list', '--limit', '0'], '--limit'],
  [['task'], 'unknown option'],
] as const)('[CL14] the wrong call %j says why to a program as well', async ([args, why]) => {
  const {code, stdout} = await cli([...args, '--json']);
  expect({code, said: lastJson({stdout})}).toEqual({
    code: 2,
    said: {error: {code: 'usage', detail: expect.stringContaining(why), hint: expect.any(String)}},
  });
});

test('[CL15] an error is its code, its detail and the next step; a stack only for who asks', async () => {
  const plain = await cli(['task', 'list']);
  expect(plain.stderr).toMatch(/^unauthorized: there is no token .*\n {2}\S.*\n$/);
  const debug = await cli(['task', 'list'], {SWITCHYARD_DEBUG: '1'});
  expect(debug.stderr).toMatch(/\n +at .*\.ts:\d+/);
  const json = await cli(['task', 'list', '--json']);
  expect(json.code).toBe(1);
  expect(lastJson(json)).toEqual({error: {code: 'unauthorized', detail: expect.any(String), hint: expect.any(String)}});
  const down = await cli(['task', 'list', '--json', '--url', 'http://127.0.0.1:9'], {SWITCHYARD_TOKEN: 'swy_x'});
  expect(lastJson(down)).toMatchObject({
    error: {code: 'control_plane_unreachable', detail: expect.stringContaining('http://127.0.0.1:9')},
  });
});

test('[CL16] nothing that goes to a pipe is coloured, and a reader that leaves is no error', async () => {
  const help = await cli(['doctor']);
  expect(help.stdout).not.toContain('\u001b');
  const reading = startCli(['task', '--help'], {home, input: ''});
  reading.child.stdout.destroy();
  expect(await reading.exited).toEqual({code: 0, signal: null});
  expect(reading.stderr()).toBe('');
});

test('[CL17] login keeps URL and token for their owner alone, and the token never shows', async () => {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    const body = {
      pool: 'default',
      settings: {paused: false, draining: false, stop_on_failure: false, latched: false, max_concurrent: null},
      counts: {pending: 0, queued: 0, offered: 0, leased: 0, cancelling: 0},
      runners: {connected: 0, total: 0},
      slots: {total: 0, held: 0},
    };
    response.writeHead(200, {'content-type': 'application/json'}).end(JSON.stringify(body));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const login = await cli(['login', '--url', url], {}, 'swy_default_0123456789_secret\n');
    expect([login.code, login.stderr]).toEqual([0, '']);
    expect(seen).toEqual(['Bearer swy_default_0123456789_secret']);
    const file = join(home, '.switchyard', 'client.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      url,
      token: 'swy_default_0123456789_secret',
      pool: 'default',
    });
    const config = await cli(['config', '--json']);
    expect(config.stdout + login.stdout).not.toContain('secret');
    expect(lastJson(config)).toMatchObject({url: {value: url, from: file}, token: {from: file}});
    chmodSync(file, 0o644);
    expect((await cli(['task', 'list'])).stderr).toContain('can be read by others');
  } finally {
    server.close();
  }
});

test('[CL17] a token is not sent over plain http to another machine', async () => {
  const {code, stderr} = await cli(
    ['login', '--url', 'http://switchyard.example.com'],
    {},
    'swy_default_0123456789_secret',
  );
  expect([code, stderr]).toEqual([1, expect.stringContaining('not https')]);
  expect(existsSync(join(home, '.switchyard'))).toBe(false);
});

test('[CL18] doctor tries each part, says how to mend it, and exits with 1 only when one fails', async () => {
  const findings = z.object({
    ok: z.boolean(),
    findings: z.array(
      z.strictObject({
        name: z.string(),
        level: z.enum(['ok', 'warn', 'fail']),
        detail: z.string().min(1),
        fix: z.string().nullable(),
      }),
    ),
  });
  const good = await cli(['doctor', '--json', '--url', 'http://127.0.0.1:9']);
  const {findings: all} = findings.parse(lastJson(good));
  expect(all.map(({name}) => name)).toEqual([
    'node',
    'git',
    'tmux',
    'disk',
    'state',
    'kill',
    'policy',
    'charter',
    'limits',
    'agents',
    'keys',
    'control plane',
  ]);
  expect(all.filter(({level, fix}) => level !== 'ok' && fix === null)).toEqual([]);
  expect(all.find(({name}) => name === 'control plane')?.level).toBe('warn');

  const state = join(home, 'open');
  mkdirSync(state, {mode: 0o755});
  chmodSync(state, 0o755);
  mkdirSync(join(state, 'runner'));
  writeFileSync(join(state, 'runner', 'policy.json'), '{"version": 1, "repositorys": {}}');
  const bad = await cli(['doctor', '--json', '--state', state, '--url', 'http://127.0.0.1:9'], {PATH: home});
  expect(bad.code).toBe(1);
  const failed = findings.parse(lastJson(bad)).findings.filter(({level}) => level === 'fail');
  expect(failed.map(({name}) => name)).toEqual(['git', 'state', 'policy']);
});

test('[SV5] service install --print shows the unit of this machine and changes nothing', async () => {
  const {code, stdout} = await cli(['runner', 'service', 'install', '--print', '--slots', '3']);
  expect(code).toBe(0);
  expect(stdout).toContain(join(repository, 'runner/bin/switchyard.mjs'));
  expect(stdout).toContain(join(home, '.switchyard'));
  expect(existsSync(join(home, '.config'))).toBe(false);
  const json = await cli(['runner', 'service', 'install', '--print', '--slots', '3', '--json']);
  expect(lastJson(json)).toEqual({path: expect.any(String), unit: stdout.trimEnd()});
});

test('[SV5] service install refuses a machine that is not enrolled, and one without a service manager says what to do', async () => {
  expect((await cli(['runner', 'service', 'install'])).stderr).toContain('not enrolled');
  const status = await cli(['runner', 'service', 'status'], {PATH: home});
  expect(status.code).toBe(1);
});

test('[CL29] logs are for people and for programs, and where there are none that is said', async () => {
  const state = join(home, 'logged');
  const read = async (...more: readonly string[]) => cli(['logs', '--state', state, '--lines', '1', ...more]);
  expect(await read()).toMatchObject({code: 0, stdout: '', stderr: expect.stringContaining('nothing was logged')});
  mkdirSync(join(state, 'log'), {recursive: true, mode: 0o700});
  writeFileSync(join(state, 'log', 'runner.log'), 'first\nsecond "one"\n');
  expect(await read()).toMatchObject({stdout: 'runner        second "one"\n', stderr: ''});
  expect(lastJson(await read('--json'))).toEqual({service: 'runner', line: 'second "one"'});
});
