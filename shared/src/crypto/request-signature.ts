import {SwitchyardError} from '../domain/error.ts';
import {limits} from '../policy/limits.ts';
import {concat, fromBase64, fromHex, toBase64, toBase64Url, toHex, utf8, type Bytes} from './bytes.ts';
import {hmacKey} from './hmac.ts';
import {importVerifyingKey, verifyBytes} from './jws.ts';

/**
 * Signed requests over raw bytes, in two forms: Standard Webhooks (standardwebhooks.com: `webhook-id`,
 * `webhook-timestamp` in seconds, `webhook-signature` a list of `v1,` HMAC and `v1a,` Ed25519), and the `X-Dispatch-*`
 * headers of dispatchers that exist already (timestamp in milliseconds, hex HMAC over `timestamp.nonce.body`; version 2
 * puts method, path and key id before the body).
 */
export type SignedRequest = {
  readonly method: string;
  /** Path with query, as sent. */
  readonly path: string;
  readonly header: (name: string) => string | undefined;
  readonly body: Bytes;
};

export type Signer = {readonly hmacSecrets: readonly Bytes[]; readonly ed25519Hex?: string | undefined};

/** What the Fleet must remember so that the same request is not taken twice. */
export type SignedIdentity = {
  readonly form: 'standard' | 'dispatch';
  readonly nonce: string;
  readonly expiresAtMs: number;
};

export function signatureForm(header: SignedRequest['header']): 'standard' | 'dispatch' | undefined {
  if (header('webhook-signature') !== undefined) return 'standard';
  return header('x-dispatch-signature') === undefined ? undefined : 'dispatch';
}

/**
 * The key id that the request names, if its form names one. Each form has a header of its own: `x-dispatch-key` is
 * under the signature, so no other header may choose the key in its place.
 */
export function namedKeyId(header: SignedRequest['header']): string | undefined {
  return header(signatureForm(header) === 'standard' ? 'webhook-key-id' : 'x-dispatch-key');
}

const required = (header: SignedRequest['header'], name: string): string => {
  const value = header(name);
  if (value === undefined || value === '') throw new SwitchyardError('bad_signature', `the header ${name} is missing`);
  return value;
};

function checkTimestamp(text: string, unitMs: number, nowMs: number): number {
  const sentAtMs = /^\d{1,16}$/.test(text) ? Number(text) * unitMs : Number.NaN;
  if (!Number.isSafeInteger(sentAtMs))
    throw new SwitchyardError('bad_signature', 'the timestamp of the signature is not a number');
  const apartMs = Math.abs(nowMs - sentAtMs);
  if (apartMs > limits.signatureWindowMs) {
    throw new SwitchyardError(
      'stale_signature',
      `the signature is ${Math.round(apartMs / 1_000)} s away from the clock of the server`,
    );
  }
  return sentAtMs;
}

/** Throws `bad_signature` or `stale_signature`; answers what must be remembered against replay. */
export async function verifyRequest(request: SignedRequest, signer: Signer, nowMs: number): Promise<SignedIdentity> {
  return signatureForm(request.header) === 'standard'
    ? verifyStandard(request, signer, nowMs)
    : verifyDispatch(request, signer, nowMs);
}

async function verifyStandard({header, body}: SignedRequest, signer: Signer, nowMs: number): Promise<SignedIdentity> {
  const id = required(header, 'webhook-id');
  const timestamp = required(header, 'webhook-timestamp');
  if (id.length > 200 || id.includes('.'))
    throw new SwitchyardError('bad_signature', 'webhook-id is longer than 200 characters or holds a dot');
  const sentAtMs = checkTimestamp(timestamp, 1_000, nowMs);
  const message = concat(utf8(`${id}.${timestamp}.`), body);
  for (const entry of required(header, 'webhook-signature').split(' ').slice(0, 16)) {
    const [version, signature] = entry.split(',', 2);
    if (signature !== undefined && (await matchesStandard(version, signature, {message, signer}))) {
      return {form: 'standard', nonce: `webhook:${id}`, expiresAtMs: sentAtMs + limits.nonceKeptMs};
    }
  }
  throw new SwitchyardError('bad_signature', 'no signature of the request matches a key of this pool');
}

