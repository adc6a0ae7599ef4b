import {spawnSync} from 'node:child_process';
import {access} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {runCommand} from '../../../runner/src/executor/command.ts';
import {tmuxViewer} from '../../../runner/src/executor/tmux-viewer.ts';
import {readUntil} from '../../contract/executor-contract.ts';
import {agent, cgroupBase, hostPlace, type HostPlace} from './host-harness.ts';

const env = {PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8'};
const hasTmux = spawnSync('tmux', ['-V'], {env}).status === 0;

async function viewerPlace() {
  const place = await hostPlace({cgroupBase});
  const tmux = async (...args: string[]): Promise<string> => {
    const argv = ['tmux', '-S', join(place.root, 'tmux.sock'), '-f', '/dev/null', ...args] as [string, ...string[]];
    return String((await runCommand(argv, {cwd: '/', env, timeoutMs: 20_000})).stdout);
  };
  return {
    place,
    tmux,
    viewer: tmuxViewer({stateDir: place.root, env}),
    screen: (name: string) => tmux('capture-pane', '-p', '-t', `=${name}:`),
    async [Symbol.asyncDispose]() {
      await tmux('kill-server');
      await place[Symbol.asyncDispose]();
    },
  };
}

async function launchEcho(place: HostPlace) {
  const {plan, runDir} = place.attempt(agent('echoes-input'), {input: 'stream'});
  await place.executor.launch(plan, runDir);
  await readUntil(place.executor, runDir, 'ready');
  return {attempt: plan.attempt, runDir};
}

describe.skipIf(!hasTmux)('the viewer (skipped: tmux is not installed)', () => {
  test('[CM12] it shows the log as it grows, and what is typed goes nowhere', async () => {
    await using view = await viewerPlace();
    const {attempt, runDir} = await launchEcho(view.place);
    const {name, attachCommand} = await view.viewer.open(attempt, runDir);
    expect(attachCommand).toMatch(
      /^tmux -S \S+ -f \/dev\/null attach-session -r -t '=\S+'$|attach-session -r -t =\S+$/,
    );
    await view.place.executor.write(runDir, Buffer.from('one\n'));
    await expect.poll(() => view.screen(name)).toContain('got one');
    await view.tmux('send-keys', '-t', `=${name}:`, 'typed', 'Enter');
    await view.place.executor.write(runDir, Buffer.from('two\n'));
    await expect.poll(() => view.screen(name)).toContain('got two');
    expect(await view.screen(name)).not.toContain('got typed');
    expect(await view.viewer.open(attempt, runDir)).toEqual({name, attachCommand});
  });

  test('[CM13] lines typed in a taken-over session reach the agent, which outlives it', async () => {
    await using view = await viewerPlace();
    const {attempt, runDir} = await launchEcho(view.place);
    await view.viewer.open(attempt, runDir);
    const {name, attachCommand} = await view.viewer.takeOver(attempt, runDir);
    expect(attachCommand).not.toContain(' -r ');
    await expect.poll(() => view.screen(name)).toContain('ready');
    await view.tmux('send-keys', '-t', `=${name}:`, 'from a person', 'Enter');
    await readUntil(view.place.executor, runDir, 'got from a person');
    await view.viewer.close(attempt);
    await view.place.executor.write(runDir, Buffer.from('after\n'));
    await readUntil(view.place.executor, runDir, 'got after');
    expect(await view.place.executor.status(runDir)).toMatchObject({state: 'running'});
  });

  test('[CM14] sessions are listed and closed by exact name', async () => {
    await using view = await viewerPlace();
    const {runDir} = await launchEcho(view.place);
    expect(await view.viewer.list()).toEqual([]);
    const [first, tenth] = [
      {task: 'a', epoch: 1},
      {task: 'a', epoch: 10},
    ];
    await view.viewer.open(tenth, runDir);
    await view.viewer.close(first);
    expect(await view.viewer.list()).toEqual([tenth]);
    await view.viewer.open(first, runDir);
    await view.viewer.close(first);
    expect(await view.viewer.list()).toEqual([tenth]);
    await access(join(view.place.root, 'tmux.sock'));
    expect(await view.place.executor.status(runDir)).toMatchObject({state: 'running'});
  });
});

test('[CM15] without tmux every use says so', async () => {
  const viewer = tmuxViewer({stateDir: '/tmp', env, tmux: '/nowhere/tmux'});
  const attempt = {task: 'a', epoch: 1};
  for (const use of [
    viewer.open(attempt, '/tmp'),
    viewer.takeOver(attempt, '/tmp'),
    viewer.list(),
    viewer.close(attempt),
  ])
    await expect(use).rejects.toMatchObject({code: 'executor_unavailable'});
});
