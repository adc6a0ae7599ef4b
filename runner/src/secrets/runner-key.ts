import {lstat} from 'node:fs/promises';
import {importSigningKey, type SigningKey, type VerifyingKey} from '@switchyard/shared/crypto/jws.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import type {RunnerId} from '@switchyard/shared/domain/id.ts';
import {identityPath, readRunnerIdentity} from '../services/runner-identity.ts';
import {importDispatchKey} from './dispatch-key.ts';

/** The identity of this machine, ready for use. The private key cannot be read out of it any more. */
export type RunnerKey = {
  readonly url: string;
  readonly runner: RunnerId;
  readonly name: string;
  readonly pool: string;
  readonly labels: readonly string[];
  readonly certificate: string;
  readonly signingKey: SigningKey;
  /** Whose dispatches are taken: pinned at enrolment. */
  readonly dispatchKeys: readonly VerifyingKey[];
};

/**
 * Throws `configuration_invalid` when this machine was not enrolled, and when others could read the key file or put
 * another one in its place; `state_corrupt` when the file is damaged. No message repeats what is in it.
 */
export async function loadRunnerKey(runnerDirectory: string): Promise<RunnerKey> {
  const identity = await readRunnerIdentity(runnerDirectory);
  if (identity === undefined)
    throw new SwitchyardError(
      'configuration_invalid',
      `${runnerDirectory} holds no identity: run switchyard runner enrol`,
    );
  await checkOwner(runnerDirectory);
  await checkOwner(identityPath(runnerDirectory));
  const {private_jwk: privateJwk, keys, url, runner, name, pool, labels, certificate} = identity;
  const signingKey = await importSigningKey(privateJwk);
  const dispatchKeys = await Promise.all(keys.map(importDispatchKey));
  return {url, runner, name, pool, labels, certificate, signingKey, dispatchKeys};
}

async function checkOwner(path: string): Promise<void> {
  const {mode, uid} = await lstat(path);
  if ((mode & 0o077) !== 0)
    throw new SwitchyardError(
      'configuration_invalid',
      `${path} is open to others (mode ${(mode & 0o777).toString(8)}): close it with chmod go-rwx, and enrol again if it was exposed`,
    );
  if (process.getuid !== undefined && uid !== process.getuid())
    throw new SwitchyardError('configuration_invalid', `${path} belongs to user ${uid}, not to the one who runs this`);
}
