import type {Auth} from '@switchyard/shared/api/contract.ts';
import type {Pool} from '@switchyard/shared/domain/id.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {
  hmacSecretBytes,
  namedKeyId,
  signatureForm,
  verifyRequest,
  type SignedRequest,
  type Signer,
} from '@switchyard/shared/crypto/request-signature.ts';
import type {Caller} from '../fleet/fleet-rpc.ts';
import type {FleetStub, Installation} from './installation.ts';

/** Who asks, and the Fleet that may answer: its pool comes from the credential, never from the request. */
export type Access = {readonly caller: Caller; readonly pool: Pool; readonly fleet: FleetStub};

type RegisteredSigner = {readonly pool: Pool; readonly signer: Signer; readonly callerId: string | undefined};

export function bearerOf(header: SignedRequest['header']): string | undefined {
  return /^Bearer +(\S+)$/i.exec(header('authorization') ?? '')?.[1];
}

/** Settles who asks once the whole request is there. Throws `bad_signature` or `stale_signature`. */
export type Claim = (request: SignedRequest) => Promise<Access>;

/**
 * What the headers claim, before a byte of the body is taken: junk must not make us wait for a body or keep one. Throws
 * `unauthorized` or `bad_signature`. Scope and revocation are the Fleet's to settle.
 */
export async function claimOf(
  header: SignedRequest['header'],
  auth: Exclude<Auth, 'none' | 'runner'>,
  installation: Installation,
): Promise<Claim> {
  const bearer = bearerOf(header);
  if (bearer !== undefined) {
    const access = await tokenAccess(bearer, installation);
    return async () => access;
  }
  if (auth === 'signed' && signatureForm(header) !== undefined) {
    const signer = await signerOf(header, installation);
    return async request => signedAccess(request, signer, installation);
  }
  throw new SwitchyardError(
    'unauthorized',
    auth === 'signed' ? 'the request has neither a bearer token nor a signature' : 'the request has no bearer token',
  );
}

/** The same for a request that is there already. */
export async function authorize(
  request: SignedRequest,
  auth: Exclude<Auth, 'none' | 'runner'>,
  installation: Installation,
): Promise<Access> {
  return (await claimOf(request.header, auth, installation))(request);
}

async function tokenAccess(bearer: string, installation: Installation): Promise<Access> {
  const credential = await installation.mint.open(bearer);
  if (credential?.kind !== 'swy')
    throw new SwitchyardError('unauthorized', 'the bearer token is not one of this installation');
  const {pool, id, hash} = credential;
  return {caller: {kind: 'token', id, hash}, pool, fleet: installation.fleet(pool)};
}

async function signedAccess(
  request: SignedRequest,
  {pool, signer, callerId}: RegisteredSigner,
  installation: Installation,
): Promise<Access> {
  const {nonce, expiresAtMs} = await verifyRequest(request, signer, installation.platform.nowMs());
  const fleet = installation.fleet(pool);
  if (callerId === undefined) return {caller: {kind: 'dispatch', nonce: {value: nonce, expiresAtMs}}, pool, fleet};
  // Two signers may choose the same id: each has nonces of its own.
  return {caller: {kind: 'signer', id: callerId, nonce: {value: `${callerId}:${nonce}`, expiresAtMs}}, pool, fleet};
}

async function signerOf(header: SignedRequest['header'], installation: Installation): Promise<RegisteredSigner> {
  const keyId = namedKeyId(header);
  if (keyId !== undefined) return registeredSigner(keyId, installation);
  if (signatureForm(header) !== 'dispatch')
    throw new SwitchyardError('bad_signature', 'the header webhook-key-id is missing');
  if (installation.dispatch === undefined)
    throw new SwitchyardError(
      'bad_signature',
      'this installation has no DISPATCH_SECRET: name a key in x-dispatch-key',
    );
  const {pool, secrets} = installation.dispatch;
  return {pool, signer: {hmacSecrets: secrets}, callerId: undefined};
}

async function registeredSigner(keyId: string, {mint}: Installation): Promise<RegisteredSigner> {
  const credential = await mint.open(keyId);
  if (credential?.kind !== 'swk')
    throw new SwitchyardError('bad_signature', 'the key id is not one of this installation');
  const signer =
    credential.body === 'hmac'
      ? {hmacSecrets: [hmacSecretBytes(await mint.signerSecret(keyId))]}
      : {hmacSecrets: [], ed25519Hex: credential.body};
  return {pool: credential.pool, signer, callerId: credential.id};
}

/**
 * The key under which a repeated request answers with its first task: `webhook-id` of a Standard Webhook, which its
 * signature covers, else `Idempotency-Key`. Clients do not share keys.
 */
export function idempotencyKey(header: SignedRequest['header'], caller: Caller): string | undefined {
  const isStandard = caller.kind !== 'token' && signatureForm(header) === 'standard';
  const key = isStandard ? header('webhook-id') : header('idempotency-key');
  if (key === undefined) return undefined;
  if (!/^[\x21-\x7e]{1,200}$/.test(key))
    throw new SwitchyardError('invalid_request', 'Idempotency-Key is not 1 to 200 visible ASCII characters');
  return `${'id' in caller ? caller.id : caller.kind}:${key}`;
}
