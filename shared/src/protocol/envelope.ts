import * as z from 'zod';
import {runnerIdSchema} from '../domain/id.ts';
import {taskSpecSchema} from '../domain/task-spec.ts';
import {attemptRef} from './attempt-message.ts';
import {publicKeySchema} from './public-key.ts';
import {allowanceSchema} from './spending.ts';

export const DISPATCH_TYP = 'switchyard-dispatch+jws';
export const EXIT_TYP = 'switchyard-exit+jws';
export const CERTIFICATE_TYP = 'switchyard-runner+jws';

/**
 * What the control plane signs for one runner and one attempt. The runner starts nothing that is not in a verified
 * envelope, and refuses an envelope with a field it does not know: an unknown signed field may be a restriction.
 */
export const dispatchSchema = z.strictObject({
  iss: z.literal('switchyard'),
  aud: runnerIdSchema,
  ...attemptRef,
  pool: z.string(),
  /** Seconds since 1970 by the server's clock (RFC 7519 NumericDate). */
  iat: z.int(),
  exp: z.int(),
  jti: z.string().min(8).max(64),
  /** SHA-256 of the UTF-8 text of `spec`, hex. */
  spec_sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** The task spec as JSON text, so that its hash needs no canonical form. */
  spec: z.string(),
  branch: z.string().max(255),
  /** Only where a budget holds: a runner that cannot keep it does not take the task. */
  allowance: allowanceSchema.optional(),
});
export type Dispatch = z.infer<typeof dispatchSchema>;

export const dispatchedSpecSchema = taskSpecSchema;

/** The control plane's word that this public key belongs to this runner; sent with every connection. */
export const certificateSchema = z.strictObject({
  iss: z.literal('switchyard'),
  sub: runnerIdSchema,
  pool: z.string(),
  iat: z.int(),
  /** Public key of the runner: OKP, Ed25519 (RFC 8037). */
  jwk: z.strictObject({
    kty: z.literal('OKP'),
    crv: z.literal('Ed25519'),
    x: publicKeySchema,
  }),
});
export type Certificate = z.infer<typeof certificateSchema>;

export type PublicJwk = Certificate['jwk'];

/** Claims with which a runner opens a connection (RFC 7519), signed by its own key; the header carries the certificate. */
export const connectClaimsSchema = z.strictObject({
  iss: runnerIdSchema,
  aud: z.string(),
  iat: z.int(),
  exp: z.int(),
  jti: z.string().min(8).max(64),
});
export type ConnectClaims = z.infer<typeof connectClaimsSchema>;
