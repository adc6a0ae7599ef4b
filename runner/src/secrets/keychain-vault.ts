import type {KeyVault} from './key-vault.ts';
import {askStore, storeFailed, type StoreProgram} from './store-program.ts';

/** The exit code of `security` for an item that is not there (errSecItemNotFound, modulo 256). */
const NOT_FOUND = 44;

/**
 * The login keychain of macOS, by `security`. A password may only be given to it as an argument, so it is told to read
 * its commands from standard input (`-i`); a line of those has at most 4,095 bytes.
 */
export function keychainVault(program: StoreProgram): KeyVault {
  const item = (name: string): readonly string[] => ['-s', program.service, '-a', name];
  return {
    store: 'keychain',
    place: `the login keychain (service ${program.service})`,
    async get(name) {
      const answer = await askStore(program, ['find-generic-password', ...item(name), '-w']);
      if (answer.code === 0) return answer.stdout.replace(/\n$/, '');
      if (answer.code === NOT_FOUND) return undefined;
      throw storeFailed(program, answer);
    },
    async set(name, value) {
      // `-U` replaces what is there.
      const words = ['add-generic-password', '-U', '-l', 'Switchyard', ...item(name), '-w', value];
      const answer = await askStore(program, ['-i'], `${words.map(quoted).join(' ')}\n`);
      if (answer.code !== 0) throw storeFailed(program, answer);
    },
    async delete(name) {
      const answer = await askStore(program, ['delete-generic-password', ...item(name)]);
      if (answer.code === 0) return true;
      if (answer.code === NOT_FOUND) return false;
      throw storeFailed(program, answer);
    },
  };
}

/** As the line reader of `security` takes words apart. */
const quoted = (word: string): string => `"${word.replaceAll(/["\\]/g, '\\$&')}"`;
