import {once} from 'node:events';
import {createServer, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {expect, onTestFinished, test} from 'vitest';
import {boundedText} from '@switchyard/shared/api/bounded-text.ts';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {encodeBatch} from '@switchyard/shared/protocol/batch.ts';
import type {DownMessage} from '@switchyard/shared/protocol/down.ts';
import type {SessionEnd} from '../../../runner/src/link/carrier.ts';
import {PollCarrier} from '../../../runner/src/link/poll-carrier.ts';
import {postTo} from '../../../runner/src/logs/log-poster.ts';

/** A server on loopback that answers every request in this way. */
async function serve(answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    answer(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends the bytes one by one, each when the one before has left: no character arrives whole. */
async function trickle(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  for (const byte of bytes) {
    response.write(Uint8Array.of(byte));
    await new Promise(resolve => setImmediate(resolve));
  }
  response.end();
}

/** Sends spaces until nobody takes them any more. */
function flood(response: ServerResponse): void {
  const spaces = Buffer.alloc(65_536, ' ');
  const more = (): void => {
    while (!response.destroyed && response.write(spaces));
  };
  response.on('drain', more);
  more();
}

type Polled = {readonly messages: readonly DownMessage[]} | {readonly end: SessionEnd};

async function poll(url: string): Promise<Polled> {
  const {promise, resolve} = Promise.withResolvers<Polled>();
  const carrier = new PollCarrier(
    {url, session: 'a-session-of-a-test', log: () => undefined, issueToken: async () => 'token'},
    {onMessages: messages => resolve({messages}), onEnd: end => resolve({end})},
  );
  const polled = await promise;
  carrier.leave('seen');
  return polled;
}

const nonce = 'ä€😀'.repeat(20);

test('[LK15] characters that arrive in parts are whole, in a session and in a log by request', async () => {
  const bytes = Buffer.from(JSON.stringify({frame: encodeBatch([{t: 'challenge', nonce}])}));
  const url = await serve(response => void trickle(response, bytes));
  expect(await poll(url)).toEqual({messages: [{t: 'challenge', nonce}]});
  expect(await postTo(url, {})({frames: [], control: []})).toEqual({status: 200, text: bytes.toString()});
});

test.for([200, 500])('[LK15] an answer of status %i without an end ends the session, and is not kept', async status => {
  const url = await serve(response => flood(response.writeHead(status)));
  expect(await poll(url)).toMatchObject({end: {kind: 'unreachable', why: expect.stringContaining('is longer than')}});
  await expect(postTo(url, {})({frames: [], control: []})).rejects.toThrow('is longer than');
});

test('[LK15] the longest frame fits, whatever it holds', async () => {
  const text = '"'.repeat((limits.controlFrameBytesMax - 40) / 2);
  const url = await serve(
    response => void response.end(JSON.stringify({frame: JSON.stringify({m: [{t: 'later', text}]})})),
  );
  expect(await poll(url)).toEqual({messages: []});
});

test('[LK15] a text is taken up to its longest length in bytes, and not beyond', async () => {
  const parts = ['\u20ac', Buffer.from('\u20ac')];
  expect(await boundedText(parts, 6)).toBe('\u20ac\u20ac');
  expect(await boundedText(parts, 5)).toBeUndefined();
});
