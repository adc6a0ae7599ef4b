import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {KeyVault} from './key-vault.ts';
import {askStore, storeFailed, type StoreProgram} from './store-program.ts';

/**
 * The keyring of a Linux desktop (freedesktop.org Secret Service), by `secret-tool` of libsecret. It ends with 1 and says
 * nothing for what it does not find, with 1 and a message when something is wrong.
 */
export function secretServiceVault(program: StoreProgram): KeyVault {
  const attributes = (name: string): readonly string[] => ['service', program.service, 'account', name];
  return {
    store: 'secret-service',
    place: `the keyring of this user (secret-tool, service ${program.service})`,
    async get(name) {
      const answer = await askStore(program, ['lookup', ...attributes(name)]);
      if (answer.code === 0) return answer.stdout;
      if (answer.code !== 1 || answer.said !== '') throw storeFailed(program, answer);
      // The same answer stands for one that is there and locked while nobody can be asked to unlock it.
      const found = await askStore(program, ['search', ...attributes(name)]);
      if (found.code === 0 && found.stdout.trim() !== '')
        throw new SwitchyardError(
          'executor_unavailable',
          'the keyring of this user is locked: unlock it by logging in',
        );
      return undefined;
    },
    async set(name, value) {
      const answer = await askStore(program, ['store', '--label=Switchyard', ...attributes(name)], value);
      if (answer.code !== 0) throw storeFailed(program, answer);
    },
    async delete(name) {
      const answer = await askStore(program, ['clear', ...attributes(name)]);
      if (answer.code === 0) return true;
      if (answer.code === 1 && answer.said === '') return false;
      throw storeFailed(program, answer);
    },
  };
}
