import * as z from 'zod';

/** An Ed25519 public key (RFC 8037), base64url in its one canonical form: its text makes the key id. */
export const publicKeySchema = z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/);
