import {mkdtempSync, readFileSync, writeFileSync} from 'node:fs';
import {rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {afterAll, beforeEach, describe, expect, test} from 'vitest';
import {fileVault} from '../../../runner/src/secrets/file-vault.ts';
import {keychainVault} from '../../../runner/src/secrets/keychain-vault.ts';
import {secretServiceVault} from '../../../runner/src/secrets/secret-service-vault.ts';
import {keyVaultContract} from '../../contract/key-vault-contract.ts';
import {keyringMissing, openKeyring, type Keyring} from '../../fixtures/key-store/keyring.ts';

const folders: string[] = [];
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'vault-'));
  folders.push(path);
  return path;
}
afterAll(async () => {
  for (const path of folders) await rm(path, {recursive: true, force: true});
});

let home = '';
beforeEach(() => {
  home = folder();
});

describe('the file', () => {
  keyVaultContract('the file', () => fileVault(home, 'a passphrase'));
});

const security = resolve(import.meta.dirname, '../../fixtures/key-store/security.mjs');

describe('the keychain', () => {
  const vault = () =>
    keychainVault({program: security, env: {HOME: home, PATH: process.env['PATH'] ?? ''}, service: 'switchyard-test'});
  keyVaultContract('the keychain', vault);

  test('[KV8] no secret is in the arguments or the environment of the program of a store', async () => {
    await vault().set('model/one', 'sk-CANARY');
    expect(await vault().get('model/one')).toBe('sk-CANARY');
    await vault().delete('model/one');
    const calls = readFileSync(join(home, 'calls.ndjson'), 'utf8');
    expect(calls.trim().split('\n')).toHaveLength(3);
    expect(calls).not.toContain('CANARY');
    expect(calls).toContain('{"argv":["-i"]');
  });

  test('[KV9] a locked store is an error that holds no secret, and never an absent key', async () => {
    await vault().set('model/one', 'sk-CANARY');
    writeFileSync(join(home, 'locked'), '');
    for (const verb of [async () => vault().get('model/one'), async () => vault().delete('model/one')])
      await expect(verb()).rejects.toMatchObject({
        code: 'executor_unavailable',
        message: expect.stringContaining('User interaction is not allowed'),
      });
    const failure = await vault()
      .set('model/one', 'sk-CANARY-2')
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({code: 'executor_unavailable'});
    expect(String(failure)).not.toContain('CANARY');
  });
});

const missing = keyringMissing();

describe.skipIf(missing !== undefined)(
  `the keyring of a desktop${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let keyring: Keyring | undefined;
    beforeEach(async () => {
      keyring = await openKeyring(home);
      return async () => keyring?.stop();
    });
    const vault = () =>
      secretServiceVault({program: 'secret-tool', env: keyring?.env ?? {}, service: 'switchyard-test'});
    keyVaultContract('the keyring', vault);

    test('[KV9] a locked keyring keeps nothing, and one that is gone is an error, never an absent key', async () => {
      await vault().set('model/one', 'sk-CANARY');
      await keyring?.lock();
      const locked = await vault()
        .set('model/two', 'sk-CANARY-2')
        .catch((error: unknown) => error);
      expect(locked).toMatchObject({code: 'executor_unavailable'});
      await expect(vault().get('model/one')).rejects.toMatchObject({code: 'executor_unavailable'});
      await keyring?.stop();
      const gone = await vault()
        .get('model/one')
        .catch((error: unknown) => error);
      expect(gone).toMatchObject({code: 'executor_unavailable'});
      expect(String(locked) + String(gone)).not.toContain('CANARY');
    });
  },
);
