import * as z from 'zod';
import {fromBase64, type Bytes} from '@switchyard/shared/crypto/bytes.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';

const SECRET_BYTES_MIN = 32;

/** Throws `configuration_invalid`, which never shows the value. */
export function installationSecret(environment: {readonly SWITCHYARD_SECRET: string}): Bytes {
  const bytes = fromBase64(environment.SWITCHYARD_SECRET ?? '');
  if (bytes === undefined || bytes.length < SECRET_BYTES_MIN) {
    throw new SwitchyardError(
      'configuration_invalid',
      `SWITCHYARD_SECRET must be at least ${SECRET_BYTES_MIN} bytes in base64`,
    );
  }
  return bytes;
}

/** Throws `configuration_invalid`, which never shows the value. */
export function signingJwks(environment: {readonly SWITCHYARD_SIGNING_KEYS: string}): readonly unknown[] {
  const parsed = z
    .array(z.unknown())
    .min(1)
    .max(4)
    .safeParse(parseJson('SWITCHYARD_SIGNING_KEYS', environment.SWITCHYARD_SIGNING_KEYS));
  if (!parsed.success)
    throw new SwitchyardError(
      'configuration_invalid',
      'SWITCHYARD_SIGNING_KEYS must be a JSON list of one to four keys',
    );
  return parsed.data;
}

function parseJson(name: string, text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch (cause) {
    throw new SwitchyardError('configuration_invalid', `${name} is not JSON`, {cause});
  }
}
