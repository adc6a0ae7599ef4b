import {chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync} from 'node:fs';
import {rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeEach, describe, expect, test} from 'vitest';
import {fileVault} from '../../../runner/src/secrets/file-vault.ts';
import {KeyStore, type KeyStoreOptions} from '../../../runner/src/secrets/key-store.ts';
import {lastJson, runCli} from '../../fixtures/cli.ts';
import {keyringMissing, openKeyring, type Keyring} from '../../fixtures/key-store/keyring.ts';

const folders: string[] = [];
afterAll(async () => {
  for (const path of folders) await rm(path, {recursive: true, force: true});
});

let home = '';
let directory = '';
let count = 0;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'store-'));
  folders.push(home);
  directory = join(home, 'runner');
});

const store = (env: Readonly<Record<string, string | undefined>> = {}, more: Partial<KeyStoreOptions> = {}): KeyStore =>
  new KeyStore({
    directory,
    env,
    platform: 'linux',
    nowMs: () => performance.now(),
    randomHex: bytes => String((count += 1)).padStart(bytes * 2, '0'),
    ...more,
  });

/** A PATH with nothing but a `secret-tool` that does what the script says. */
function secretTool(script: string): string {
  const bin = join(home, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'secret-tool'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, 'secret-tool'), 0o700);
  return bin;
}

describe('where the first key is kept', () => {
  test('[KV10] in a file, with the reason, where the system has no store', async () => {
    const keys = store({PATH: home});
    expect(await keys.place()).toBeUndefined();
    await keys.set('model/one', 'sk-one');
    expect(await keys.place()).toMatchObject({
      vault: {store: 'file'},
      osTrouble: expect.stringContaining('libsecret-tools'),
    });
    expect(await store({PATH: home}).get('model/one')).toBe('sk-one');
  });

  test.for([
    ['that says no', 'echo "Cannot autolaunch D-Bus" >&2; exit 1', 'Cannot autolaunch D-Bus'],
    ['that forgets', 'cat >/dev/null; exit 0', 'does not give back'],
  ] as const)('[KV10] in a file, with the reason, beside a store %s', async ([, script, why]) => {
    const keys = store({PATH: `${secretTool(script)}:/usr/bin:/bin`});
    await keys.set('model/one', 'sk-one');
    expect(await keys.place()).toMatchObject({vault: {store: 'file'}, osTrouble: expect.stringContaining(why)});
  });

  test('[KV10] in a file after a while, beside a store that never answers', {timeout: 120_000}, async () => {
    const keys = store({PATH: `${secretTool('exec sleep 600')}:/usr/bin:/bin`});
    await keys.set('model/one', 'sk-one');
    expect(await keys.place()).toMatchObject({
      vault: {store: 'file'},
      osTrouble: expect.stringContaining('did not answer'),
    });
  });

  test('[KV10] where the setting says, and nowhere else', async () => {
    const keys = store({PATH: secretTool('exit 1'), SWITCHYARD_KEYS_STORE: 'file'});
    await keys.set('model/one', 'sk-one');
    expect(await keys.place()).toMatchObject({vault: {store: 'file'}, osTrouble: null});
    await expect(store({SWITCHYARD_KEYS_STORE: 'keychain'}, {directory: home}).set('a', 'b')).rejects.toMatchObject({
      code: 'executor_unavailable',
    });
    await expect(store({SWITCHYARD_KEYS_STORE: 'pocket'}).get('a')).rejects.toMatchObject({
      code: 'configuration_invalid',
    });
  });

  test('[KV11] keys that were kept before there was a choice are in the file', async () => {
    await fileVault(directory, '').set('model/one', 'sk-old');
    expect(await store().get('model/one')).toBe('sk-old');
    await expect(store({SWITCHYARD_KEYS_STORE: 'secret-service'}).get('model/one')).rejects.toMatchObject({
      code: 'configuration_invalid',
      message: expect.stringContaining('switchyard keys move --to secret-service'),
    });
  });
});

const missing = keyringMissing();

