import {importVerifyingKey, unverifiedHeader, verifyJws} from '@switchyard/shared/crypto/jws.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {poolSchema, type Pool, type RunnerId} from '@switchyard/shared/domain/id.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {
  CERTIFICATE_TYP,
  certificateSchema,
  connectClaimsSchema,
  type ConnectClaims,
  type PublicJwk,
} from '@switchyard/shared/protocol/envelope.ts';
import {bearerOf} from './caller.ts';
import type {Installation} from './installation.ts';

export type VerifiedRunner = {readonly runner: RunnerId; readonly pool: Pool; readonly jwk: PublicJwk};

/** Clocks of machines drift; the nonce challenge that follows needs none. */
const CLOCK_LEEWAY_MS = 300_000;

/**
 * Verifies the token with which a runner opens a connection: its certificate bears our signature, and the key of that
 * certificate has signed the claims for this host. Whether the runner was revoked is the Fleet's to settle.
 *
 * Throws `unauthorized`. The answer carries the time of the server, so that a runner with a wrong clock can correct it.
 */
export async function verifyRunner(request: Request, {verifyingKeys, platform}: Installation): Promise<VerifiedRunner> {
  const token = bearerOf(name => request.headers.get(name) ?? undefined) ?? refuse('the runner sent no bearer token');
  const {cert} = unverifiedHeader(token) ?? refuse('the bearer token is not a signed token of a runner');
  const certificate =
    (await verifyJws(cert ?? '', {typ: CERTIFICATE_TYP, keys: verifyingKeys, schema: certificateSchema})) ??
    refuse('the certificate was not signed by this installation: enrol the runner again');
  const key = await importVerifyingKey(certificate.jwk);
  const claims =
    (await verifyJws(token, {typ: 'JWT', keys: [key], schema: connectClaimsSchema})) ??
    refuse('the token was not signed with the key of its certificate');
  const pool = poolSchema.safeParse(certificate.pool);
  if (claims.iss !== certificate.sub || !pool.success) refuse('the token names another runner than its certificate');
  checkClaims(claims, new URL(request.url).host, platform.nowMs());
  return {runner: certificate.sub, pool: poolSchema.parse(certificate.pool), jwk: certificate.jwk};
}

function checkClaims({aud, iat, exp}: ConnectClaims, host: string, nowMs: number): void {
  if (aud !== host) refuse(`the token is for another host than ${host}`);
  if (exp <= iat || (exp - iat) * 1_000 > limits.runnerJwtTtlMs)
    refuse(`the token is good for longer than ${limits.runnerJwtTtlMs / 1_000} s`);
  if (iat * 1_000 > nowMs + CLOCK_LEEWAY_MS || exp * 1_000 < nowMs - CLOCK_LEEWAY_MS)
    refuse('the token is not good at this time: compare the clock of the runner with the Date header');
}

function refuse(detail: string): never {
  throw new SwitchyardError('unauthorized', detail);
}
