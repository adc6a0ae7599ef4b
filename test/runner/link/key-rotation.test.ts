import {randomUUID} from 'node:crypto';
import {readFileSync, realpathSync, rmSync, mkdtempSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import type {ApiClient} from '@switchyard/shared/api/client.ts';
import {generatePrivateJwk, importSigningKey} from '@switchyard/shared/crypto/jws.ts';
import {connectTokens} from '../../../runner/src/link/connect-token.ts';
import {FleetLink} from '../../../runner/src/link/fleet-link.ts';
import {rotateRunnerKeyHere, runnerKeys} from '../../../runner/src/secrets/key-rotation.ts';
import {loadRunnerKey} from '../../../runner/src/secrets/runner-key.ts';
import {startControlPlane, type ControlPlane} from '../../../runner/src/services/control-plane.ts';
import {localPool, localRunner} from '../../../runner/src/services/local-pool.ts';
import {
  identityPath,
  readRunnerIdentity,
  writeRunnerIdentity,
  type RunnerIdentity,
} from '../../../runner/src/services/runner-identity.ts';
import {stateLayout} from '../../../runner/src/services/state-layout.ts';
import {lastJson, repository, runCli} from '../../fixtures/cli.ts';
import {keptPort} from '../../fixtures/kept-port.ts';
import {until} from '../../fixtures/until.ts';

let home = '';
let plane: ControlPlane;
let client: ApiClient;
let machines = 0;

beforeAll(async () => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-rotation-')));
  const layout = stateLayout(join(home, 'plane'));
  const port = await keptPort();
  plane = await startControlPlane({
    repository,
    directory: layout.controlPlaneDirectory,
    host: '127.0.0.1',
    port,
    onLine: () => undefined,
  });
  ({client} = await localPool(layout, plane.url));
});
afterAll(async () => {
  await plane.stop();
  rmSync(home, {recursive: true, force: true, maxRetries: 5});
});

const ambient = {wallMs: Date.now, randomId: randomUUID};

async function machine(): Promise<{state: string; directory: string; identity: RunnerIdentity}> {
  machines += 1;
  const layout = stateLayout(join(home, `machine-${machines}`));
  return {state: layout.root, directory: layout.runnerDirectory, identity: await localRunner(layout, client)};
}

async function identityIn(directory: string): Promise<RunnerIdentity> {
  const identity = await readRunnerIdentity(directory);
  if (identity === undefined) throw new Error('no identity');
  return identity;
}

async function publicKeyOf({private_jwk: jwk}: RunnerIdentity): Promise<string> {
  return (await importSigningKey(jwk)).publicJwk.x;
}

/** The link of a runner as `runner.ts` composes it, without anything that works. */
async function connected(directory: string) {
  const lines: string[] = [];
  const key = await loadRunnerKey(directory);
  const keys = runnerKeys({...ambient, key, runnerDirectory: directory, log: line => lines.push(line)});
  const {url, runner} = key;
  const tokens = connectTokens({...ambient, key: keys.current, runner, host: new URL(url).host});
  const link = new FleetLink({
    ...{url, runner, tokens, version: '0', bootId: 'boot', leaseClass: 'standard', random: () => 0},
    signingKey: () => keys.current().signingKey,
    renewKey: keys.renew,
    randomId: randomUUID,
    log: line => lines.push(line),
  });
  link.start({
    hello: () => ({slots: {default: 1}, labels: [], inventory: [], ts: 1}),
    onMessage: () => undefined,
    onDisconnected: () => undefined,
    onFatal: error => lines.push(error.code),
  });
  await until('a session', () => link.status().state === 'connected');
  return {link, keys, lines, session: link.status().session};
}

