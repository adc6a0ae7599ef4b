import {join} from 'node:path';
import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {readStateFile, writePrivateFile} from '../services/private-file.ts';
import type {KeyVault} from './key-vault.ts';
import {aloneWithSecrets} from './secrets-lock.ts';

/** Keys of model providers, and where a provider is reached when that is not its own address. */
export type ModelKeys = {
  readonly get: (provider: string) => Promise<string | undefined>;
  readonly set: (provider: string, value: string, url: string | undefined) => Promise<void>;
  readonly delete: (provider: string) => Promise<boolean>;
  readonly urls: () => Promise<Readonly<Record<string, string>>>;
};

const URLS_FILE = 'model-urls.json';
/** An address that a provider can be reached at. */
export const modelUrlSchema = z.url({protocol: /^https?$/});
const urlsSchema = z.record(z.string(), modelUrlSchema);

export function modelKeys(store: Pick<KeyVault, 'get' | 'set' | 'delete'>, directory: string): ModelKeys {
  const path = join(directory, URLS_FILE);
  const urls = async (): Promise<Record<string, string>> => {
    const text = await readStateFile(path);
    if (text === undefined) return {};
    const read = urlsSchema.safeParse(parseJson(text));
    if (read.success) return read.data;
    throw new SwitchyardError('configuration_invalid', `${path} does not map providers to http or https URLs`);
  };
  return {
    get: async provider => store.get(modelKeyName(provider)),
    async set(provider, value, url) {
      if (!/^[\x21-\x7e]+$/.test(value))
        throw new SwitchyardError('configuration_invalid', 'a key is printable ASCII without spaces');
      await aloneWithSecrets(directory, async () => {
        await store.set(modelKeyName(provider), value);
        const {[provider]: _replaced, ...rest} = await urls();
        await writePrivateFile(path, JSON.stringify(url === undefined ? rest : {...rest, [provider]: url}));
      });
    },
    delete: async provider => aloneWithSecrets(directory, async () => store.delete(modelKeyName(provider))),
    urls,
  };
}

export const modelKeyName = (provider: string): string => `model/${provider}`;
