import {once} from 'node:events';
import {mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {fileVault} from '../../../runner/src/secrets/file-vault.ts';
import {modelKeys, type ModelKey} from '../../../runner/src/secrets/model-keys.ts';
import {lastJson, runCli} from '../../fixtures/cli.ts';

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'keys-'));
  onTestFinished(async () => rm(path, {recursive: true}));
  return path;
}
const KEY = 'sk-ant-api03-CANARY-0123456789';

test('[KV1] a key is kept encrypted, in files that only their owner can read', async () => {
  const directory = await folder();
  const vault = fileVault(directory, '');
  expect(await vault.get('model/anthropic')).toBeUndefined();
  await vault.set('model/anthropic', KEY);
  await vault.set('model/openai', 'other');
  expect(await vault.get('model/anthropic')).toBe(KEY);
  expect(await fileVault(directory, '').get('model/openai')).toBe('other');
  for (const name of ['keys.json', 'keys.secret']) {
    const path = join(directory, name);
    expect((await stat(path)).mode & 0o077, name).toBe(0);
    expect(await readFile(path, 'utf8')).not.toMatch(/CANARY|b3RoZXI/);
  }
  expect([await vault.delete('model/anthropic'), await vault.delete('model/anthropic')]).toEqual([true, false]);
  expect(await vault.get('model/anthropic')).toBeUndefined();
  expect(await vault.get('model/openai')).toBe('other');
});

test('[KV2] without the passphrase of its owner, or under another name, a key is worth nothing', async () => {
  const directory = await folder();
  await fileVault(directory, 'open sesame').set('model/anthropic', KEY);
  await expect(fileVault(directory, '').get('model/anthropic')).rejects.toMatchObject({code: 'configuration_invalid'});
  expect(await fileVault(directory, 'open sesame').get('model/anthropic')).toBe(KEY);
  const path = join(directory, 'keys.json');
  await writeFile(path, (await readFile(path, 'utf8')).replace('model/anthropic', 'model/openai'));
  await expect(fileVault(directory, 'open sesame').get('model/openai')).rejects.toMatchObject({
    code: 'configuration_invalid',
  });
});

test('[KV3] a damaged file of keys is said, and no message shows what is in it', async () => {
  const directory = await folder();
  await fileVault(directory, '').set('model/anthropic', KEY);
  await writeFile(join(directory, 'keys.json'), `{"v":1,"${KEY}":`, {mode: 0o600});
  const failure = await fileVault(directory, '')
    .get('model/anthropic')
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({code: 'state_corrupt'});
  expect(String(failure)).not.toContain('CANARY');
});

test('[KV4] a gateway stands beside the key, and goes when the key is set without one', async () => {
  const directory = await folder();
  const keys = modelKeys(fileVault(directory, ''), directory);
  await keys.set('anthropic', KEY, 'http://127.0.0.1:9');
  expect(await keys.find('anthropic')).toEqual({value: KEY, url: 'http://127.0.0.1:9'});
  await keys.set('anthropic', KEY, undefined);
  expect(await keys.find('anthropic')).toEqual({value: KEY, url: undefined});
  await writeFile(join(directory, 'model-urls.json'), '{"anthropic":"http://127.0.0.1:8"}');
  expect(await keys.find('anthropic')).toEqual({value: KEY, url: 'http://127.0.0.1:8'});
});

test('[KV19] a key is never given out with the address of the one before or after it', async () => {
  const directory = await folder();
  const vault = fileVault(directory, '');
  const seen: (ModelKey | undefined)[] = [];
  const keys = modelKeys(
    {
      ...vault,
      set: async (name, value) => {
        seen.push(await reader.find('anthropic'));
        await vault.set(name, value);
        seen.push(await reader.find('anthropic'));
      },
    },
    directory,
  );
  const reader = modelKeys(vault, directory);
  const pairs: ModelKey[] = [
    {value: 'sk-one', url: 'http://127.0.0.1:1'},
    {value: 'sk-two', url: undefined},
    {value: 'sk-three', url: 'http://127.0.0.1:3'},
    {value: 'sk-three', url: 'http://127.0.0.1:4'},
    {value: 'sk-five', url: 'http://127.0.0.1:5'},
  ];
  for (const {value, url} of pairs) await keys.set('anthropic', value, url);
  expect(
    seen.filter(each => each !== undefined && !pairs.some(({value, url}) => each.value === value && each.url === url)),
  ).toEqual([]);
  expect(seen.filter((_, index) => index % 2 === 1)).toEqual(pairs);
  expect(await readFile(join(directory, 'model-urls.json'), 'utf8')).not.toContain('sk-');
});

