import {findProgram} from '../services/agent-clis.ts';
import {keychainVault} from './keychain-vault.ts';
import type {KeyStoreName, KeyVault} from './key-vault.ts';
import {secretServiceVault} from './secret-service-vault.ts';

export type OsStoreOptions = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
};

type OsStore = Exclude<KeyStoreName, 'file'>;

/** What a program of a store needs to find the session of its user; nothing else is its business. */
const passedOn = ['HOME', 'PATH', 'LANG', 'DISPLAY', 'DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR', 'XDG_DATA_HOME'];

export function osStoreOf(platform: NodeJS.Platform): OsStore | undefined {
  const stores: Partial<Record<NodeJS.Platform, OsStore>> = {darwin: 'keychain', linux: 'secret-service'};
  return stores[platform];
}

export const howToInstall = (store: KeyStoreName): string =>
  store === 'secret-service'
    ? 'secret-tool was not found: install libsecret-tools (Debian, Ubuntu) or libsecret (Fedora, Arch)'
    : `the ${store} belongs to another operating system`;

/** Undefined where this machine has none of this name. Whether it is open shows when it is asked. */
export function osVault({env, platform}: OsStoreOptions, store: OsStore, id: string): KeyVault | undefined {
  if (store !== osStoreOf(platform)) return undefined;
  const own = passedOn.flatMap(name => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  const how = {env: Object.fromEntries(own), service: `switchyard-${id}`};
  // The system's own, and no program that a PATH puts before it.
  if (store === 'keychain') return keychainVault({...how, program: '/usr/bin/security'});
  const program = findProgram('secret-tool', env['PATH']);
  return program === undefined ? undefined : secretServiceVault({...how, program});
}
