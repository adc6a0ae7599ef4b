import {randomBytes} from 'node:crypto';
import * as z from 'zod';
import {fromBase64, type Bytes} from '@switchyard/shared/crypto/bytes.ts';
import {generatePrivateJwk} from '@switchyard/shared/crypto/jws.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {createPrivateFile, readPrivateFile} from './private-file.ts';

const installationSchema = z.strictObject({
  /** 32 random bytes, base64. */
  secret: z.string().refine(text => (fromBase64(text)?.length ?? 0) >= 32, 'expected at least 32 bytes in base64'),
  /** Ed25519 private JWKs; the first signs. */
  signing_keys: z.array(z.record(z.string(), z.unknown())).min(1).max(4),
});
export type InstallationSecret = z.infer<typeof installationSchema>;

/**
 * The secret and the signing keys of the embedded control plane, made once. A file that cannot be read as such is an
 * error and is left alone: a new secret would silently turn every token and every enrolled runner away.
 */
export async function installationSecret(path: string): Promise<InstallationSecret> {
  const found = await readPrivateFile(path);
  if (found !== undefined) return parse(path, found);
  const made: InstallationSecret = {
    secret: randomBytes(32).toString('base64'),
    signing_keys: [await generatePrivateJwk()],
  };
  if (await createPrivateFile(path, `${JSON.stringify(made, undefined, 2)}\n`)) return made;
  return parse(path, (await readPrivateFile(path)) ?? '');
}

export function secretBytes({secret}: InstallationSecret): Bytes {
  return fromBase64(secret) ?? new Uint8Array();
}

function parse(path: string, text: string): InstallationSecret {
  try {
    return installationSchema.parse(JSON.parse(text));
  } catch (cause) {
    // The cause would show the content.
    throw new SwitchyardError('state_corrupt', `${path} does not hold the secret of this installation`, {
      cause: cause instanceof SyntaxError ? undefined : cause,
    });
  }
}