test('[KV19] a key that cannot be opened is replaced, with its address', async () => {
  const directory = await folder();
  await modelKeys(fileVault(directory, 'open sesame'), directory).set('anthropic', KEY, 'http://127.0.0.1:9');
  const keys = modelKeys(fileVault(directory, ''), directory);
  await expect(keys.find('anthropic')).rejects.toMatchObject({code: 'configuration_invalid'});
  await keys.set('anthropic', 'sk-new', undefined);
  expect(await keys.find('anthropic')).toEqual({value: 'sk-new', url: undefined});
});

/** A provider that takes one key. */
async function provider(taken: string): Promise<string> {
  const server = createServer((request, response) => {
    response.writeHead(request.headers['x-api-key'] === taken ? 200 : 401).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

test(
  '[KV5] keys are set from standard input, checked with their provider, replaced and deleted, and never shown',
  {timeout: 120_000},
  async () => {
    const home = await folder();
    const url = await provider('sk-second-CANARY');
    const run = async (args: readonly string[], input = '') => runCli(['keys', ...args, '--json'], {home, input});
    const set = await run(['set', 'anthropic', '--at', url], `${KEY}\n`);
    expect({code: set.code, ...(lastJson(set) as object)}).toMatchObject({code: 0, provider: 'anthropic'});
    const refused = await run(['check', 'anthropic']);
    expect(refused.code).toBe(1);
    expect(lastJson(refused)).toMatchObject({keys: [{provider: 'anthropic', ok: false}]});
    expect((await run(['rotate', 'anthropic'], 'sk-second-CANARY')).code).toBe(0);
    const taken = await run(['check']);
    expect({code: taken.code, ...(lastJson(taken) as object)}).toMatchObject({code: 0, keys: [{ok: true}]});
    const list = await run(['list']);
    expect(lastJson(list)).toMatchObject({keys: expect.arrayContaining([{provider: 'anthropic', stored: true, url}])});
    expect(lastJson(await run(['delete', 'anthropic']))).toEqual({provider: 'anthropic', deleted: true});
    for (const {stdout, stderr} of [set, refused, taken, list]) expect(stdout + stderr).not.toContain('CANARY');
    const none = await run(['check']);
    expect({code: none.code, said: none.stderr + none.stdout}).toMatchObject({
      code: 1,
      said: expect.stringContaining('there is no key here'),
    });
  },
);

test.for([
  {args: ['set', 'nobody'], input: 'x', code: 2},
  {args: ['set', 'anthropic'], input: '', code: 2},
  {args: ['rotate', 'anthropic'], input: 'x', code: 1},
])('[KV6] keys $args.0 $args.1 with $input ends with $code', async ({args, input, code}) => {
  expect((await runCli(['keys', ...args], {home: await folder(), input})).code).toBe(code);
});

test.for([
  {args: ['--at', 'gateway.example'], input: 'x', says: '--at is "gateway.example"'},
  {args: [], input: 'two words', says: 'one has no spaces'},
])('[KV6] a key with $args and $input is not kept, and the call says why', async ({args, input, says}) => {
  const home = await folder();
  const {code, stderr} = await runCli(['keys', 'set', 'anthropic', ...args], {home, input});
  expect({code, stderr}).toEqual({code: 2, stderr: expect.stringContaining(says)});
  expect(lastJson(await runCli(['keys', 'list', '--json'], {home, input: ''}))).toMatchObject({place: null});
});

test(
  '[KV18] doctor names the providers that have a key, and says what to do where none has',
  {timeout: 120_000},
  async () => {
    const home = await folder();
    const finding = async (): Promise<unknown> => {
      const {findings} = lastJson(await runCli(['doctor', '--json'], {home})) as {findings: {name: string}[]};
      return findings.find(({name}) => name === 'keys');
    };
    expect(await finding()).toMatchObject({level: 'ok', fix: expect.stringContaining('switchyard keys set')});
    const directory = join(home, '.switchyard', 'runner');
    const keys = modelKeys(fileVault(directory, ''), directory);
    for (const name of ['google', 'anthropic']) await keys.set(name, KEY, undefined);
    expect(await finding()).toMatchObject({
      level: 'ok',
      detail: expect.stringMatching(/^anthropic, google in /),
      fix: null,
    });
    await keys.delete('google');
    await keys.delete('anthropic');
    expect(await finding()).toMatchObject({detail: expect.stringContaining('none is stored')});
  },
);
