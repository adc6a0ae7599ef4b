import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {AttemptLog} from '../../../runner/src/attempt/attempt-log.ts';
import {Secrets} from '../../../runner/src/logs/secrets.ts';
import {TaskLogServer} from './task-log-server.ts';

test('[LG20] a log whose receipt was refused is offered again, and gets a new one for the same bytes', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'attempt-log-'));
  const server = await TaskLogServer.start();
  const link = {url: server.url, headers: async () => ({}), nowMs: () => performance.now(), random: () => 0};
  const makeRoom = async (): Promise<void> => undefined;
  const log = await AttemptLog.open({directory, secrets: new Secrets(), link, makeRoom});
  onTestFinished(async () => {
    await log.close();
    await server.stop();
    rmSync(directory, {recursive: true, force: true});
  });
  await log.note('all that it says');
  const {signal} = new AbortController();
  const first = await log.seal(signal);
  expect(await log.seal(signal)).toEqual(first);
  expect(server.connections).toBe(2);
  // The server was set up anew and knows nothing of it.
  server.bytes = Buffer.alloc(0);
  expect(await log.seal(signal)).toEqual(first);
  expect(server.bytes.toString()).toContain('all that it says');
});