describe.skipIf(missing !== undefined)(
  `with the keyring of a desktop${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let keyring: Keyring | undefined;
    beforeEach(async () => {
      keyring = await openKeyring(home);
      return async () => keyring?.stop();
    });
    const env = () => keyring?.env ?? {};

    test('[KV10] in the keyring where it answers; nothing of the key is in the folder of the runner', async () => {
      await store(env()).set('model/one', 'sk-CANARY');
      expect(await store(env()).place()).toMatchObject({vault: {store: 'secret-service'}, osTrouble: null});
      expect(await store(env()).get('model/one')).toBe('sk-CANARY');
      expect(readFileSync(join(directory, 'key-store.json'), 'utf8')).not.toContain('CANARY');
    });

    test('[KV11] a keyring that is gone is an error: no other place is looked at, and none is chosen', async () => {
      await store(env()).set('model/one', 'sk-one');
      await fileVault(directory, '').set('model/one', 'sk-of-the-file');
      await keyring?.stop();
      for (const verb of ['get', 'delete'] as const)
        await expect(store(env())[verb]('model/one')).rejects.toMatchObject({code: 'executor_unavailable'});
      await expect(store(env()).set('model/one', 'sk-two')).rejects.toMatchObject({code: 'executor_unavailable'});
      expect(await store(env()).trouble(['model/one'])).toContain('secret-tool');
    });

    test('[KV12] a process that remembers a key hears of every change that another one makes', async () => {
      const runner = store(env());
      const person = store(env());
      await person.set('model/one', 'sk-one');
      expect(await runner.get('model/one')).toBe('sk-one');
      await person.set('model/one', 'sk-two');
      expect(await runner.get('model/one')).toBe('sk-two');
      await person.delete('model/one');
      expect(await runner.get('model/one')).toBeUndefined();
    });

    test(
      '[KV13] a move takes every key along and leaves none behind, also after it broke off in the middle',
      {timeout: 120_000},
      async () => {
        const names = ['model/one', 'model/two', 'model/none'];
        await fileVault(directory, '').set('model/one', 'sk-one');
        await fileVault(directory, '').set('model/two', 'sk-two');
        expect(await store(env()).moveTo('secret-service', names)).toMatchObject({moved: 2});
        expect(await store(env()).get('model/two')).toBe('sk-two');
        expect(await fileVault(directory, '').get('model/one')).toBeUndefined();
        // It broke off when everything was copied and nothing was deleted.
        const record = JSON.parse(readFileSync(join(directory, 'key-store.json'), 'utf8')) as object;
        writeFileSync(join(directory, 'key-store.json'), JSON.stringify({...record, leaving: 'file'}));
        await fileVault(directory, '').set('model/one', 'sk-one');
        expect(await store(env()).moveTo('secret-service', names)).toMatchObject({moved: 1});
        expect(await fileVault(directory, '').get('model/one')).toBeUndefined();
        expect(await store(env()).get('model/one')).toBe('sk-one');
      },
    );

    test(
      '[KV14] a person moves the keys, and the list and the doctor say where they are and what is wrong',
      {timeout: 120_000},
      async () => {
        const run = async (...args: string[]) =>
          runCli([...args, '--json'], {home, env: {...env(), SWITCHYARD_KEYS_STORE: 'auto'}, input: 'sk-CANARY'});
        expect(lastJson(await run('keys', 'set', 'anthropic'))).toMatchObject({store: 'secret-service'});
        expect(lastJson(await run('keys', 'move', '--to', 'file'))).toMatchObject({store: 'file', moved: 1});
        expect(lastJson(await run('keys', 'move', '--to', 'secret-service'))).toMatchObject({moved: 1});
        expect(lastJson(await run('keys', 'list'))).toMatchObject({
          store: 'secret-service',
          place: expect.stringMatching('secret-tool'),
        });
        expect(await keysFinding()).toMatchObject({level: 'ok', detail: expect.stringContaining('keyring')});
        await keyring?.stop();
        const broken = await run('keys', 'list');
        expect(broken.code).toBe(1);
        expect(await keysFinding()).toMatchObject({level: 'fail', fix: expect.stringContaining('move them to a file')});

        async function keysFinding(): Promise<unknown> {
          const answer = lastJson(await run('doctor')) as {findings: {name: string}[]};
          return answer.findings.find(({name}) => name === 'keys');
        }
      },
    );
  },
);
