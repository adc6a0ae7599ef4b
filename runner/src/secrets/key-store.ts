import {createHash} from 'node:crypto';
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {readStateFile, writePrivateFile} from '../services/private-file.ts';
import {fileVault, VAULT_FILE} from './file-vault.ts';
import {keyStoreNames, troubleWith, type KeyStoreName, type KeyVault} from './key-vault.ts';
import {howToInstall, osStoreOf, osVault, type OsStoreOptions} from './os-store.ts';

export type KeyStoreOptions = OsStoreOptions & {
  /** The folder of the runner: holds which store is used, and the file where that is it. */
  readonly directory: string;
  /** Only for durations. */
  readonly nowMs: () => number;
  readonly randomHex: (bytes: number) => string;
};

export type KeyPlace = {
  readonly vault: KeyVault;
  /** Why the store of the operating system was not used; null where it is, and where that was somebody's choice. */
  readonly osTrouble: string | null;
};

const RECORD_FILE = 'key-store.json';
const SETTING = 'SWITCHYARD_KEYS_STORE';

const recordSchema = z.strictObject({
  v: z.literal(1),
  store: z.enum(keyStoreNames),
  /** Part of the name under which the store of the operating system keeps the keys of this installation. */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  /** Another one after each change, so that every process knows when what it remembers is old. */
  change: z.string(),
  osTrouble: z.string().nullable(),
  /** The keys were copied from there, and are still to be deleted. */
  leaving: z.enum(keyStoreNames).nullable(),
});
type Place = Omit<z.output<typeof recordSchema>, 'v' | 'change'>;
type Known = Place & {readonly change: string};

/**
 * The secrets of this machine, in the one place where they are kept. The first `set` chooses it: what the setting says,
 * else the store of the operating system if it keeps and gives back a value, else an encrypted file. From then on it stays,
 * until `moveTo`: a store that does not answer is an error, and no reason to look elsewhere.
 */
export class KeyStore {
  readonly #options: KeyStoreOptions;
  readonly #file: KeyVault;
  readonly #path: string;
  /** What a program was asked for: it takes some 30 ms, and agents ask for many models. */
  readonly #remembered = new Map<string, {change: string; value: string | undefined; untilMs: number}>();

  constructor(options: KeyStoreOptions) {
    this.#options = options;
    this.#file = fileVault(options.directory, options.env['SWITCHYARD_KEYS_PASSPHRASE'] ?? '');
    this.#path = join(options.directory, RECORD_FILE);
  }

  async get(name: string): Promise<string | undefined> {
    const {nowMs} = this.#options;
    const known = await this.#known();
    if (known === undefined) return undefined;
    if (known.store === 'file') return this.#file.get(name);
    const last = this.#remembered.get(name);
    if (last?.change === known.change && nowMs() < last.untilMs) return last.value;
    const value = await this.#vault(known).get(name);
    this.#remembered.set(name, {change: known.change, value, untilMs: nowMs() + limits.keyRememberedMs});
    return value;
  }

