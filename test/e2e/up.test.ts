import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import * as z from 'zod';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {signDispatch} from '@switchyard/shared/crypto/request-signature.ts';
import {freePort} from '../../runner/src/services/port.ts';
import {lastJson, processesOf, runCli, startCli, type Cli} from '../fixtures/cli.ts';
import {until} from '../fixtures/until.ts';

const taskSchema = z.object({
  id: z.string(),
  state: z.string(),
  result: z.object({git: z.object({head_sha: z.string(), branch: z.string()}).nullable()}).nullable(),
});
const listSchema = z.object({tasks: z.array(taskSchema)});
const statusSchema = z.object({
  url: z.string(),
  pid: z.int(),
  services: z.array(z.object({name: z.string(), pid: z.int().nullable(), state: z.string(), restarts: z.int()})),
});

let home = '';
let state = '';
let port = '';
const started: Cli[] = [];

beforeEach(async () => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-up-')));
  state = join(home, 'state');
  port = String(await freePort());
});

afterEach(async () => {
  for (const {child, exited} of started.splice(0)) {
    child.kill('SIGKILL');
    await exited;
  }
  await runCli(['down', '--state', state], {home});
  for (const {pid} of processesOf(home)) process.kill(pid, 'SIGKILL');
  rmSync(home, {recursive: true, force: true, maxRetries: 5, retryDelay: 100});
});

function up(...more: readonly string[]): Cli {
  const cli = startCli(['up', '--state', state, '--port', port, '--slots', '1', ...more], {home});
  started.push(cli);
  return cli;
}

async function listTasks(): Promise<z.infer<typeof listSchema>['tasks']> {
  return listSchema.parse(lastJson(await runCli(['task', 'list', '--json', '--state', state], {home}))).tasks;
}

