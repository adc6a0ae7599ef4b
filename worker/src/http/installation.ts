import type {Bytes} from '@switchyard/shared/crypto/bytes.ts';
import {attemptSeal, type AttemptSeal} from '@switchyard/shared/crypto/attempt-seal.ts';
import {credentialMint, type CredentialMint} from '@switchyard/shared/crypto/credential.ts';
import {
  importSigningKey,
  importVerifyingKey,
  type SigningKey,
  type VerifyingKey,
} from '@switchyard/shared/crypto/jws.ts';
import {hmacSecretBytes} from '@switchyard/shared/crypto/request-signature.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {poolSchema, type Pool, type RandomBytes} from '@switchyard/shared/domain/id.ts';
import type {Environment} from '../environment.ts';
import {installationSecret, signingJwks} from '../installation-secrets.ts';
import {leaseConfig} from '../lease-config.ts';
import {fleetName, taskLogName} from '../tasklog/task-log-rpc.ts';
import {embedder, type Embedder} from './embedder.ts';
import {knownHosts, type KnownHosts} from './known-host.ts';
import {rememberingMint} from './remembered-credentials.ts';

/** Where requests get the time, randomness and a place to report to; chosen in worker.ts. */
export type Platform = {
  readonly nowMs: () => number;
  readonly randomBytes: RandomBytes;
  /** Takes one line for the operator. The caller has made sure that it holds no secret. */
  readonly report: (line: {readonly request: string; readonly error: unknown}) => void;
};

export type FleetStub = ReturnType<Environment['FLEET']['get']>;
export type TaskLogStub = ReturnType<Environment['TASK_LOG']['get']>;

/** A whole and checked configuration with its imported keys: made once per isolate, because importing is dear. */
export type Installation = {
  readonly platform: Platform;
  readonly database: D1Database;
  readonly assets: Fetcher | undefined;
  /** Undefined where the Worker is deployed. */
  readonly embedder: Embedder | undefined;
  readonly hosts: KnownHosts;
  readonly mint: CredentialMint;
  readonly seal: AttemptSeal;
  readonly signingKey: SigningKey;
  /** All published keys: the one that signs and those that only verify. */
  readonly signingKeys: readonly SigningKey[];
  readonly verifyingKeys: readonly VerifyingKey[];
  /** `X-Dispatch-*` requests without a key id; undefined where the installation takes none. */
  readonly dispatch: {readonly pool: Pool; readonly secrets: readonly Bytes[]} | undefined;
  readonly fleet: (pool: Pool) => FleetStub;
  readonly taskLog: (pool: Pool, task: string) => TaskLogStub;
};

const DISPATCH_SECRET_BYTES_MIN = 32;
const DISPATCH_SECRETS_MAX = 2;

/** Throws `configuration_invalid`, which names the setting and never shows its value. */
export async function openInstallation(environment: Environment, platform: Platform): Promise<Installation> {
  const secret = installationSecret(environment);
  const signingKeys = await Promise.all(signingJwks(environment).map(importSigningKey));
  const [signingKey] = signingKeys;
  if (signingKey === undefined) throw new SwitchyardError('configuration_invalid', 'SWITCHYARD_SIGNING_KEYS is empty');
  leaseConfig(environment, 'standard');
  const fleetIds = new Map<Pool, DurableObjectId>();
  return {
    platform,
    database: environment.DB,
    assets: environment.ASSETS,
    embedder: environment.EMBEDDER && embedder(environment.EMBEDDER),
    hosts: knownHosts(environment.SWITCHYARD_HOSTS),
    mint: rememberingMint(await credentialMint(secret)),
    seal: await attemptSeal(secret),
    signingKey,
    signingKeys,
    verifyingKeys: await Promise.all(signingKeys.map(async key => importVerifyingKey(key.publicJwk))),
    dispatch: dispatchOf(environment),
    fleet: pool => {
      // A name is hashed for its id, and the pools of an installation are few.
      const id = fleetIds.get(pool) ?? environment.FLEET.idFromName(fleetName(pool));
      fleetIds.set(pool, id);
      return environment.FLEET.get(id);
    },
    taskLog: (pool, task) => environment.TASK_LOG.get(environment.TASK_LOG.idFromName(taskLogName(pool, task))),
  };
}

function dispatchOf({DISPATCH_SECRET, DISPATCH_POOL}: Environment): Installation['dispatch'] {
  if (DISPATCH_SECRET === undefined || DISPATCH_SECRET === '') return undefined;
  const secrets = DISPATCH_SECRET.split(',').map(text => hmacSecretBytes(text.trim()));
  if (secrets.length > DISPATCH_SECRETS_MAX || secrets.some(each => each.length < DISPATCH_SECRET_BYTES_MIN)) {
    throw new SwitchyardError(
      'configuration_invalid',
      `DISPATCH_SECRET must be one or two secrets of at least ${DISPATCH_SECRET_BYTES_MIN} bytes, separated by a comma`,
    );
  }
  const pool = poolSchema.safeParse(DISPATCH_POOL ?? 'default');
  if (!pool.success) throw new SwitchyardError('configuration_invalid', 'DISPATCH_POOL is not the name of a pool');
  return {pool: pool.data, secrets};
}
