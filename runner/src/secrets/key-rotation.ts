import {apiClient} from '@switchyard/shared/api/client.ts';
import {rotateRunnerKey, rotationProof} from '@switchyard/shared/api/runner-contracts.ts';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {generatePrivateJwk, importSigningKey, signBytes} from '@switchyard/shared/crypto/jws.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {RunnerId} from '@switchyard/shared/domain/id.ts';
import {connectTokens} from '../link/connect-token.ts';
import {readRunnerIdentity, writeRunnerIdentity, type RunnerIdentity} from '../services/runner-identity.ts';
import {loadRunnerKey, type RunnerKey} from './runner-key.ts';
import {aloneWithSecrets} from './secrets-lock.ts';

/**
 * A rotation in three steps, each of which may be the last one before a crash: the next key is kept beside the current
 * one, the control plane is told, the next key takes the place of the current one. Until the second step the current key
 * is good, after it both are for a day, and the second step may be repeated at any time. Whoever finds a rotation that
 * was begun finishes it: the command, or the runner before its next session.
 */
export type Rotated = {readonly runner: RunnerId; readonly oldUntilMs: number};

type Ambient = {readonly wallMs: () => number; readonly randomId: () => string};

/** Replaces the key of this machine, or finishes the replacement that was begun. Throws what the control plane answers. */
export async function rotateRunnerKeyHere(runnerDirectory: string, ambient: Ambient): Promise<Rotated> {
  await identityOf(runnerDirectory);
  return aloneWithSecrets(runnerDirectory, async () => {
    const identity = await identityOf(runnerDirectory);
    const nextJwk = identity.next_private_jwk ?? (await generatePrivateJwk());
    if (identity.next_private_jwk === undefined)
      await writeRunnerIdentity(runnerDirectory, {...identity, next_private_jwk: nextJwk});
    return takeKey(runnerDirectory, {identity, nextJwk}, ambient);
  });
}

/** Nothing to do where no rotation was begun. */
async function finishRotation(runnerDirectory: string, ambient: Ambient): Promise<void> {
  if ((await identityOf(runnerDirectory)).next_private_jwk === undefined) return;
  await aloneWithSecrets(runnerDirectory, async () => {
    const identity = await identityOf(runnerDirectory);
    const {next_private_jwk: nextJwk} = identity;
    if (nextJwk !== undefined) await takeKey(runnerDirectory, {identity, nextJwk}, ambient);
  });
}

type Begun = {readonly identity: RunnerIdentity; readonly nextJwk: Readonly<Record<string, unknown>>};

async function takeKey(runnerDirectory: string, {identity, nextJwk}: Begun, ambient: Ambient): Promise<Rotated> {
  const answer = await tellControlPlane(identity, nextJwk, ambient);
  // The machine may have been enrolled anew meanwhile, which takes no lock: that identity must not be lost.
  const {next_private_jwk: kept, ...rest} = await identityOf(runnerDirectory);
  if (JSON.stringify(kept) === JSON.stringify(nextJwk))
    await writeRunnerIdentity(runnerDirectory, {...rest, private_jwk: nextJwk, certificate: answer.certificate});
  return {runner: identity.runner, oldUntilMs: answer.old_until_ms};
}

async function tellControlPlane(
  {url, runner, certificate, private_jwk: oldJwk}: RunnerIdentity,
  nextJwk: Readonly<Record<string, unknown>>,
  {wallMs, randomId}: Ambient,
) {
  const [oldKey, newKey] = await Promise.all([importSigningKey(oldJwk), importSigningKey(nextJwk)]);
  const key = (): {signingKey: typeof oldKey; certificate: string} => ({signingKey: oldKey, certificate});
  const token = await connectTokens({key, runner, host: new URL(url).host, wallMs, randomId}).issue();
  const proof = utf8(rotationProof({runner, oldX: oldKey.publicJwk.x, newX: newKey.publicJwk.x}));
  const body = {
    new_jwk: newKey.publicJwk,
    sig_old: await signBytes(oldKey, proof),
    sig_new: await signBytes(newKey, proof),
  };
  return apiClient({url, token}).call(rotateRunnerKey, {body});
}

async function identityOf(runnerDirectory: string): Promise<RunnerIdentity> {
  const identity = await readRunnerIdentity(runnerDirectory);
  if (identity === undefined)
    throw new SwitchyardError(
      'configuration_invalid',
      `${runnerDirectory} holds no identity: run switchyard runner enrol`,
    );
  return identity;
}

export type RunnerKeys = {
  readonly current: () => RunnerKey;
  /** Finishes a rotation that was begun and takes the key that the identity holds; keeps the current one if it cannot. */
  readonly renew: () => Promise<void>;
};

export type RunnerKeysOptions = Ambient & {
  readonly key: RunnerKey;
  readonly runnerDirectory: string;
  readonly log: (line: string) => void;
};

/** The key of a running runner, which another process of this machine may replace. */
export function runnerKeys({key, runnerDirectory, log, ...ambient}: RunnerKeysOptions): RunnerKeys {
  let current = key;
  const step = async (what: string, run: () => Promise<void>): Promise<void> => {
    try {
      await run();
    } catch (error) {
      log(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  return {
    current: () => current,
    renew: async () => {
      await step('the rotation of the key is not finished', async () => finishRotation(runnerDirectory, ambient));
      await step('the identity could not be read', async () => {
        const found = await loadRunnerKey(runnerDirectory);
        // Another enrolment is another runner: that takes a new process.
        if (found.runner === current.runner)
          current = {...current, signingKey: found.signingKey, certificate: found.certificate};
      });
    },
  };
}
