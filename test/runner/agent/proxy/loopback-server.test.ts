import {once} from 'node:events';
import {connect, type Socket} from 'node:net';
import {expect, onTestFinished, test} from 'vitest';
import {LoopbackServer, type ServerLimits, type Serve} from '../../../../runner/src/agent/proxy/loopback-server.ts';
import {keptPort} from '../../../fixtures/kept-port.ts';
import {saidUntilClosed} from '../../../fixtures/said-until-closed.ts';
import {until} from '../../../fixtures/until.ts';

const hello: Serve = async (request, response) => {
  for await (const _ of request);
  response.end('hello');
};

async function serverOf(serve: Serve = hello, limited?: ServerLimits, port = 0): Promise<LoopbackServer> {
  const server = await LoopbackServer.start(port, serve, limited);
  onTestFinished(async () => server.close());
  return server;
}

function connected({port}: LoopbackServer): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** A request of a busy machine may be late itself; then it is made again. */
async function answered({port}: Pick<LoopbackServer, 'port'>): Promise<Response> {
  const answer = await fetch(`http://127.0.0.1:${port}`, {headers: {connection: 'close'}}).catch(() => undefined);
  return answer?.status === 200 ? answer : answered({port});
}

const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n';
const short: ServerLimits = {connectionsMax: 20, headersMs: 500, requestMs: 1_000, lookMs: 50};

test.for([
  {what: 'nothing', sent: ''},
  {what: 'half of its headers', sent: head},
  {what: 'half of its body', sent: `${head}\r\nab`},
])(
  '[MP19] a connection that sends $what is ended after its time, and others are answered meanwhile',
  async ({sent}) => {
    const server = await serverOf(hello, short);
    const slow = connected(server);
    slow.write(sent);
    const ended = saidUntilClosed(slow);
    expect(await (await answered(server)).text()).toBe('hello');
    expect(await ended).toMatch(/^(?:HTTP\/1\.1 408 |$)/);
  },
);

test('[MP19] an answer takes as long as it takes, beyond the time for its request', async () => {
  const answer = Promise.withResolvers<void>();
  const server = await serverOf(async (_, response) => {
    response.write('begun ');
    await answer.promise;
    response.end('done');
  }, short);
  const asked = await answered(server);
  // One that is late ends only when the limits have been looked at.
  const late = connected(server);
  late.write(head);
  await saidUntilClosed(late);
  answer.resolve();
  expect(await asked.text()).toBe('begun done');
});

test('[MP20] headers beyond their limit are refused, and the server goes on', async () => {
  const server = await serverOf();
  const socket = connected(server);
  socket.write(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(64_000)}\r\n\r\n`);
  expect(await saidUntilClosed(socket)).toMatch(/^HTTP\/1\.1 431 /);
  expect((await fetch(`http://127.0.0.1:${server.port}`)).status).toBe(200);
});

test('[MP17] what listens anew is where it was, ends what hangs, and lets answers go on to their end', async () => {
  const answer = Promise.withResolvers<void>();
  const port = await keptPort();
  const serve: Serve = async (request, response) => {
    response.write('begun ');
    if (request.url === '/long') await answer.promise;
    response.end('done');
  };
  const server = await serverOf(serve, undefined, port);
  const long = await fetch(`http://127.0.0.1:${port}/long`);
  const idle = connected(server);
  await once(idle, 'connect');
  const isEnded = once(idle, 'close');
  await server.reopen();
  await isEnded;
  expect(server.port).toBe(port);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('begun done');
  answer.resolve();
  expect(await long.text()).toBe('begun done');
});

test('[MP19] more connections than there may be are turned away, and the rest are served when some have gone', async () => {
  const server = await serverOf(hello, {...short, headersMs: 60_000, requestMs: 60_000});
  const idle = Array.from({length: 30}, () => connected(server));
  await until(
    'some were turned away',
    () => idle.filter(({readableEnded, closed}) => readableEnded || closed).length === 10,
  );
  for (const socket of idle) socket.destroy();
  await expect
    .poll(async () =>
      fetch(`http://127.0.0.1:${server.port}`).then(
        ({status}) => status,
        () => 0,
      ),
    )
    .toBe(200);
});
