import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {expect, onTestFinished, test} from 'vitest';
import {providerNames} from '../../runner/src/agent/proxy/provider.ts';
import {fileVault} from '../../runner/src/secrets/file-vault.ts';
import {gitCredentials} from '../../runner/src/secrets/git-credentials.ts';
import {modelKeys} from '../../runner/src/secrets/model-keys.ts';
import {stateLayout} from '../../runner/src/services/state-layout.ts';
import {runCli} from '../fixtures/cli.ts';

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'secrets-'));
  onTestFinished(async () => rm(path, {recursive: true}));
  return path;
}

test('[KV15] of ten commands that change secrets at once none is lost', async () => {
  const home = await folder();
  const state = join(home, 'state');
  const {runnerDirectory} = stateLayout(state);
  const vault = fileVault(runnerDirectory, '');
  const [models, git] = [modelKeys(vault, runnerDirectory), gitCredentials(vault, runnerDirectory)];
  const at = (name: string): string => `http://127.0.0.1/${name}`;
  for (const name of ['anthropic', 'openai']) await models.set(name, 'sk-old', at(name));
  const run = async (args: readonly string[], input: string): Promise<void> => {
    const {code, stderr} = await runCli(['keys', ...args, '--state', state], {home, input});
    expect(code, stderr).toBe(0);
  };
  const hosts = ['one.example.com', 'two.example.com', 'three.example.com'];
  await Promise.all([
    ...providerNames.map(async name =>
      run(['anthropic', 'openai'].includes(name) ? ['rotate', name] : ['set', name, '--at', at(name)], `sk-${name}`),
    ),
    ...hosts.map(async host => run(['git', 'set', `https://${host}`], `git-${host}`)),
  ]);
  for (const name of providerNames) expect(await models.find(name)).toEqual({value: `sk-${name}`, url: at(name)});
  for (const host of hosts)
    expect(await git.find({protocol: 'https', host, path: ''})).toMatchObject({password: `git-${host}`});
});

const writer = fileURLToPath(new URL('../fixtures/write-keys.ts', import.meta.url));

test('[KV16] a change that is killed leaves the old or the new secrets, whole, and no lock', async () => {
  const directory = await folder();
  const keys = modelKeys(fileVault(directory, ''), directory);
  await keys.set('openai', 'sk-kept', 'http://127.0.0.1/kept');
  for (let round = 0; round < 5; round += 1) {
    const child = spawn(process.execPath, [writer, directory, 'anthropic'], {stdio: ['ignore', 'pipe', 'inherit']});
    onTestFinished(() => void child.kill('SIGKILL'));
    const lines = createInterface({input: child.stdout});
    let last = -1;
    lines.on('line', line => {
      last = Number(line);
      // In another part of the work each time: whatever it is that follows.
      if (last >= round) child.kill('SIGKILL');
    });
    await once(lines, 'close', {signal: AbortSignal.timeout(60_000)});
    const pairs = [last, last + 1].map(count => ({value: `sk-anthropic-${count}`, url: `http://127.0.0.1/${count}`}));
    expect(pairs).toContainEqual(await keys.find('anthropic'));
    expect(await keys.find('openai')).toEqual({value: 'sk-kept', url: 'http://127.0.0.1/kept'});
    await keys.set('openai', 'sk-kept', 'http://127.0.0.1/kept');
  }
});
