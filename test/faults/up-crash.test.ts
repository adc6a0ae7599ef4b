import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {processesOf} from '../fixtures/cli.ts';
import {OwnUp} from '../fixtures/own-up.ts';
import {until} from '../fixtures/until.ts';

const own = new OwnUp();

test('[UP2] what a kill -9 of up leaves behind is ended by the next start, a frozen runner included', async () => {
  const first = own.up('--no-first-task');
  await first.says('Ctrl-C stops everything');
  const runner = await own.pidOf('runner');
  process.kill(runner, 'SIGSTOP');
  first.child.kill('SIGKILL');
  await first.exited;
  expect(processesOf(own.state).map(({pid}) => pid)).toContain(runner);

  const second = own.up('--no-first-task');
  await second.says('Ctrl-C stops everything');
  expect(second.stderr()).toContain('Ended runner of an earlier start');
  expect(processesOf(own.state).map(({pid}) => pid)).not.toContain(runner);
  const after = await own.status();
  expect(after.services.map(({name, state: is}) => [name, is])).toEqual([
    ['control-plane', 'running'],
    ['runner', 'running'],
  ]);
});

test('[UP3] a kill -9 of up alone leaves nothing running within its drain', async () => {
  const cli = own.up('--no-first-task');
  await cli.says('Ctrl-C stops everything');
  cli.child.kill('SIGKILL');
  await cli.exited;
  const left = await until('every process has gone', () => processesOf(own.state).length === 0, 60_000);
  expect(left).toBe(true);
});

test('[UP4] a control plane that is killed comes back by itself, and the runner finds it again', async () => {
  const cli = own.up('--no-first-task');
  await cli.says('Ctrl-C stops everything');
  const pid = await own.pidOf('control-plane');
  process.kill(pid, 'SIGKILL');
  await until(
    'a restart',
    () => readFileSync(join(own.state, 'services/status.json'), 'utf8').includes('"restarts":1'),
    60_000,
  );
  await until(
    'it runs again',
    () =>
      /"control-plane","pid":\d+,"state":"running"/.test(readFileSync(join(own.state, 'services/status.json'), 'utf8')),
    60_000,
  );
  const done = await own.here('task', 'create', 'say: after the restart', '--wait', '--json');
  expect(done.code).toBe(0);
});
