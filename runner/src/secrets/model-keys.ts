import {createHash} from 'node:crypto';
import {join} from 'node:path';
import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {readStateFile, writePrivateFile} from '../services/private-file.ts';
import type {KeyVault} from './key-vault.ts';
import {aloneWithSecrets} from './secrets-lock.ts';

/** A key, and where its provider is reached with it when that is not the provider's own address. */
export type ModelKey = {readonly value: string; readonly url: string | undefined};

/** Keys of model providers. A key is never given out with the address that belongs to another one. */
export type ModelKeys = {
  readonly find: (provider: string) => Promise<ModelKey | undefined>;
  readonly set: (provider: string, value: string, url: string | undefined) => Promise<void>;
  readonly delete: (provider: string) => Promise<boolean>;
};

const URLS_FILE = 'model-urls.json';
/** An address that a provider can be reached at. */
export const modelUrlSchema = z.url({protocol: /^https?$/});
const gatewaySchema = z.strictObject({key: z.string(), url: modelUrlSchema});
/** A bare address belongs to whatever key there is. */
const urlsSchema = z.record(z.string(), z.union([modelUrlSchema, z.array(gatewaySchema)]));
type Gateways = z.output<typeof urlsSchema>[string];

export function modelKeys(store: Pick<KeyVault, 'get' | 'set' | 'delete'>, directory: string): ModelKeys {
  const path = join(directory, URLS_FILE);
  const readUrls = async (): Promise<z.output<typeof urlsSchema>> => {
    const text = await readStateFile(path);
    if (text === undefined) return {};
    const read = urlsSchema.safeParse(parseJson(text));
    if (read.success) return read.data;
    throw new SwitchyardError('configuration_invalid', `${path} does not map providers to http or https URLs`);
  };
  const find = async (provider: string): Promise<ModelKey | undefined> => {
    const value = await store.get(modelKeyName(provider));
    if (value === undefined) return undefined;
    return {value, url: urlFor(value, (await readUrls())[provider])};
  };
  /** The address of the new key stands beside that of the old one before the key is set, which decides between them. */
  const set: ModelKeys['set'] = async (provider, value, url) => {
    // One that cannot be opened is to be replaced, and has no address that counts.
    const old = await find(provider).catch(() => undefined);
    const {[provider]: _replaced, ...others} = await readUrls();
    const gateways = [...(old === undefined || old.value === value ? [] : [old]), {value, url}].flatMap(each =>
      each.url === undefined ? [] : [{key: markOf(each.value), url: each.url}],
    );
    await writePrivateFile(path, JSON.stringify(gateways.length === 0 ? others : {...others, [provider]: gateways}));
    await store.set(modelKeyName(provider), value);
  };
  return {
    find,
    async set(provider, value, url) {
      if (!/^[\x21-\x7e]+$/.test(value))
        throw new SwitchyardError('configuration_invalid', 'a key is printable ASCII without spaces');
      await aloneWithSecrets(directory, async () => set(provider, value, url));
    },
    delete: async provider => aloneWithSecrets(directory, async () => store.delete(modelKeyName(provider))),
  };
}

function urlFor(value: string, gateways: Gateways | undefined): string | undefined {
  if (gateways === undefined || typeof gateways === 'string') return gateways;
  return gateways.find(({key}) => key === markOf(value))?.url;
}

/** Tells keys apart, and is none. */
const markOf = (value: string): string =>
  createHash('sha256').update(`the gateway of a key\n${value}`).digest('hex').slice(0, 16);

export const modelKeyName = (provider: string): string => `model/${provider}`;
