import {execFileSync} from 'node:child_process';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {lastJson, leftBehind} from '../fixtures/cli.ts';
import {OwnUp} from '../fixtures/own-up.ts';

const own = new OwnUp();

test('[UP8] the demo proves the whole in one command and leaves nothing behind', async () => {
  const demo = await own.run(['demo', '--json']);
  expect(lastJson(demo)).toMatchObject({
    task: expect.stringMatching(/^tsk_/),
    state: 'succeeded',
    branch: expect.stringMatching(/^switchyard\/tsk_.*\/e1$/),
    commit: expect.stringMatching(/^[0-9a-f]{40}$/),
    log_bytes: expect.any(Number),
    ms: {queued_to_running: expect.any(Number), total: expect.any(Number)},
  });
  expect(demo.code).toBe(0);
  expect(await leftBehind(own.home)).toEqual([]);
  expect(execFileSync('ls', [own.home], {encoding: 'utf8'})).toBe('');
});

test('[UP8] the demo names what it made only where it is kept, and what it names then is there', async () => {
  const gone = await own.run(['demo']);
  expect(gone.code).toBe(0);
  expect(gone.stdout).not.toContain('git -C');
  expect(gone.stderr).not.toContain('Kept');
  const kept = await own.run(['demo', '--keep']);
  expect(kept.code).toBe(0);
  const [, directory = '', branch = ''] = /git -C (\S+) show (\S+)/.exec(kept.stdout) ?? [];
  expect(execFileSync('git', ['-C', directory, 'show', '--stat', branch], {encoding: 'utf8'})).toContain('greeting.js');
  expect(kept.stderr).toContain(`Kept ${join(directory, '..')}`);
});