describe('up', () => {
  test('[UP1] the first start runs one real task to a commit, a second start goes on from there', async () => {
    const first = up();
    await first.says('Ctrl-C stops everything');
    expect(first.stdout()).toContain('Switchyard is running');
    expect(first.stdout()).toContain('no agent CLI or credentials found');
    expect(first.stdout()).toMatch(/✓ succeeded in .*tsk_/);

    const [task, ...others] = await listTasks();
    expect(others).toEqual([]);
    const {state: ended, result} = taskSchema.parse(task);
    expect(ended).toBe('succeeded');
    const {branch, head_sha: head} = z.object({branch: z.string(), head_sha: z.string()}).parse(result?.git);
    const git = (...args: readonly string[]): string =>
      execFileSync('git', ['-C', join(state, 'sample'), ...args], {encoding: 'utf8'});
    expect(git('rev-parse', branch).trim()).toBe(head);
    expect(git('show', `${branch}:greeting.js`)).toContain('Hello, ${name}!');

    first.child.kill('SIGINT');
    expect(await first.exited).toEqual({code: 0, signal: null});
    const stopping = first.stderr();
    expect(stopping.indexOf('Stopping runner')).toBeLessThan(stopping.indexOf('Stopping control-plane'));
    expect(stopping).toContain('nothing is left running');
    expect(processesOf(state)).toEqual([]);

    const second = up();
    await second.says('Ctrl-C stops everything');
    expect(second.stdout()).not.toContain('First task');
    expect((await listTasks()).map(({id}) => id)).toEqual([task?.id]);
    const own = await runCli(
      ['task', 'create', 'say: again', '--wait', '--json', '--state', state, '--repo', join(state, 'sample')],
      {home},
    );
    // The bundled agent changed nothing, and a task with a repository promises a change.
    expect(own.code).toBe(1);
    second.child.kill('SIGTERM');
    expect((await second.exited).code).toBe(0);
    expect(processesOf(state)).toEqual([]);
  });

  test('[UP2] what a kill -9 of up leaves behind is ended by the next start, a frozen runner included', async () => {
    const first = up('--no-first-task');
    await first.says('Ctrl-C stops everything');
    const before = statusSchema.parse(lastJson(await runCli(['status', '--json', '--state', state], {home})));
    const runner = before.services.find(({name}) => name === 'runner')?.pid ?? 0;
    process.kill(runner, 'SIGSTOP');
    first.child.kill('SIGKILL');
    await first.exited;
    expect(processesOf(state).map(({pid}) => pid)).toContain(runner);

    const second = up('--no-first-task');
    await second.says('Ctrl-C stops everything');
    expect(second.stderr()).toContain('Ended runner of an earlier start');
    expect(processesOf(state).map(({pid}) => pid)).not.toContain(runner);
    const after = statusSchema.parse(lastJson(await runCli(['status', '--json', '--state', state], {home})));
    expect(after.services.map(({name, state: is}) => [name, is])).toEqual([
      ['control-plane', 'running'],
      ['runner', 'running'],
    ]);
  });

  test('[UP3] a kill -9 of up alone leaves nothing running within its drain', async () => {
    const cli = up('--no-first-task');
    await cli.says('Ctrl-C stops everything');
    cli.child.kill('SIGKILL');
    await cli.exited;
    const left = await until('every process has gone', () => processesOf(state).length === 0, 30_000);
    expect(left).toBe(true);
  });

  test('[UP4] a control plane that is killed comes back by itself, and the runner finds it again', async () => {
    const cli = up('--no-first-task');
    await cli.says('Ctrl-C stops everything');
    const pid = statusSchema
      .parse(JSON.parse(JSON.stringify(lastJson(await runCli(['status', '--json', '--state', state], {home})))))
      .services.find(({name}) => name === 'control-plane')?.pid;
    process.kill(pid ?? 0, 'SIGKILL');
    await until(
      'a restart',
      () => readFileSync(join(state, 'services/status.json'), 'utf8').includes('"restarts":1'),
      30_000,
    );
    await until(
      'it runs again',
      () =>
        /"control-plane","pid":\d+,"state":"running"/.test(readFileSync(join(state, 'services/status.json'), 'utf8')),
      30_000,
    );
    const done = await runCli(['task', 'create', 'say: after the restart', '--wait', '--json', '--state', state], {
      home,
    });
    expect(done.code).toBe(0);
  });

  test('[UP5] a taken port is an error that names the port and its holder, and a second up of one state is refused', async () => {
    const first = up('--no-first-task');
    await first.says('Ctrl-C stops everything');
    const again = await runCli(['up', '--state', state, '--port', port, '--json'], {home});
    expect(again.code).toBe(1);
    expect(lastJson(again)).toMatchObject({error: {code: 'already_running'}});
    const other = await runCli(['up', '--state', join(home, 'other'), '--port', port, '--json'], {home});
    expect(other.code).toBe(1);
    expect(lastJson(other)).toMatchObject({
      error: {code: 'port_taken', detail: expect.stringMatching(new RegExp(`:${port} is held by .*pid \\d+`))},
    });
  });

  test('[UP6] up -d answers when everything is ready, and down ends it all; both can be repeated', async () => {
    const background = await runCli(['up', '-d', '--json', '--no-first-task', '--state', state, '--port', port], {
      home,
    });
    expect(background.code).toBe(0);
    expect(lastJson(background)).toMatchObject({
      ready: true,
      url: `http://127.0.0.1:${port}`,
      log: join(state, 'log/up.log'),
    });
    const {pid} = statusSchema.parse(lastJson(await runCli(['status', '--json', '--state', state], {home})));
    const [, , group, session] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    expect([group, session]).toEqual([String(pid), String(pid)]);
    expect((await runCli(['runner', 'status', '--json', '--state', state], {home})).stdout).toContain('"connected"');
    expect((await runCli(['up', '-d', '--json', '--state', state], {home})).stdout).toContain('already_running');
    const down = await runCli(['down', '--json', '--state', state], {home});
    expect([down.code, lastJson(down)]).toEqual([0, {was_running: true, reaped: []}]);
    expect(processesOf(state)).toEqual([]);
    expect(lastJson(await runCli(['down', '--json', '--state', state], {home}))).toEqual({
      was_running: false,
      reaped: [],
    });
    expect((await runCli(['status', '--state', state], {home})).code).toBe(1);
  });

  test('[UP13] a shutdown that the dispatch secret signs ends up after the running attempt, and the next up goes on', async () => {
    const secret = 'a-dispatch-secret-of-more-than-32-bytes';
    const env = {DISPATCH_SECRET: secret};
    const start = (): Cli => {
      const cli = startCli(['up', '--no-first-task', '--state', state, '--port', port, '--slots', '1'], {home, env});
      started.push(cli);
      return cli;
    };
    const post = async (path: string, body: object): Promise<unknown> => {
      const bytes = utf8(JSON.stringify(body));
      const headers = await signDispatch(utf8(secret), {nonce: crypto.randomUUID(), body: bytes, nowMs: Date.now()});
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {method: 'POST', headers, body: bytes});
      return answer.json();
    };
    const tasks = async () => (await listTasks()).map(({state: is}) => is).toSorted();

    const first = start();
    await first.says('Ctrl-C stops everything');
    await runCli(['task', 'create', 'say: ready\nawait message', '--state', state], {home});
    await expect.poll(tasks, {timeout: 15_000}).toEqual(['leased']);
    expect(await post('/admin/shutdown', {})).toEqual({
      status: 'shutting_down',
      pool: 'default',
      running: 1,
      exits: true,
    });
    await first.says('Shutting down as asked');
    await runCli(['task', 'create', 'say: later', '--state', state], {home});
    expect(await tasks()).toEqual(['leased', 'queued']);
    const held = (await listTasks()).find(({state: is}) => is === 'leased')?.id ?? '';
    await runCli(['task', 'message', held, 'go', 'on', '--state', state], {home});
    expect(await first.exited).toEqual({code: 0, signal: null});
    expect(processesOf(state)).toEqual([]);

    const second = start();
    await second.says('Ctrl-C stops everything');
    await expect.poll(tasks, {timeout: 15_000}).toEqual(['succeeded', 'succeeded']);
  });

  test('[UP14] up -d that ends at once is an error with the end of its log', async () => {
    mkdirSync(join(state, 'services'), {recursive: true, mode: 0o700});
    mkdirSync(join(state, 'control-plane'), {recursive: true, mode: 0o700});
    writeFileSync(join(state, 'control-plane/secret.json'), '{"broken', {mode: 0o600});
    const refused = await runCli(['up', '-d', '--json', '--state', state, '--port', port], {home});
    expect(refused.code).toBe(1);
    expect(lastJson(refused)).toMatchObject({
      error: {code: expect.stringMatching(/unavailable$/), detail: expect.stringContaining('secret.json')},
    });
    expect(processesOf(state)).toEqual([]);
  });

  test('[UP15] the Node beside workerd stays small', async () => {
    const cli = up('--no-first-task');
    await cli.says('Ctrl-C stops everything');
    const {services} = statusSchema.parse(lastJson(await runCli(['status', '--json', '--state', state], {home})));
    const pid = services.find(({name}) => name === 'control-plane')?.pid;
    const [, dirtyKb] = /^Private_Dirty: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? [];
    expect(Number(dirtyKb) / 1_024).toBeGreaterThan(20);
    expect(Number(dirtyKb) / 1_024).toBeLessThan(140);
    expect(processesOf(state).filter(({command}) => command.includes('esbuild'))).toEqual([]);
  });

  test('[UP7] a second Ctrl-C kills at once: exit 130 and nothing left', async () => {
    const cli = up('--no-first-task');
    await cli.says('Ctrl-C stops everything');
    const held = startCli(['task', 'create', 'wait: 60000', '--wait', '--state', state], {home, input: ''});
    started.push(held);
    await held.says('instruction, no model is used');
    // The runner is ending its agent; frozen, it would never finish.
    const pid = statusSchema
      .parse(lastJson(await runCli(['status', '--json', '--state', state], {home})))
      .services.find(({name}) => name === 'runner')?.pid;
    process.kill(pid ?? 0, 'SIGSTOP');
    cli.child.kill('SIGINT');
    await cli.says('Stopping runner');
    cli.child.kill('SIGINT');
    expect((await cli.exited).code).toBe(130);
    held.child.kill('SIGKILL');
    await held.exited;
    expect(processesOf(state)).toEqual([]);
  });

  test('[CL20] a task is watched, told something, attached to, cancelled and retried from the command line', async () => {
    const cli = up('--no-first-task');
    await cli.says('Ctrl-C stops everything');
    const run = async (...args: readonly string[]) => runCli([...args, '--state', state], {home});
    const id = taskSchema.parse(
      lastJson(await run('task', 'create', 'say: ready\nawait message\nwait: 60000', '--json')),
    ).id;
    const log = startCli(['task', 'logs', '-f', id, '--state', state], {home});
    started.push(log);
    await log.says('"ready"');
    expect(await run('task', 'message', id, 'go', 'on')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('is kept'),
    });
    await log.says('a person says: go on');
    expect((await run('task', 'list')).stdout).toMatch(new RegExp(`${id} +leased/running`));
    expect((await run('attach', id, '--print')).stdout).toContain('attach-session');
    log.child.kill('SIGINT');
    expect((await log.exited).code).toBe(130);

    expect(taskSchema.parse(lastJson(await run('task', 'cancel', id, '--grace', '500ms', '--json'))).state).toBe(
      'cancelling',
    );
    const rest = startCli(['task', 'logs', '-f', id, '--state', state], {home});
    started.push(rest);
    expect((await rest.exited).code).toBe(0);
    expect((await run('task', 'show', id)).stdout).toContain('cancelled');
    expect((await run('task', 'logs', id)).stdout).toContain('a person says: go on');
    const again = taskSchema.parse(lastJson(await run('task', 'retry', id, '--json')));
    expect(again.id).not.toBe(id);
    expect((await run('task', 'cancel', again.id, '--grace', '0s')).code).toBe(0);
    cli.child.kill('SIGTERM');
    await cli.exited;
    expect(processesOf(state)).toEqual([]);
  });

  test('[CL21] another machine is enrolled with a one-use token, drained, resumed and revoked', async () => {
    const cli = up('--no-first-task');
    await cli.says('Ctrl-C stops everything');
    const run = async (args: readonly string[], input = '') => runCli([...args, '--state', state], {home, input});
    const token = (await run(['runner', 'token'])).stdout.trim();
    const elsewhere = ['--url', `http://127.0.0.1:${port}`, '--state', join(home, 'other')];
    const enrol = ['runner', 'enrol', '--name', 'second', '--json', ...elsewhere];
    const {runner} = z.object({runner: z.string()}).parse(lastJson(await runCli(enrol, {home, input: token})));
    expect(lastJson(await runCli([...enrol, '--replace'], {home, input: token}))).toMatchObject({
      error: {code: 'enrolment_invalid'},
    });
    const second = startCli(['runner', 'start', '--state', join(home, 'other')], {home});
    started.push(second);
    await second.says('runs with');
    const stateOf = async () => {
      const {runners} = z
        .object({runners: z.array(z.object({id: z.string(), state: z.string()}))})
        .parse(lastJson(await run(['runner', 'status', '--json'])));
      return runners.find(each => each.id === runner)?.state;
    };
    await second.says('connected');
    expect(await stateOf()).toBe('connected');
    expect((await run(['runner', 'drain', runner])).stdout).toContain('draining');
    expect((await run(['runner', 'resume', runner])).stdout).toContain('connected');
    expect((await run(['runner', 'revoke', runner])).stdout).toContain('revoked');
    expect((await second.exited).code).toBe(1);
    expect(second.stderr()).toContain('runner_revoked');
    expect(await stateOf()).toBe('revoked');
  });
});

