import {readdirSync, readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {apiClient, type ApiClient} from '@switchyard/shared/api/client.ts';
import {createPool} from '@switchyard/shared/api/pool-contracts.ts';
import {createEnrolment} from '@switchyard/shared/api/runner-contracts.ts';
import {credentialMint} from '@switchyard/shared/crypto/credential.ts';
import {startControlPlane as startShipped} from '../../../runner/src/services/control-plane.ts';
import {installationSecret, secretBytes} from '../../../runner/src/services/installation-secret.ts';
import {freePort} from '../../../runner/src/services/port.ts';
import {stateLayout} from '../../../runner/src/services/state-layout.ts';
import {temporaryTree} from '../temporary.ts';

export const repository = fileURLToPath(new URL('../../..', import.meta.url));

export type BenchControlPlane = {
  readonly url: string;
  /** Of an admin of the one pool. */
  readonly token: string;
  readonly client: ApiClient;
  /** A new enrolment token, good for one runner. */
  readonly enrolment: () => Promise<string>;
  /** The processes of workerd. */
  readonly pids: () => readonly number[];
  readonly stop: () => Promise<void>;
};

/**
 * The shipped embedded control plane on a state directory of its own, with one pool. `BENCH_REPOSITORY` names another
 * checkout whose Worker is to be measured, such as the one before a change.
 */
export async function startControlPlane(): Promise<BenchControlPlane> {
  const state = temporaryTree('bench-switchyard-');
  const layout = stateLayout(state.path);
  const running = await startShipped({
    repository: process.env['BENCH_REPOSITORY'] ?? repository,
    directory: layout.controlPlaneDirectory,
    host: '127.0.0.1',
    port: await freePort(),
    onLine: line => void process.stderr.write(`  control plane: ${line}\n`),
  }).catch((error: unknown) => {
    state.remove();
    throw error;
  });
  const stop = async (): Promise<void> => {
    await running.stop();
    state.remove();
  };
  try {
    const mint = await credentialMint(secretBytes(await installationSecret(layout.secretFile)));
    const root = apiClient({url: running.url, token: await mint.rootToken()});
    const {token} = await root.call(createPool, {body: {team: 'bench', pool: 'bench', token_name: 'bench'}});
    const client = apiClient({url: running.url, token});
    return {
      url: running.url,
      token,
      client,
      enrolment: async () => (await client.call(createEnrolment, {body: {}})).token,
      pids: workerdPids,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The direct children of this process that are workerd; none on a system without /proc. */
function workerdPids(): readonly number[] {
  try {
    return readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .map(Number)
      .filter(isOurWorkerd);
  } catch {
    return [];
  }
}

function isOurWorkerd(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return parent === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('workerd');
  } catch {
    return false;
  }
}
