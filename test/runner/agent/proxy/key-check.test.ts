import {once} from 'node:events';
import {createServer, type IncomingHttpHeaders} from 'node:http';
import type {AddressInfo} from 'node:net';
import {expect, onTestFinished, test} from 'vitest';
import {checkKey} from '../../../../runner/src/agent/proxy/key-check.ts';
import {providerNames, providers} from '../../../../runner/src/agent/proxy/provider.ts';

const KEY = 'sk-CANARY-0123456789';

type Heard = {readonly url: string | undefined; readonly headers: IncomingHttpHeaders};

/** A provider that answers everything so. */
async function provider(status: number, headers: Readonly<Record<string, string>> = {}) {
  const heard: Heard[] = [];
  const server = createServer(({url, headers: sent}, response) => {
    heard.push({url, headers: sent});
    response.writeHead(status, headers).end(`{"error":{"message":"${KEY} is wrong"}}`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => server.close().closeAllConnections());
  return {url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, heard};
}

test.for(providerNames)('[KV17] the key of %s is checked where and how this provider takes one', async name => {
  const {url, heard} = await provider(200);
  expect(await checkKey(name, KEY, url)).toEqual({ok: true, detail: 'the provider takes the key'});
  const {keyHeader, errorShape} = providers[name];
  expect(heard).toMatchObject([
    {
      url: errorShape === 'google' ? '/v1beta/models' : '/v1/models',
      headers: {[keyHeader]: keyHeader === 'authorization' ? `Bearer ${KEY}` : KEY},
    },
  ]);
  expect(JSON.stringify(heard).split(KEY)).toHaveLength(2);
});

test.for([
  {name: 'anthropic', status: 401, says: 'switchyard keys rotate anthropic'},
  {name: 'openai', status: 403, says: 'switchyard keys rotate openai'},
  {name: 'google', status: 400, says: 'switchyard keys rotate google'},
  {name: 'openai', status: 400, says: 'switchyard keys set openai --at'},
  {name: 'mistral', status: 404, says: 'switchyard keys set mistral --at'},
  {name: 'xai', status: 429, says: 'run the check again later'},
  {name: 'groq', status: 503, says: 'run the check again later'},
] as const)(
  '[KV17] $name that answers $status: the next step is named, and no secret',
  async ({name, status, says}) => {
    const {url} = await provider(status);
    const {ok, detail} = await checkKey(name, KEY, url);
    expect([ok, detail]).toEqual([false, expect.stringContaining(says)]);
    expect(detail).toContain(String(status));
    expect(detail).not.toContain('CANARY');
  },
);

test('[KV17] a provider that is not there, or sends the key elsewhere, could not be reached', async () => {
  const other = await provider(200);
  const {url} = await provider(302, {location: other.url});
  for (const address of [url, 'http://127.0.0.1:1'])
    expect(await checkKey('anthropic', KEY, address)).toEqual({
      ok: false,
      detail: expect.stringMatching(/could not be reached \(.+\): check the network/),
    });
  expect(other.heard).toEqual([]);
});