  async set(name: string, value: string): Promise<void> {
    const place = (await this.#known()) ?? (await this.#choose());
    await this.#vault(place).set(name, value);
    await this.#write(place);
  }

  async delete(name: string): Promise<boolean> {
    const known = await this.#known();
    if (known === undefined) return false;
    const deleted = await this.#vault(known).delete(name);
    await this.#write(known);
    return deleted;
  }

  /** Undefined before the first key. */
  async place(): Promise<KeyPlace | undefined> {
    const known = await this.#known();
    return known === undefined ? undefined : {vault: this.#vault(known), osTrouble: known.osTrouble};
  }

  /** Why one of the names cannot be read; undefined where all can, or are certainly not there. Changes nothing. */
  async trouble(names: readonly string[]): Promise<string | undefined> {
    try {
      const known = await this.#known();
      if (known === undefined) return undefined;
      for (const name of names) await this.#vault(known).get(name);
      return undefined;
    } catch (error) {
      return error instanceof SwitchyardError ? error.detail : String(error);
    }
  }

  /** Copies what there is of the names, then deletes it in the old place. One that was interrupted is finished by the next. */
  async moveTo(
    store: KeyStoreName,
    names: readonly string[],
  ): Promise<{readonly vault: KeyVault; readonly moved: number}> {
    const from = await this.#read();
    const to: Place = {store, id: this.#id(from), osTrouble: null, leaving: from?.leaving ?? null};
    const vault = this.#vault(to);
    if (from === undefined || from.store === store) return {vault, moved: await this.#leave(to, names)};
    for (const name of names) {
      const value = await this.#vault(from).get(name);
      if (value === undefined) continue;
      await vault.set(name, value);
      if ((await vault.get(name)) !== value)
        throw new SwitchyardError('executor_unavailable', `${vault.place} does not give back what it was given`);
    }
    return {vault, moved: await this.#leave({...to, leaving: from.store}, names)};
  }

  async #leave(place: Place, names: readonly string[]): Promise<number> {
    await this.#write(place);
    if (place.leaving === null) return 0;
    const old = this.#vault({...place, store: place.leaving});
    let left = 0;
    for (const name of names) if (await old.delete(name)) left += 1;
    await this.#write({...place, leaving: null});
    return left;
  }

  async #choose(): Promise<Place> {
    const {env, platform, randomHex} = this.#options;
    const place = {id: this.#id(undefined), leaving: null, osTrouble: null};
    const wanted = settingOf(env);
    if (wanted !== undefined) return {...place, store: wanted};
    const os = osStoreOf(platform);
    if (os === undefined) return {...place, store: 'file'};
    const vault = osVault(this.#options, os, place.id);
    const trouble = vault === undefined ? howToInstall(os) : await troubleWith(vault, randomHex(16));
    return trouble === undefined ? {...place, store: os} : {...place, store: 'file', osTrouble: trouble};
  }

  /** Where the keys are; a setting that names another place is refused: they would seem to be lost. */
  async #known(): Promise<Known | undefined> {
    const known = await this.#read();
    const wanted = settingOf(this.#options.env);
    if (known === undefined || wanted === undefined || wanted === known.store) return known;
    throw new SwitchyardError(
      'configuration_invalid',
      `the keys are kept in the ${known.store}, and ${SETTING} says ${wanted}: run switchyard keys move --to ${wanted}, or unset it`,
    );
  }

  async #read(): Promise<Known | undefined> {
    const text = await readStateFile(this.#path);
    const read = recordSchema.safeParse(text === undefined ? undefined : parseJson(text));
    if (read.success) return read.data;
    if (text !== undefined) throw new SwitchyardError('state_corrupt', `${this.#path} does not say where the keys are`);
    // Kept before there was a choice.
    const hasFile = existsSync(join(this.#options.directory, VAULT_FILE));
    return hasFile ? {store: 'file', id: this.#id(undefined), change: '', osTrouble: null, leaving: null} : undefined;
  }

  async #write({store, id, osTrouble, leaving}: Place): Promise<void> {
    const record = {v: 1, store, id, osTrouble, leaving, change: this.#options.randomHex(8)};
    await writePrivateFile(this.#path, `${JSON.stringify(record)}\n`);
  }

  #id(known: Place | undefined): string {
    return known?.id ?? createHash('sha256').update(this.#options.directory).digest('hex').slice(0, 16);
  }

  #vault({store, id}: Pick<Place, 'store' | 'id'>): KeyVault {
    const vault = store === 'file' ? this.#file : osVault(this.#options, store, id);
    if (vault !== undefined) return vault;
    throw new SwitchyardError('executor_unavailable', `there is no ${store} on this machine: ${howToInstall(store)}`);
  }
}

function settingOf(env: KeyStoreOptions['env']): KeyStoreName | undefined {
  const setting = env[SETTING] ?? '';
  if (setting === '' || setting === 'auto') return undefined;
  const named = keyStoreNames.find(name => name === setting);
  if (named !== undefined) return named;
  throw new SwitchyardError('configuration_invalid', `${SETTING} is auto, ${keyStoreNames.join(', ')}, not ${setting}`);
}
