import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {acquireStateLock, readHolder} from '../../../runner/src/state/state-lock.ts';

const holder = fileURLToPath(new URL('../../fixtures/hold-state-lock.ts', import.meta.url));
const children: ChildProcess[] = [];
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'switchyard-lock-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(directory, {recursive: true, force: true});
});

async function start(): Promise<{child: ChildProcess; said: string}> {
  const child = spawn(process.execPath, [holder, directory], {stdio: ['ignore', 'pipe', 'inherit']});
  children.push(child);
  const [said] = await once(createInterface({input: child.stdout}), 'line', {signal: AbortSignal.timeout(20_000)});
  return {child, said: String(said)};
}

test('[JR4] A second process on the same directory is refused and told who holds it', async () => {
  const {child, said} = await start();
  expect(said).toBe('held');
  const second = await start();
  expect(second.said).toBe(`already_running: process ${child.pid} uses ${directory}`);
  expect(readHolder(directory)?.pid).toBe(child.pid);
});

test('[JR4] The lock of a killed process is free at once', async () => {
  const {child} = await start();
  child.kill('SIGKILL');
  await once(child, 'exit');
  const lock = acquireStateLock(directory, {pid: process.pid, start: 's', boot_id: 'b'});
  const refused = await start();
  expect(refused.said).toContain('already_running');
  lock.release();
  expect((await start()).said).toBe('held');
});
