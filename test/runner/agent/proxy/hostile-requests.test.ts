import {once} from 'node:events';
import {connect, createServer, type AddressInfo, type Socket} from 'node:net';
import {expect, onTestFinished, test} from 'vitest';
import {grantToken} from '../../../../runner/src/agent/proxy/grant.ts';
import {saidUntilClosed} from '../../../fixtures/said-until-closed.ts';
import {until} from '../../../fixtures/until.ts';
import {ask, body, grant, place, REAL_KEY, secret, type Place} from './proxy-place.ts';

const token = grantToken(secret, grant);

/** What the proxy says to these very bytes, until it ends the connection. */
async function raw({proxy}: Place, sent: string): Promise<string> {
  const socket = connect(proxy.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  socket.write(sent);
  return saidUntilClosed(socket);
}

const request = (line: string, headers: readonly string[] = [], more = ''): string =>
  [`${line} HTTP/1.1`, 'Host: 127.0.0.1', `X-Api-Key: ${token}`, 'Connection: close', ...headers, '', more].join(
    '\r\n',
  );

test.for([
  '/anthropic/v1/%2e%2e/v1/messages',
  '/anthropic/v1/%252e%252e/messages',
  '/anthropic/v1/..%2fmessages',
  '/anthropic/v1\\..\\messages',
  '/anthropic/v1/messages%00',
  '/anthropic/v1/messages;x',
  '/anthropic/./v1/messages',
  '/anthropic/v1/messages/',
  '/anthropic%2fv1/messages',
  '/google/v1beta/models/..:generateContent/../../files',
  '/ANTHROPIC/v1/messages',
  'http://127.0.0.1/anthropic/v1/messages',
  'http://api.anthropic.com/v1/messages',
  '//api.anthropic.com/v1/messages',
  '*',
])('[MP21] %s is not served, in whatever form it is sent', async path => {
  const at = await place();
  expect(await raw(at, request(`POST ${path}`, ['Content-Length: 2'], '{}'))).toMatch(/^HTTP\/1\.1 40[03] /);
  expect(at.api.requests).toEqual([]);
});

test.for([
  {what: 'a length and chunks', headers: ['Content-Length: 5', 'Transfer-Encoding: chunked']},
  {what: 'two lengths', headers: ['Content-Length: 5', 'Content-Length: 50']},
  {what: 'chunks that are spelt in another way', headers: ['Transfer-Encoding: xchunked']},
  {what: 'chunks before another coding', headers: ['Transfer-Encoding: chunked, identity']},
  {what: 'a length that is no number', headers: ['Content-Length: +5']},
  {what: 'a header that is folded', headers: ['X-A: b', ' Transfer-Encoding: chunked']},
])('[MP22] a request with $what is refused, and what follows in it is no request', async ({headers}) => {
  const at = await place();
  const hidden = request('POST /anthropic/v1/messages', ['Content-Length: 2'], '{}');
  const said = await raw(at, request('POST /anthropic/v1/messages', headers, `0\r\n\r\n${hidden}`));
  expect(said).toMatch(/^HTTP\/1\.1 400 /);
  expect(said.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
  expect(at.api.requests).toEqual([]);
});

test('[MP23] nothing is tunnelled: CONNECT is cut, and a request for another protocol is one of this', async () => {
  const at = await place();
  expect(await raw(at, request('CONNECT api.anthropic.com:443'))).toBe('');
  const said = await raw(at, request('GET /anthropic/v1/models', ['Connection: Upgrade', 'Upgrade: websocket']));
  expect(said).not.toMatch(/^HTTP\/1\.1 101 /);
  for (const method of ['PUT', 'DELETE', 'TRACE', 'OPTIONS', 'PATCH'])
    expect(await raw(at, request(`${method} /anthropic/v1/messages`))).toMatch(/^HTTP\/1\.1 403 /);
});

/** A provider that does with each connection what the test wants. */
async function provider(take: (socket: Socket) => void): Promise<{url: string; open: Set<Socket>}> {
  const open = new Set<Socket>();
  const server = createServer(socket => {
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    take(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return {url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, open};
}

test('[MP24] headers of one connection, of the token and of what waits for leave do not reach the provider', async () => {
  const got = Promise.withResolvers<string>();
  const {url} = await provider(socket => {
    let bytes = '';
    socket.on('data', chunk => {
      bytes += chunk.toString('latin1');
      if (!bytes.includes('\r\n\r\n')) return;
      got.resolve(bytes);
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
    });
  });
  const at = await place({upstream: url});
  const headers = [`Authorization: Bearer ${token}`, `X-Goog-Api-Key: ${token}`, `Cookie: a=${token}`, 'TE: trailers'];
  const more = ['Expect: 100-continue', 'Proxy-Authorization: Basic eDp5', 'Upgrade: h2c', 'Content-Length: 2'];
  await raw(at, request(`POST /anthropic/v1/messages?key=${token}`, [...headers, ...more], '{}'));
  const sent = await got.promise;
  expect(sent).not.toContain(token);
  expect(sent).not.toMatch(/^(?:te|expect|upgrade|proxy-authorization|cookie|transfer-encoding):/im);
  expect(sent.match(/^content-length: 2/gim)).toHaveLength(1);
  expect(sent.match(new RegExp(REAL_KEY, 'g'))).toHaveLength(1);
});

test.for([
  {what: 'speaks no HTTP', said: 'SSH-2.0-OpenSSH\r\n'},
  {what: 'ends before its headers', said: 'HTTP/1.1 200 OK\r\nX: '},
  {what: 'sends headers beyond their limit', said: `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(64_000)}\r\n\r\n`},
  {what: 'changes the protocol', said: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'},
  {
    what: 'sends both a length and chunks',
    said: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  },
])('[MP25] a provider that $what is one that could not be reached, and may be asked again', async ({said}) => {
  const {url} = await provider(socket => void socket.end(said));
  const at = await place({upstream: url});
  const answer = await ask(at);
  expect([answer.status, answer.headers['x-should-retry']]).toEqual([502, undefined]);
  expect(answer.text).not.toContain(url);
  expect((await ask(at)).status).toBe(502);
});

test('[MP25] a provider that changes the protocol and stays is let go of', async () => {
  const {url, open} = await provider(socket => {
    socket.resume();
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n');
  });
  const at = await place({upstream: url});
  expect((await ask(at)).status).toBe(502);
  await until('the provider is let go', () => open.size === 0);
});

test('[MP25] a provider that takes a request and says nothing is let go of when the agent goes', async () => {
  const {url, open} = await provider(socket => void socket.resume());
  const at = await place({upstream: url});
  const socket = connect(at.proxy.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write(request('POST /anthropic/v1/messages', [`Content-Length: ${body().length}`], body()));
  await until('the provider has it', () => open.size === 1);
  socket.destroy();
  await until('the provider is let go', () => open.size === 0);
  await until('it is in the audit', () => at.audit.length === 1);
  expect(at.audit).toMatchObject([{status: 499, reason: 'the agent left'}]);
});
