import {execFileSync} from 'node:child_process';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import * as z from 'zod';
import {lastJson, leftBehind} from '../fixtures/cli.ts';
import {OwnUp} from '../fixtures/own-up.ts';

const own = new OwnUp();

test('[UP1] the first start runs one real task to a commit, a second start goes on from there', async () => {
  const first = own.up();
  await first.says('Ctrl-C stops everything');
  expect(first.stdout()).toContain('Switchyard is running');
  expect(first.stdout()).toContain('no agent CLI or credentials found');
  expect(first.stdout()).toMatch(/✓ succeeded in .*tsk_/);

  const [task, ...others] = await own.tasks();
  expect(others).toEqual([]);
  const {state: ended, result} = task ?? {state: 'missing', result: null};
  expect(ended).toBe('succeeded');
  const {branch, head_sha: head} = z.object({branch: z.string(), head_sha: z.string()}).parse(result?.git);
  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-C', join(own.state, 'sample'), ...args], {encoding: 'utf8'});
  expect(git('rev-parse', branch).trim()).toBe(head);
  expect(git('show', `${branch}:greeting.js`)).toContain('Hello, ${name}!');

  first.child.kill('SIGINT');
  expect(await first.exited).toEqual({code: 0, signal: null});
  const stopping = first.stderr();
  expect(stopping.indexOf('Stopping runner')).toBeLessThan(stopping.indexOf('Stopping control-plane'));
  expect(stopping).toContain('nothing is left running');
  expect(await leftBehind(own.state)).toEqual([]);

  const second = own.up();
  await second.says('Ctrl-C stops everything');
  expect(second.stdout()).not.toContain('First task');
  expect((await own.tasks()).map(({id}) => id)).toEqual([task?.id]);
  const unchanged = await own.here(
    'task',
    'create',
    'say: again',
    '--wait',
    '--json',
    '--repo',
    join(own.state, 'sample'),
  );
  // The bundled agent changed nothing, and a task with a repository promises a change.
  expect(unchanged.code).toBe(1);
  second.child.kill('SIGTERM');
  expect((await second.exited).code).toBe(0);
  expect(await leftBehind(own.state)).toEqual([]);
});

test('[UP5] a taken port is an error that names the port and its holder, and a second up of one state is refused', async () => {
  const first = own.up('--no-first-task');
  await first.says('Ctrl-C stops everything');
  const again = await own.run(['up', '--state', own.state, '--port', own.port, '--json']);
  expect(again.code).toBe(1);
  expect(lastJson(again)).toMatchObject({error: {code: 'already_running'}});
  const other = await own.run(['up', '--state', join(own.home, 'other'), '--port', own.port, '--json']);
  expect(other.code).toBe(1);
  expect(lastJson(other)).toMatchObject({
    error: {code: 'port_taken', detail: expect.stringMatching(new RegExp(`:${own.port} is held by .*pid \\d+`))},
  });
});
