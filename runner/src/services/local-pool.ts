import {hostname} from 'node:os';
import {apiClient, type ApiClient} from '@switchyard/shared/api/client.ts';
import {createPool, getPool} from '@switchyard/shared/api/pool-contracts.ts';
import {createEnrolment} from '@switchyard/shared/api/runner-contracts.ts';
import {credentialMint} from '@switchyard/shared/crypto/credential.ts';
import {SwitchyardError} from '@switchyard/shared/domain/error.ts';
import {readClientFile, writeClientFile, type ClientFile} from './client-file.ts';
import {installationSecret, secretBytes} from './installation-secret.ts';
import {enrolThisMachine, readRunnerIdentity, writeRunnerIdentity, type RunnerIdentity} from './runner-identity.ts';
import type {StateLayout} from './state-layout.ts';

export const localTeam = 'local';
export const localPoolName = 'default';

/**
 * The pool of this machine and an admin token for it, made with the root token of the installation on the first start
 * and found again on every later one. The commands use it too, unless somebody has logged in to another control plane.
 */
export async function localPool(layout: StateLayout, url: string): Promise<{file: ClientFile; client: ApiClient}> {
  const file = await localClient(layout, url);
  const used = await readClientFile(layout.clientFile);
  if (used === undefined || isLoopback(used.url)) await writeClientFile(layout.clientFile, file);
  return {file, client: apiClient({url, token: file.token})};
}

async function localClient(layout: StateLayout, url: string): Promise<ClientFile> {
  const known = await readClientFile(layout.localClientFile);
  const isKnown = known !== undefined && (await isAccepted(known.token, url));
  const file = isKnown ? {...known, url} : await firstToken(layout, url);
  if (file.token !== known?.token || file.url !== known.url) await writeClientFile(layout.localClientFile, file);
  return file;
}

async function firstToken(layout: StateLayout, url: string): Promise<ClientFile> {
  const mint = await credentialMint(secretBytes(await installationSecret(layout.secretFile)));
  const root = apiClient({url, token: await mint.rootToken()});
  const body = {team: localTeam, pool: localPoolName, token_name: 'switchyard up'};
  const {team, pool, token} = await root.call(createPool, {body});
  return {url, token, team, pool};
}

/** Enrols this machine unless it is enrolled here; follows the control plane to another port. */
export async function localRunner(layout: StateLayout, client: ApiClient): Promise<RunnerIdentity> {
  const known = await readRunnerIdentity(layout.runnerDirectory);
  if (known !== undefined) {
    const moved = {...known, url: client.url};
    if (known.url !== moved.url) await writeRunnerIdentity(layout.runnerDirectory, moved);
    return moved;
  }
  const {token} = await client.call(createEnrolment, {body: {}});
  const name = hostname().slice(0, 100) || 'local';
  return enrolThisMachine({client, token, name, labels: [], runnerDirectory: layout.runnerDirectory});
}

/** False only when the control plane says so: whatever else goes wrong must not make a second token. */
async function isAccepted(token: string, url: string): Promise<boolean> {
  try {
    await apiClient({url, token}).call(getPool, {});
    return true;
  } catch (error) {
    if (error instanceof SwitchyardError && error.status === 401) return false;
    throw error;
  }
}

function isLoopback(url: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(URL.parse(url)?.hostname ?? '');
}