async function matchesStandard(
  version: string | undefined,
  signature: string,
  {message, signer}: {message: Bytes; signer: Signer},
): Promise<boolean> {
  const bytes = fromBase64(signature);
  if (bytes === undefined) return false;
  if (version === 'v1') return matchesHmac(signer.hmacSecrets, message, bytes);
  const x = version === 'v1a' && signer.ed25519Hex !== undefined ? fromHex(signer.ed25519Hex) : undefined;
  if (x === undefined) return false;
  return verifyBytes(
    await importVerifyingKey({kty: 'OKP', crv: 'Ed25519', x: toBase64Url(x)}),
    message,
    toBase64Url(bytes),
  );
}

async function verifyDispatch(
  {header, body, method, path}: SignedRequest,
  signer: Signer,
  nowMs: number,
): Promise<SignedIdentity> {
  const timestamp = required(header, 'x-dispatch-timestamp');
  const nonce = required(header, 'x-dispatch-nonce');
  if (!/^[A-Za-z0-9-]{8,100}$/.test(nonce))
    throw new SwitchyardError(
      'bad_signature',
      'x-dispatch-nonce is not a nonce of 8 to 100 letters, digits and dashes',
    );
  const sentAtMs = checkTimestamp(timestamp, 1, nowMs);
  const keyId = header('x-dispatch-key');
  const prefix =
    keyId === undefined ? `${timestamp}.${nonce}.` : `${timestamp}.${nonce}.${method.toUpperCase()}.${path}.${keyId}.`;
  const signature = fromHex(required(header, 'x-dispatch-signature'));
  if (signature === undefined || !(await matchesHmac(signer.hmacSecrets, concat(utf8(prefix), body), signature))) {
    throw new SwitchyardError('bad_signature', 'the signature of the request does not match a key of this pool');
  }
  return {form: 'dispatch', nonce: `dispatch:${nonce}`, expiresAtMs: sentAtMs + limits.nonceKeptMs};
}

async function matchesHmac(secrets: readonly Bytes[], message: Bytes, mac: Uint8Array): Promise<boolean> {
  let matched = false;
  for (const secret of secrets) matched = (await (await hmacKey(secret)).verify(message, mac)) || matched;
  return matched;
}

/** Headers of a Standard Webhooks request, for whoever sends one: the CLI, the SDK, callbacks. */
export async function signStandard(
  secret: Bytes,
  {id, body, nowMs, keyId}: {id: string; body: Bytes; nowMs: number; keyId?: string | undefined},
): Promise<Record<string, string>> {
  const timestamp = String(Math.floor(nowMs / 1_000));
  const mac = await (await hmacKey(secret)).sign(concat(utf8(`${id}.${timestamp}.`), body));
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${toBase64(mac)}`,
    ...(keyId === undefined ? {} : {'webhook-key-id': keyId}),
  };
}

/** Headers of an `X-Dispatch-*` request. With a key id it is version 2. */
export async function signDispatch(
  secret: Bytes,
  {
    nonce,
    body,
    nowMs,
    target,
  }: {nonce: string; body: Bytes; nowMs: number; target?: {method: string; path: string; keyId: string} | undefined},
): Promise<Record<string, string>> {
  const timestamp = String(nowMs);
  const middle = target === undefined ? '' : `${target.method.toUpperCase()}.${target.path}.${target.keyId}.`;
  const mac = await (await hmacKey(secret)).sign(concat(utf8(`${timestamp}.${nonce}.${middle}`), body));
  return {
    'x-dispatch-timestamp': timestamp,
    'x-dispatch-nonce': nonce,
    'x-dispatch-signature': toHex(mac),
    ...(target === undefined ? {} : {'x-dispatch-key': target.keyId}),
  };
}

/** `whsec_` and base64, or plain text as older dispatchers have it. */
export function hmacSecretBytes(secret: string): Bytes {
  return secret.startsWith('whsec_') ? (fromBase64(secret.slice(6)) ?? utf8(secret)) : utf8(secret);
}
