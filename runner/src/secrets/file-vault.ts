import {createCipheriv, createDecipheriv, randomBytes, scrypt} from 'node:crypto';
import {join} from 'node:path';
import {promisify} from 'node:util';
import * as z from 'zod';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {parseJson} from '@switchyard/shared/domain/parse-json.ts';
import {createPrivateFile, readPrivateFile, writePrivateFile} from '../services/private-file.ts';
import type {KeyVault} from './key-vault.ts';

const base64 = z.base64();
const sealedSchema = z.strictObject({nonce: base64, tag: base64, data: base64});
const fileSchema = z.strictObject({v: z.literal(1), salt: base64, keys: z.record(z.string(), sealedSchema)});
type KeyFile = z.output<typeof fileSchema>;

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt);
/** RFC 7914 with the cost that OWASP names for interactive use: about 60 ms and 64 MiB. */
const scryptCost = {N: 65_536, r: 8, p: 1, maxmem: 128 * 65_536 * 8 + 1_048_576};

export const VAULT_FILE = 'keys.json';
const SECRET_FILE = 'keys.secret';

/**
 * Keys in a file, AES-256-GCM under a key from scrypt: for machines without a keychain. The secret beside it is random;
 * with a passphrase of the owner, who takes the whole folder has nothing. Each value is bound to its name.
 */
export function fileVault(directory: string, passphrase: string): KeyVault {
  const path = join(directory, VAULT_FILE);
  let derived: {readonly salt: string; readonly key: Promise<Buffer>} | undefined;
  const keyFor = async (salt: string): Promise<Buffer> => {
    if (derived?.salt !== salt) {
      const secret = await machineSecret(join(directory, SECRET_FILE));
      derived = {salt, key: derive(`${passphrase}\n${secret}`, Buffer.from(salt, 'base64'), 32, scryptCost)};
    }
    return derived.key;
  };
  const read = async (): Promise<KeyFile> => {
    const text = await readPrivateFile(path);
    if (text === undefined) return {v: 1, salt: randomBytes(16).toString('base64'), keys: {}};
    const parsed = fileSchema.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    throw new SwitchyardError('state_corrupt', `${path} does not hold keys: delete it and set them again`);
  };
  return {
    store: 'file',
    place: path,
    async get(name) {
      const {salt, keys} = await read();
      const sealed = keys[name];
      return sealed === undefined ? undefined : open(await keyFor(salt), name, {sealed, path});
    },
    async set(name, value) {
      const file = await read();
      const sealed = seal(await keyFor(file.salt), name, value);
      await writePrivateFile(path, `${JSON.stringify({...file, keys: {...file.keys, [name]: sealed}})}\n`);
    },
    async delete(name) {
      const file = await read();
      if (file.keys[name] === undefined) return false;
      const {[name]: _deleted, ...keys} = file.keys;
      await writePrivateFile(path, `${JSON.stringify({...file, keys})}\n`);
      return true;
    },
  };
}

async function machineSecret(path: string): Promise<string> {
  const found = await readPrivateFile(path);
  if (found !== undefined) return found;
  await createPrivateFile(path, randomBytes(32).toString('base64'));
  return (await readPrivateFile(path)) ?? '';
}

function seal(key: Buffer, name: string, value: string): z.output<typeof sealedSchema> {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(name));
  const data = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
  return {
    nonce: nonce.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
    data: data.toString('base64'),
  };
}

function open(
  key: Buffer,
  name: string,
  {sealed, path}: {readonly sealed: z.output<typeof sealedSchema>; readonly path: string},
): string {
  try {
    const cipher = createDecipheriv('aes-256-gcm', key, Buffer.from(sealed.nonce, 'base64'))
      .setAAD(Buffer.from(name))
      .setAuthTag(Buffer.from(sealed.tag, 'base64'));
    return Buffer.concat([cipher.update(Buffer.from(sealed.data, 'base64')), cipher.final()]).toString('utf8');
  } catch {
    throw new SwitchyardError(
      'configuration_invalid',
      `${name} in ${path} cannot be opened: give the passphrase in SWITCHYARD_KEYS_PASSPHRASE, or set the key again`,
    );
  }
}
