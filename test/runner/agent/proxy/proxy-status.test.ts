import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {writeProxyFile} from '../../../../runner/src/agent/proxy/proxy-file.ts';
import {proxyStatus, writeProxyNote} from '../../../../runner/src/agent/proxy/proxy-status.ts';
import {identityOf} from '../../../../runner/src/executor/process-identity.ts';
import {machine} from '../../executor/host-harness.ts';
import {grant, place, secret} from './proxy-place.ts';

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'proxy-status-'));
  onTestFinished(() => rmSync(made, {recursive: true, force: true}));
  return made;
}

const keep = async (runnerDirectory: string, port: number): Promise<void> =>
  writeProxyFile(runnerDirectory, {port, secret: Buffer.from(secret).toString('base64')});

/** This very process takes the part of the runner that holds the directory. */
function held(runnerDirectory: string): void {
  const {pid, started, bootId} = identityOf(process.pid, machine) ?? {};
  writeFileSync(join(runnerDirectory, 'runner.pid'), JSON.stringify({pid, start: started, boot_id: bootId}));
}

test('[MP27] a proxy that listens says since when, and for how many attempts that hold their lease', async () => {
  const at = await place();
  const runnerDirectory = directory();
  const look = async () => proxyStatus({runnerDirectory, machine});
  expect(await look()).toBeNull();
  await keep(runnerDirectory, at.proxy.port);
  const begun = at.wallMs;
  expect(await look()).toEqual({state: 'listening', trouble: null, since_ms: begun, attempts: 0});
  at.proxy.accessOf(grant);
  at.proxy.toolAccessOf(grant);
  at.proxy.toolAccessOf({task: 'tsk_2', epoch: 1});
  at.wallMs += 5_000;
  expect(await look()).toMatchObject({since_ms: begun, attempts: 2});
  await at.proxy.reopen();
  await keep(runnerDirectory, at.proxy.port);
  expect(await look()).toMatchObject({since_ms: begun + 5_000, attempts: 2});
  at.live = false;
  expect(await look()).toMatchObject({attempts: 0});
});

test('[MP27] a proxy that agents do not reach is being healed while its runner lives, and else is dead', async () => {
  const at = await place();
  const runnerDirectory = directory();
  const look = async () => proxyStatus({runnerDirectory, machine});
  await keep(runnerDirectory, at.proxy.port);
  await at.proxy.close();
  const trouble = 'the model proxy of this runner cannot be reached';
  expect(await look()).toEqual({state: 'dead', trouble, since_ms: null, attempts: null});
  held(runnerDirectory);
  await writeProxyNote(runnerDirectory, {trouble: null, since_ms: 5, attempts: 0});
  expect(await look()).toEqual({state: 'healing', trouble, since_ms: null, attempts: null});
  await writeProxyNote(runnerDirectory, {trouble: 'it hangs', since_ms: 7, attempts: 3});
  expect(await look()).toEqual({state: 'healing', trouble: 'it hangs', since_ms: 7, attempts: 3});
  writeFileSync(join(runnerDirectory, 'runner.pid'), JSON.stringify({pid: process.pid, start: 'other', boot_id: 'b'}));
  expect(await look()).toMatchObject({state: 'dead', attempts: null});
});
