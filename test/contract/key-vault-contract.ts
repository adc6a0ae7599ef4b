import {expect, test} from 'vitest';
import type {KeyVault} from '../../runner/src/secrets/key-vault.ts';

/** What every place for keys promises. `open` gives a vault over the same empty place, however often it is called. */
export function keyVaultContract(name: string, open: () => KeyVault | Promise<KeyVault>): void {
  test(`[KV7] ${name}: a name has one value, which another process finds, until it is deleted`, async () => {
    const vault = await open();
    expect(await vault.get('model/one')).toBeUndefined();
    await vault.set('model/one', 'sk-first');
    await vault.set('model/other', 'sk-other');
    await vault.set('model/one', 'sk-second');
    const again = await open();
    expect([await again.get('model/one'), await again.get('model/other')]).toEqual(['sk-second', 'sk-other']);
    expect([await again.delete('model/one'), await again.delete('model/one')]).toEqual([true, false]);
    expect([await vault.get('model/one'), await vault.get('model/other')]).toEqual([undefined, 'sk-other']);
  });

  test(`[KV7] ${name}: a value comes back as it was, whatever it is made of`, async () => {
    const vault = await open();
    const printable = Array.from({length: 94}, (_, at) => String.fromCharCode(0x21 + at)).join('');
    const values = [printable, '-w', '"', "'\\", '$(id)`id`', '0x6b6579', 'deadbeef', 'k'.repeat(300)];
    for (const value of values) {
      await vault.set('model/value', value);
      expect(await vault.get('model/value')).toBe(value);
    }
  });
}
