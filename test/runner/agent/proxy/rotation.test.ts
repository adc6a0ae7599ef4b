import {once} from 'node:events';
import {mkdtemp, rm} from 'node:fs/promises';
import {createServer, request, type IncomingMessage, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {expect, onTestFinished, test} from 'vitest';
import {grantToken} from '../../../../runner/src/agent/proxy/grant.ts';
import {fileVault} from '../../../../runner/src/secrets/file-vault.ts';
import {modelKeys} from '../../../../runner/src/secrets/model-keys.ts';
import {runCli} from '../../../fixtures/cli.ts';
import {ask, body, grant, place, secret} from './proxy-place.ts';

/** A provider that begins every answer at once and ends it when told. */
async function openProvider() {
  const open: {readonly key: unknown; readonly response: ServerResponse}[] = [];
  const server = createServer((asked, response) => {
    asked.resume();
    response.writeHead(200, {'content-type': 'text/event-stream'}).write('event: ping\ndata: {"n":1}\n\n');
    open.push({key: asked.headers['x-api-key'], response});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => server.close().closeAllConnections());
  return {open, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`};
}

test(
  '[MP15] a key that is rotated under an open stream reaches the next request, and the stream ends as it would have',
  {timeout: 120_000},
  async () => {
    const home = await mkdtemp(join(tmpdir(), 'rotate-'));
    onTestFinished(async () => rm(home, {recursive: true}));
    const directory = join(home, '.switchyard', 'runner');
    const keys = modelKeys(fileVault(directory, ''), directory);
    await keys.set('anthropic', 'sk-first', undefined);
    const provider = await openProvider();
    const at = await place({upstream: provider.url, keyOf: async () => (await keys.find('anthropic'))?.value});
    const begin = async (): Promise<IncomingMessage> => {
      const headers = {'x-api-key': grantToken(secret, grant), 'content-type': 'application/json'};
      const path = '/anthropic/v1/messages';
      const asked = request({host: '127.0.0.1', port: at.proxy.port, path, method: 'POST', agent: false, headers});
      asked.end(body());
      return ((await once(asked, 'response')) as [IncomingMessage])[0];
    };
    const before = await begin();
    expect((await runCli(['keys', 'rotate', 'anthropic'], {home, input: 'sk-second'})).code).toBe(0);
    const after = await begin();
    expect(provider.open.map(({key}) => key)).toEqual(['sk-first', 'sk-second']);
    for (const [index, {response}] of provider.open.entries()) response.end(`event: end\ndata: {"of":${index}}\n\n`);
    const [first, second] = [await text(before), await text(after)];
    expect(first).toBe('event: ping\ndata: {"n":1}\n\nevent: end\ndata: {"of":0}\n\n');
    expect(second).toContain('{"of":1}');
  },
);

test('[MP16] while the key store is locked requests are refused for now, and the provider hears of none', async () => {
  let isLocked = true;
  const at = await place({
    keyOf: async () => (isLocked ? Promise.reject(new Error('locked: CANARY')) : 'sk-key'),
  });
  const answer = await ask(at);
  expect([answer.status, answer.headers['x-should-retry']]).toEqual([503, undefined]);
  expect(answer.text).toContain('switchyard doctor');
  expect(answer.text + JSON.stringify(at.audit)).not.toContain('CANARY');
  expect(at.api.requests).toEqual([]);
  isLocked = false;
  expect((await ask(at)).status).toBe(200);
});
