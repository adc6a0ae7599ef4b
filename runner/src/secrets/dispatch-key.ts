import {createPublicKey, verify} from 'node:crypto';
import {thumbprint, type VerifyingKey} from '@switchyard/shared/crypto/jws.ts';
import type {PublicJwk} from '@switchyard/shared/protocol/envelope.ts';

/**
 * A key of the control plane, which verifies at once. To have WebCrypto do it beside the event loop takes Node as long
 * again as the arithmetic, twice as long where other processes want the processor, and every dispatch waits for it.
 */
export async function importDispatchKey({kty, crv, x}: PublicJwk): Promise<VerifyingKey> {
  const key = createPublicKey({key: {kty, crv, x}, format: 'jwk'});
  return {
    kid: await thumbprint({kty, crv, x}),
    verify: (signature, message) => verify(null, message, key, signature),
  };
}