test('[RK8] the command replaces the key, and a running runner goes on with the new one at once', async () => {
  const {state, directory, identity} = await machine();
  const {link, keys, session} = await connected(directory);
  const done = await runCli(['runner', 'rotate-key', '--json', '--state', state], {home});
  expect(done).toMatchObject({code: 0, stderr: ''});
  expect(lastJson(done)).toEqual({runner: identity.runner, old_until_ms: expect.any(Number)});
  expect(done.stdout).not.toContain(String(identity.private_jwk['d']));
  await until('a new session', () => link.status().state === 'connected' && link.status().session !== session);
  const now = await identityIn(directory);
  expect(await publicKeyOf(now)).not.toBe(await publicKeyOf(identity));
  expect(keys.current().signingKey.publicJwk.x).toBe(await publicKeyOf(now));
  expect(keys.current().certificate).toBe(now.certificate);
  expect(statSync(identityPath(directory)).mode & 0o777).toBe(0o600);
  await link.close();
});

test('[RK11] of rotations at once each replaces the key of the one before, and the last key connects', async () => {
  const {directory, identity} = await machine();
  const begun = Array.from({length: 6}, async () => rotateRunnerKeyHere(directory, ambient));
  for (const {runner} of await Promise.all(begun)) expect(runner).toBe(identity.runner);
  const now = await identityIn(directory);
  expect(now.next_private_jwk).toBeUndefined();
  expect(await publicKeyOf(now)).not.toBe(await publicKeyOf(identity));
  const {link, keys} = await connected(directory);
  expect(keys.current().signingKey.publicJwk.x).toBe(await publicKeyOf(now));
  await link.close();
});

test('[RK9] a rotation that a crash cut before the control plane heard of it is finished by the next start', async () => {
  const {directory, identity} = await machine();
  const next = await generatePrivateJwk();
  await writeRunnerIdentity(directory, {...identity, next_private_jwk: next});
  const {link, keys} = await connected(directory);
  expect(keys.current().signingKey.publicJwk.x).toBe((await importSigningKey(next)).publicJwk.x);
  expect((await identityIn(directory)).next_private_jwk).toBeUndefined();
  await link.close();
});

test('[RK9] one that was cut after the control plane heard of it too, and its key is not lost', async () => {
  const {directory, identity} = await machine();
  const next = await generatePrivateJwk();
  const begun = {...identity, next_private_jwk: next};
  await writeRunnerIdentity(directory, begun);
  await rotateRunnerKeyHere(directory, ambient);
  // As it was when the answer had not been written yet.
  await writeRunnerIdentity(directory, begun);
  const {link, keys} = await connected(directory);
  expect(keys.current().signingKey.publicJwk.x).toBe((await importSigningKey(next)).publicJwk.x);
  await link.close();
});

test('[RK9] while the control plane cannot be asked, the key that it knows stays in use and both are kept', async () => {
  const {directory, identity} = await machine();
  const begun = {...identity, url: 'http://127.0.0.1:1', next_private_jwk: await generatePrivateJwk()};
  await writeRunnerIdentity(directory, begun);
  const lines: string[] = [];
  const key = await loadRunnerKey(directory);
  const keys = runnerKeys({...ambient, key, runnerDirectory: directory, log: line => lines.push(line)});
  await keys.renew();
  expect(keys.current().signingKey.publicJwk.x).toBe(await publicKeyOf(identity));
  expect(await identityIn(directory)).toEqual(begun);
  expect(lines.join('\n')).toContain('the rotation of the key is not finished');
  await expect(rotateRunnerKeyHere(directory, ambient)).rejects.toMatchObject({code: 'control_plane_unreachable'});
  expect(readFileSync(identityPath(directory), 'utf8')).toContain(begun.next_private_jwk['d']);
});

test('[RK10] a revoked runner gets no new key, and keeps what it has', async () => {
  const {state, directory, identity} = await machine();
  await runCli(['runner', 'revoke', identity.runner, '--state', join(home, 'plane')], {home});
  const refused = await runCli(['runner', 'rotate-key', '--json', '--state', state], {home});
  expect(refused.code).toBe(1);
  expect(lastJson(refused)).toMatchObject({error: {code: 'runner_revoked'}});
  expect((await identityIn(directory)).private_jwk).toEqual(identity.private_jwk);
});
