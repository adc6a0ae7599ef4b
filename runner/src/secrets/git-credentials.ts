import {join} from 'node:path';
import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {readStateFile, writePrivateFile} from '../services/private-file.ts';
import type {Credential, CredentialQuestion, FindCredential} from '../worktree/credential-pipe.ts';
import type {KeyVault} from './key-vault.ts';
import {ownGitLogin} from './own-git-login.ts';
import {aloneWithSecrets} from './secrets-lock.ts';

/** Who this machine is for the repositories under an address: `https://host`, or with a part of the path. */
export type GitLogin = {readonly scope: string; readonly username: string};

/** Credentials for git over https that belong to this runner. The secrets are in its store of keys. */
export type GitCredentials = {
  readonly list: () => Promise<readonly GitLogin[]>;
  readonly set: (login: GitLogin, secret: string) => Promise<void>;
  /** False when there was none. */
  readonly delete: (scope: string) => Promise<boolean>;
  /** That of the longest address above the repository. */
  readonly find: (question: CredentialQuestion) => Promise<Credential | undefined>;
};

const LOGINS_FILE = 'git-logins.json';
const loginsSchema = z.record(z.string(), z.string());

export const gitKeyName = (scope: string): string => `git/${scope}`;

export function gitCredentials(store: Pick<KeyVault, 'get' | 'set' | 'delete'>, directory: string): GitCredentials {
  const path = join(directory, LOGINS_FILE);
  const read = async (): Promise<Record<string, string>> => {
    const text = await readStateFile(path);
    if (text === undefined) return {};
    const logins = loginsSchema.safeParse(parseJson(text));
    if (logins.success) return logins.data;
    throw new SwitchyardError('configuration_invalid', `${path} does not map addresses to user names`);
  };
  const write = async (logins: Record<string, string>): Promise<void> =>
    writePrivateFile(path, `${JSON.stringify(logins)}\n`);
  return {
    list: async () => Object.entries(await read()).map(([scope, username]) => ({scope, username})),
    async set({scope, username}, secret) {
      if (!/^[\x21-\x7e]+$/.test(secret))
        throw new SwitchyardError('configuration_invalid', 'a credential is printable ASCII without spaces');
      await aloneWithSecrets(directory, async () => {
        await store.set(gitKeyName(scope), secret);
        await write({...(await read()), [scope]: username});
      });
    },
    delete: async scope =>
      aloneWithSecrets(directory, async () => {
        const deleted = await store.delete(gitKeyName(scope));
        const {[scope]: _deleted, ...rest} = await read();
        await write(rest);
        return deleted;
      }),
    async find(question) {
      const scope = longestScope(Object.keys(await read()), question);
      if (scope === undefined) return undefined;
      const password = await store.get(gitKeyName(scope));
      return password === undefined ? undefined : {username: (await read())[scope] ?? '', password};
    },
  };
}

/** Addresses are compared part by part: what is for `/acme` is not for `/acme-2`. */
export function longestScope(
  scopes: readonly string[],
  {protocol, host, path}: CredentialQuestion,
): string | undefined {
  const address = `${protocol}://${host}/${path.replace(/\.git\/?$/, '')}`;
  return scopes
    .filter(scope => address === scope || address.startsWith(`${scope}/`))
    .toSorted((one, other) => other.length - one.length)[0];
}

/** The canonical form of an address under which a credential is kept. Throws `repository_invalid`. */
export function scopeOf(text: string): string {
  const url = URL.parse(text);
  if (url === null || url.protocol !== 'https:' || url.hostname === '')
    throw new SwitchyardError('repository_invalid', 'an address begins with https:// and names a host');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new SwitchyardError('repository_invalid', 'an address holds no user name, credential, query or fragment');
  return `https://${url.host}${url.pathname.replace(/\/+$/, '').replace(/\.git$/, '')}`;
}

export type GitCredentialSources = {
  readonly store: Pick<KeyVault, 'get' | 'set' | 'delete'>;
  readonly directory: string;
  readonly policy: {readonly git: {readonly own_login: boolean}};
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: (line: string) => void;
};

/** A credential of this runner, else what the git of its owner has; the policy of the machine can rule that out. */
export function findGitCredential({store, directory, policy, env, log}: GitCredentialSources): FindCredential {
  const own = gitCredentials(store, directory);
  return async question => {
    if (question.protocol !== 'https') return undefined;
    try {
      return (await own.find(question)) ?? (policy.git.own_login ? await ownGitLogin(question, env) : undefined);
    } catch (error) {
      // Git says that it has none; why that is stands in the log of the runner.
      log(`no credential for ${question.host}: ${error instanceof SwitchyardError ? error.detail : String(error)}`);
      return undefined;
    }
  };
}
