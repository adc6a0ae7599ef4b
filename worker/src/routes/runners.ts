import * as contracts from '@switchyard/shared/api/runner-contracts.ts';
import {toHex, utf8} from '@switchyard/shared/crypto/bytes.ts';
import type {Credential} from '@switchyard/shared/crypto/credential.ts';
import {importVerifyingKey, signJws, verifyBytes} from '@switchyard/shared/crypto/jws.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {newRunnerId, type RunnerId} from '@switchyard/shared/domain/id.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {CERTIFICATE_TYP, type Certificate, type PublicJwk} from '@switchyard/shared/protocol/envelope.ts';
import {parseJsonBody, readBody} from '../http/body.ts';
import type {Installation} from '../http/installation.ts';
import {mount, mountOpen, type Api} from '../http/mount.ts';
import {unwrap} from '../http/problem.ts';
import {verifyRunner} from '../http/runner-auth.ts';
import {validate} from '../http/validate.ts';

const ID_BYTES = 8;
const SECRET_BYTES = 24;

export function mountRunners(api: Api): void {
  const {installation} = api;

  mount(
    api,
    contracts.listRunners,
  )(async ({fleet, caller}) => {
    const {runners} = unwrap(await fleet.listRunners(caller));
    return {status: 200, body: {runners: [...runners]}};
  });

  for (const [contract, to] of [
    [contracts.drainRunner, 'drain'],
    [contracts.resumeRunner, 'resume'],
    [contracts.revokeRunner, 'revoke'],
  ] as const) {
    mount(
      api,
      contract,
    )(async ({fleet, caller, params}) => ({
      status: 200,
      body: unwrap(await fleet.setRunner(caller, {runner: params.runner, to})),
    }));
  }

  mount(
    api,
    contracts.createEnrolment,
  )(async ({fleet, caller, pool, body}) => {
    const {mint, platform} = installation;
    const id = toHex(platform.randomBytes(ID_BYTES));
    const token = await mint.mint('swe', pool, {id, body: toHex(platform.randomBytes(SECRET_BYTES))});
    const {hash} = await openEnrolment(token, installation);
    const expiresAtMs = platform.nowMs() + limits.enrolmentTtlMs;
    unwrap(await fleet.createEnrolment(caller, {id, hash, labels: body.labels, expiresAtMs}));
    return {status: 201, body: {token, expires_ms: expiresAtMs}};
  });

  mountEnrol(api);
  mountRotate(api);
}

function mountEnrol(api: Api): void {
  const {installation} = api;
  mountOpen(
    api,
    contracts.enrolRunner,
  )(async ({body: {token, name, labels, jwk, proof}}) => {
    const {pool, id, hash} = await openEnrolment(token, installation);
    await requirePossession(jwk, {token, proof});
    const {platform, signingKeys} = installation;
    const nowMs = platform.nowMs();
    const runner = newRunnerId(nowMs, platform.randomBytes);
    const certificate = await certify({runner, pool, jwk, nowMs}, installation);
    unwrap(await installation.fleet(pool).enrol({id, hash}, {runner, name, labels, jwk}));
    return {status: 201, body: {runner, pool, certificate, keys: signingKeys.map(({publicJwk}) => publicJwk)}};
  });
}

function mountRotate({app, installation}: Api): void {
  app.post(contracts.rotateRunnerKey.path, async context => {
    const request = context.req.raw;
    const {runner, pool, jwk} = await verifyRunner(request, installation);
    const raw = await readBody(request, limits.bodyBytesMax);
    const json = parseJsonBody(raw, request.headers.get('content-type') ?? undefined);
    const {new_jwk: next, sig_old, sig_new} = validate(contracts.keyRotationSchema, json, 'body');
    const proof = utf8(contracts.rotationProof({runner, oldX: jwk.x, newX: next.x}));
    for (const [key, signature] of [
      [jwk, sig_old],
      [next, sig_new],
    ] as const) {
      if (!(await verifyBytes(await importVerifyingKey(key), proof, signature)))
        throw new SwitchyardError('unauthorized', 'the rotation is not signed by both keys');
    }
    const {oldUntilMs} = unwrap(await installation.fleet(pool).rotateKey({runner, oldX: jwk.x, newX: next.x}));
    const nowMs = installation.platform.nowMs();
    const certificate = await certify({runner, pool, jwk: next, nowMs}, installation);
    return Response.json({certificate, old_until_ms: oldUntilMs});
  });
}

async function openEnrolment(token: string, {mint}: Installation): Promise<Credential> {
  const credential = await mint.open(token);
  if (credential?.kind !== 'swe')
    throw new SwitchyardError('enrolment_invalid', 'the enrolment token is not one of this installation');
  return credential;
}

/** A key that the sender does not hold must not get a certificate: it would belong to another machine. */
async function requirePossession(jwk: PublicJwk, {token, proof}: {token: string; proof: string}): Promise<void> {
  const key = await importVerifyingKey(jwk);
  if (!(await verifyBytes(key, utf8(contracts.enrolmentProof(token, jwk.x)), proof)))
    throw new SwitchyardError('enrolment_invalid', 'the proof was not signed with the key that was sent');
}

async function certify(
  {runner, pool, jwk, nowMs}: {runner: RunnerId; pool: string; jwk: PublicJwk; nowMs: number},
  {signingKey}: Installation,
): Promise<string> {
  const certificate: Certificate = {iss: 'switchyard', sub: runner, pool, iat: Math.floor(nowMs / 1_000), jwk};
  return signJws(signingKey, {typ: CERTIFICATE_TYP}, certificate);
}
