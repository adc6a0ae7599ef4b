import * as z from 'zod';
import {SwitchyardError} from '../domain/error.ts';
import type {PublicJwk} from '../protocol/envelope.ts';
import {fromBase64Url, fromUtf8, toBase64Url, utf8, type Bytes} from './bytes.ts';

/**
 * Compact JWS (RFC 7515) with EdDSA over Ed25519 (RFC 8037) and nothing else: the algorithm is not a choice of the
 * message. A JWS signs the very bytes that travel, so no canonical JSON is needed.
 */

/** The key of whichever runtime compiles this file: not all of them name the type globally. */
type CryptoKey = Parameters<typeof crypto.subtle.sign>[1];
export type SigningKey = {readonly kid: string; readonly publicJwk: PublicJwk; readonly privateKey: CryptoKey};
export type VerifyingKey = {
  readonly kid: string;
  /** Of exactly 64 bytes. A runtime that has something faster than WebCrypto brings its own. */
  readonly verify: (signature: Bytes, message: Bytes) => boolean | Promise<boolean>;
};

/** Strict: a header that we do not know may change what the signature means (`crit`, RFC 7515 section 4.1.11). */
const headerSchema = z.strictObject({
  alg: z.literal('EdDSA'),
  typ: z.string(),
  kid: z.string(),
  cert: z.string().optional(),
});
export type JwsHeader = z.infer<typeof headerSchema>;

const privateJwkSchema = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string(),
  d: z.string(),
  kid: z.string(),
});
export type PrivateJwk = z.infer<typeof privateJwkSchema>;

const ed25519 = {name: 'Ed25519'} as const;

export async function generatePrivateJwk(): Promise<PrivateJwk> {
  const pair = await crypto.subtle.generateKey(ed25519, true, ['sign', 'verify']);
  if (!('privateKey' in pair)) throw new SwitchyardError('internal', 'the platform made no key pair');
  const jwk = await crypto.subtle.exportKey('jwk', pair.privateKey);
  const key = privateJwkSchema.omit({kid: true}).parse(jwk);
  return {...key, kid: await thumbprint(key)};
}

/** RFC 7638: the key id says which key it is, and cannot be chosen. */
export async function thumbprint(jwk: PublicJwk): Promise<string> {
  const canonical = JSON.stringify({crv: jwk.crv, kty: jwk.kty, x: jwk.x});
  return toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(canonical))));
}

/**
 * Throws `configuration_invalid`, which never shows the key, when the JWK is not an Ed25519 private key whose kid is
 * its thumbprint: verifiers compute the kid, so a signature under any other would be refused everywhere.
 */
export async function importSigningKey(jwk: unknown): Promise<SigningKey> {
  const parsed = privateJwkSchema.safeParse(jwk);
  const privateKey = parsed.success ? await importPrivateKey(parsed.data) : undefined;
  if (!parsed.success || privateKey === undefined)
    throw new SwitchyardError('configuration_invalid', 'a signing key is not an Ed25519 private JWK with a kid');
  const {kty, crv, x, kid} = parsed.data;
  if (kid !== (await thumbprint({kty, crv, x})))
    throw new SwitchyardError('configuration_invalid', 'the kid of a signing key is not its thumbprint (RFC 7638)');
  return {kid, publicJwk: {kty, crv, x}, privateKey};
}

async function importPrivateKey({kty, crv, x, d}: PrivateJwk): Promise<CryptoKey | undefined> {
  try {
    return await crypto.subtle.importKey('jwk', {kty, crv, x, d}, ed25519, false, ['sign']);
  } catch {
    // The cause is left out: what a platform says about a key it refuses may quote the key.
    return undefined;
  }
}

export async function importVerifyingKey(jwk: PublicJwk): Promise<VerifyingKey> {
  const {kty, crv, x} = jwk;
  const publicKey = await crypto.subtle.importKey('jwk', {kty, crv, x}, ed25519, false, ['verify']);
  const verify: VerifyingKey['verify'] = async (signature, message) =>
    crypto.subtle.verify(ed25519, publicKey, signature, message);
  return {kid: await thumbprint({kty, crv, x}), verify};
}

export async function signBytes(key: SigningKey, message: Bytes): Promise<string> {
  return toBase64Url(new Uint8Array(await crypto.subtle.sign(ed25519, key.privateKey, message)));
}

export async function verifyBytes(key: VerifyingKey, message: Bytes, signature: string): Promise<boolean> {
  const bytes = fromBase64Url(signature);
  return bytes?.length === 64 && key.verify(bytes, message);
}

export async function signJws(
  key: SigningKey,
  {typ, cert}: {typ: string; cert?: string | undefined},
  payload: object,
): Promise<string> {
  const head = cert === undefined ? commonHead(key, typ) : encodePart({alg: 'EdDSA', typ, kid: key.kid, cert});
  const input = `${head}.${encodePart(payload)}`;
  return `${input}.${await signBytes(key, utf8(input))}`;
}

const encodePart = (part: object): string => toBase64Url(utf8(JSON.stringify(part)));

const commonHeads = new WeakMap<SigningKey, Map<string, string>>();

/** A key signs with the same few headers all its life. */
function commonHead(key: SigningKey, typ: string): string {
  const heads = commonHeads.get(key) ?? new Map<string, string>();
  commonHeads.set(key, heads);
  const head = heads.get(typ) ?? encodePart({alg: 'EdDSA', typ, kid: key.kid});
  heads.set(typ, head);
  return head;
}

/** The header of a JWS that nobody has verified: good for choosing a key, for nothing else. */
export function unverifiedHeader(jws: string): JwsHeader | undefined {
  return headerSchema.safeParse(parsePart(jws.split('.')[0])).data;
}

/**
 * Verifies a compact JWS against the keys that the caller pinned and reads its payload.
 *
 * Answers `undefined` for everything that is not exactly right (form, algorithm, type, unknown kid, signature, payload
 * that its schema does not describe), so that no caller can act on the difference.
 */
export async function verifyJws<Schema extends z.ZodType>(
  jws: string,
  {typ, keys, schema}: {typ: string; keys: readonly VerifyingKey[]; schema: Schema},
): Promise<z.output<Schema> | undefined> {
  const parts = jws.split('.');
  const [head, body, signature] = parts;
  if (parts.length !== 3 || head === undefined || body === undefined || signature === undefined) return undefined;
  const header = readHead(head);
  if (header?.typ !== typ) return undefined;
  const key = keys.find(({kid}) => kid === header.kid);
  if (key === undefined || !(await verifyBytes(key, utf8(`${head}.${body}`), signature))) return undefined;
  const payload = schema.safeParse(parsePart(body));
  return payload.success ? payload.data : undefined;
}

const knownHeads = new Map<string, JwsHeader>();
const knownHeadsMax = 1_000;
const knownHeadCharactersMax = 200;

/** One peer sends the same header with everything it signs, and reading it costs as much as reading what it signed. */
function readHead(head: string): JwsHeader | undefined {
  const known = knownHeads.get(head);
  if (known !== undefined) return known;
  const header = headerSchema.safeParse(parsePart(head)).data;
  if (header === undefined || head.length > knownHeadCharactersMax) return header;
  if (knownHeads.size >= knownHeadsMax) knownHeads.clear();
  knownHeads.set(head, header);
  return header;
}

function parsePart(part: string | undefined): unknown {
  const bytes = part === undefined ? undefined : fromBase64Url(part);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(fromUtf8(bytes));
  } catch {
    return undefined;
  }
}
