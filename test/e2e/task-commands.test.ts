import {join} from 'node:path';
import {expect, test} from 'vitest';
import * as z from 'zod';
import {lastJson, leftBehind} from '../fixtures/cli.ts';
import {OwnUp, shownTask} from '../fixtures/own-up.ts';

const own = new OwnUp();

test('[CL20] a task is watched, told something, attached to, cancelled and retried from the command line', async () => {
  const cli = own.up('--no-first-task');
  await cli.says('Ctrl-C stops everything');
  const run = async (...args: readonly string[]) => own.here(...args);
  const id = shownTask(await run('task', 'create', 'say: ready\nawait message\nwait: 60000', '--json')).id;
  const log = own.start(['task', 'logs', '-f', id, '--state', own.state]);
  await log.says('"ready"');
  expect(await run('task', 'message', id, 'go', 'on')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('is kept'),
    stderr: expect.stringContaining(`task events ${id}`),
  });
  await log.says('a person says: go on');
  expect((await run('task', 'list')).stdout).toMatch(new RegExp(`${id} +leased/running`));
  expect((await run('attach', id, '--print')).stdout).toContain('attach-session');
  log.child.kill('SIGINT');
  expect((await log.exited).code).toBe(130);

  expect(shownTask(await run('task', 'cancel', id, '--grace', '500ms', '--json')).state).toBe('cancelling');
  const rest = own.start(['task', 'logs', '-f', id, '--state', own.state]);
  expect((await rest.exited).code).toBe(0);
  expect((await run('task', 'show', id)).stdout).toContain('cancelled');
  expect((await run('task', 'logs', id)).stdout).toContain('a person says: go on');
  const again = shownTask(await run('task', 'retry', id, '--json'));
  expect(again.id).not.toBe(id);
  expect((await run('task', 'cancel', again.id, '--grace', '0s')).code).toBe(0);
  cli.child.kill('SIGTERM');
  await cli.exited;
  expect(await leftBehind(own.state)).toEqual([]);
});

test('[CL21] another machine is enrolled with a one-use token, drained, resumed and revoked', async () => {
  const cli = own.up('--no-first-task');
  await cli.says('Ctrl-C stops everything');
  const run = async (args: readonly string[], input = '') => own.run([...args, '--state', own.state], {input});
  const token = (await run(['runner', 'token'])).stdout.trim();
  const elsewhere = ['--url', `http://127.0.0.1:${own.port}`, '--state', join(own.home, 'other')];
  const enrol = ['runner', 'enrol', '--name', 'second', '--json', ...elsewhere];
  const {runner} = z.object({runner: z.string()}).parse(lastJson(await own.run(enrol, {input: token})));
  expect(lastJson(await own.run([...enrol, '--replace'], {input: token}))).toMatchObject({
    error: {code: 'enrolment_invalid'},
  });
  const second = own.start(['runner', 'start', '--state', join(own.home, 'other')]);
  await second.says('runs with');
  const stateOf = async () => {
    const {runners} = z
      .object({runners: z.array(z.object({id: z.string(), state: z.string()}))})
      .parse(lastJson(await run(['runner', 'status', '--json'])));
    return runners.find(each => each.id === runner)?.state;
  };
  await second.says('connected');
  expect(await stateOf()).toBe('connected');
  expect((await run(['runner', 'status'])).stdout).toContain('model proxy here: listening for ');
  expect((await run(['runner', 'drain', runner])).stdout).toContain('draining');
  expect((await run(['runner', 'resume', runner])).stdout).toContain('connected');
  expect((await run(['runner', 'revoke', runner])).stdout).toContain('revoked');
  expect((await second.exited).code).toBe(1);
  expect(second.stderr()).toContain('runner_revoked');
  expect(await stateOf()).toBe('revoked');
});
