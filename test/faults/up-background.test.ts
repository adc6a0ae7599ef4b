import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {signDispatch} from '@switchyard/shared/crypto/request-signature.ts';
import {lastJson, leftBehind, processesOf, type Cli} from '../fixtures/cli.ts';
import {OwnUp} from '../fixtures/own-up.ts';

const own = new OwnUp();

test('[UP6] up -d answers when everything is ready, and down ends it all; both can be repeated', async () => {
  const background = await own.here('up', '-d', '--json', '--no-first-task', '--port', own.port);
  expect(background.code).toBe(0);
  expect(lastJson(background)).toMatchObject({
    ready: true,
    url: `http://127.0.0.1:${own.port}`,
    log: join(own.state, 'log/up.log'),
  });
  const {pid} = await own.status();
  const [, , group, session] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  expect([group, session]).toEqual([String(pid), String(pid)]);
  expect((await own.here('runner', 'status', '--json')).stdout).toContain('"connected"');
  const again = await own.here('up', '-d', '--json');
  expect([again.code, lastJson(again)]).toMatchObject([0, {ready: true, was_running: true, pid}]);
  expect((await own.here('up', '-d')).stdout).toContain(`http://127.0.0.1:${own.port}`);
  const other = await own.here('up', '-d', '--json', '--slots', '63');
  expect([other.code, lastJson(other)]).toMatchObject([
    1,
    {error: {code: 'already_running', detail: expect.stringContaining('slots 63 (--slots)')}},
  ]);
  const down = await own.here('down', '--json');
  expect([down.code, lastJson(down)]).toEqual([0, {was_running: true, reaped: []}]);
  expect(await leftBehind(own.state)).toEqual([]);
  expect(lastJson(await own.here('down', '--json'))).toEqual({was_running: false, reaped: []});
  expect((await own.here('status')).code).toBe(1);
});

test('[UP13] a shutdown that the dispatch secret signs ends up after the running attempt, and the next up goes on', async () => {
  const secret = 'a-dispatch-secret-of-more-than-32-bytes';
  const env = {DISPATCH_SECRET: secret};
  const start = (): Cli =>
    own.start(['up', '--no-first-task', '--state', own.state, '--port', own.port, '--slots', '1'], {env});
  const post = async (path: string, body: object): Promise<unknown> => {
    const bytes = utf8(JSON.stringify(body));
    const headers = await signDispatch(utf8(secret), {nonce: crypto.randomUUID(), body: bytes, nowMs: Date.now()});
    const answer = await fetch(`http://127.0.0.1:${own.port}${path}`, {method: 'POST', headers, body: bytes});
    return answer.json();
  };
  const tasks = async () => (await own.tasks()).map(({state: is}) => is).toSorted();

  const first = start();
  await first.says('Ctrl-C stops everything');
  await own.here('task', 'create', 'say: ready\nawait message');
  await expect.poll(tasks, {timeout: 60_000}).toEqual(['leased']);
  expect(await post('/admin/shutdown', {})).toEqual({
    status: 'shutting_down',
    pool: 'default',
    running: 1,
    exits: true,
  });
  await first.says('Shutting down as asked');
  await own.here('task', 'create', 'say: later');
  expect(await tasks()).toEqual(['leased', 'queued']);
  const held = (await own.tasks()).find(({state: is}) => is === 'leased')?.id ?? '';
  await own.here('task', 'message', held, 'go', 'on');
  expect(await first.exited).toEqual({code: 0, signal: null});
  expect(await leftBehind(own.state)).toEqual([]);

  const second = start();
  await second.says('Ctrl-C stops everything');
  await expect.poll(tasks, {timeout: 60_000}).toEqual(['succeeded', 'succeeded']);
});

test('[UP14] up -d that ends before it is ready is the error with which its log ends', async () => {
  mkdirSync(join(own.state, 'services'), {recursive: true, mode: 0o700});
  mkdirSync(join(own.state, 'control-plane'), {recursive: true, mode: 0o700});
  writeFileSync(join(own.state, 'control-plane/secret.json'), '{"broken', {mode: 0o600});
  const refused = await own.run(['up', '-d', '--json', '--state', own.state, '--port', own.port]);
  expect(refused.code).toBe(1);
  expect(lastJson(refused)).toMatchObject({
    error: {code: 'state_corrupt', detail: expect.stringContaining('secret.json')},
  });
  expect(await leftBehind(own.state)).toEqual([]);
});

test('[UP15] the Node beside workerd stays small', async () => {
  const cli = own.up('--no-first-task');
  await cli.says('Ctrl-C stops everything');
  const pid = await own.pidOf('control-plane');
  const [, dirtyKb] = /^Private_Dirty: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? [];
  expect(Number(dirtyKb) / 1_024).toBeGreaterThan(20);
  expect(Number(dirtyKb) / 1_024).toBeLessThan(140);
  const builders = () => processesOf(own.state).filter(({command}) => command.includes('esbuild'));
  await expect.poll(builders).toEqual([]);
});

test('[UP7] a second Ctrl-C kills at once: exit 130 and nothing left', async () => {
  const cli = own.up('--no-first-task');
  await cli.says('Ctrl-C stops everything');
  const held = own.start(['task', 'create', 'wait: 60000', '--wait', '--state', own.state], {input: ''});
  await held.says('instruction, no model is used');
  // The runner is ending its agent; frozen, it would never finish.
  const pid = await own.pidOf('runner');
  process.kill(pid, 'SIGSTOP');
  cli.child.kill('SIGINT');
  await cli.says('Stopping runner');
  cli.child.kill('SIGINT');
  expect((await cli.exited).code).toBe(130);
  held.child.kill('SIGKILL');
  await held.exited;
  expect(await leftBehind(own.state)).toEqual([]);
});
