import {join} from 'node:path';
import * as z from 'zod';
import type {ApiClient} from '@switchyard/shared/api/client.ts';
import {enrolmentProof, enrolRunner} from '@switchyard/shared/api/runner-contracts.ts';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {generatePrivateJwk, importSigningKey, signBytes} from '@switchyard/shared/crypto/jws.ts';
import {runnerIdSchema} from '@switchyard/shared/domain/id.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {certificateSchema} from '@switchyard/shared/protocol/envelope.ts';
import {readPrivateFile, writePrivateFile} from './private-file.ts';

/** What a runner is, once enrolled: its own key, the certificate of the control plane, and whose dispatches it takes. */
const runnerIdentitySchema = z.strictObject({
  url: z.string(),
  runner: runnerIdSchema,
  name: z.string(),
  pool: z.string(),
  labels: z.array(z.string()),
  certificate: z.string(),
  /** Public keys that sign dispatches, pinned at enrolment. */
  keys: z.array(certificateSchema.shape.jwk).min(1),
  /** The Ed25519 private key of this runner, as a JWK. It never leaves this machine. */
  private_jwk: z.record(z.string(), z.unknown()),
  /** The key that is to replace it: kept before the control plane hears of it, so that neither is ever lost. */
  next_private_jwk: z.record(z.string(), z.unknown()).optional(),
});
export type RunnerIdentity = z.infer<typeof runnerIdentitySchema>;

export function identityPath(runnerDirectory: string): string {
  return join(runnerDirectory, 'identity.json');
}

/** `undefined` when this machine was never enrolled. Throws `state_corrupt`; such a file is kept as it is. */
export async function readRunnerIdentity(runnerDirectory: string): Promise<RunnerIdentity | undefined> {
  const path = identityPath(runnerDirectory);
  const text = await readPrivateFile(path);
  if (text === undefined) return undefined;
  try {
    return runnerIdentitySchema.parse(JSON.parse(text));
  } catch {
    throw new SwitchyardError('state_corrupt', `${path} does not hold the identity of a runner`);
  }
}

export async function writeRunnerIdentity(runnerDirectory: string, identity: RunnerIdentity): Promise<void> {
  await writePrivateFile(identityPath(runnerDirectory), `${JSON.stringify(identity, undefined, 2)}\n`);
}

export type EnrolRequest = {
  readonly client: ApiClient;
  readonly token: string;
  readonly name: string;
  readonly labels: readonly string[];
  readonly runnerDirectory: string;
};

/** Makes a key, proves that it is held, spends the token and keeps what came back. */
export async function enrolThisMachine({
  client,
  token,
  name,
  labels,
  runnerDirectory,
}: EnrolRequest): Promise<RunnerIdentity> {
  const privateJwk = await generatePrivateJwk();
  const key = await importSigningKey(privateJwk);
  const proof = await signBytes(key, utf8(enrolmentProof(token, key.publicJwk.x)));
  const answer = await client.call(enrolRunner, {body: {token, name, labels: [...labels], jwk: key.publicJwk, proof}});
  const identity: RunnerIdentity = {
    url: client.url,
    runner: answer.runner,
    name,
    pool: answer.pool,
    labels: [...labels],
    certificate: answer.certificate,
    keys: answer.keys,
    private_jwk: privateJwk,
  };
  await writeRunnerIdentity(runnerDirectory, identity);
  return identity;
}