test('[UP8] the demo proves the whole in one command and leaves nothing behind', async () => {
  const demo = await runCli(['demo', '--json'], {home});
  expect(lastJson(demo)).toMatchObject({
    task: expect.stringMatching(/^tsk_/),
    state: 'succeeded',
    branch: expect.stringMatching(/^switchyard\/tsk_.*\/e1$/),
    commit: expect.stringMatching(/^[0-9a-f]{40}$/),
    log_bytes: expect.any(Number),
    ms: {queued_to_running: expect.any(Number), total: expect.any(Number)},
  });
  expect(demo.code).toBe(0);
  expect(processesOf(home)).toEqual([]);
  expect(execFileSync('ls', [home], {encoding: 'utf8'})).toBe('');
});

test('[UP8] the demo names what it made only where it is kept, and what it names then is there', async () => {
  const gone = await runCli(['demo'], {home});
  expect(gone.code).toBe(0);
  expect(gone.stdout).not.toContain('git -C');
  expect(gone.stderr).not.toContain('Kept');
  const kept = await runCli(['demo', '--keep'], {home});
  expect(kept.code).toBe(0);
  const [, directory = '', branch = ''] = /git -C (\S+) show (\S+)/.exec(kept.stdout) ?? [];
  expect(execFileSync('git', ['-C', directory, 'show', '--stat', branch], {encoding: 'utf8'})).toContain('greeting.js');
  expect(kept.stderr).toContain(`Kept ${join(directory, '..')}`);
});
