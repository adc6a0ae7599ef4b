import {once} from 'node:events';
import {createServer, type RequestListener, type Server} from 'node:http';
import type {AddressInfo} from 'node:net';
import {expect, onTestFinished, test} from 'vitest';
import {limits} from '@switchyard/shared/policy/limits.ts';
import {HEALTHY, ProxyWatch, type ProxyWatchOptions} from '../../../../runner/src/agent/proxy/proxy-watch.ts';
import {keptPort} from '../../../fixtures/kept-port.ts';
import {until} from '../../../fixtures/until.ts';

const well: RequestListener = (_, response) => void response.end(HEALTHY);

async function listen(answer: RequestListener, port = 0): Promise<{server: Server; port: number}> {
  const server = createServer(answer).listen(port, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => server.close().closeAllConnections());
  return {server, port: (server.address() as AddressInfo).port};
}

function watchOf(port: number, more: Partial<ProxyWatchOptions> = {}) {
  const told: (string | null)[] = [];
  const watch = new ProxyWatch({
    url: () => `http://127.0.0.1:${port}`,
    onChange: trouble => told.push(trouble),
    heal: async () => Promise.reject(new Error('nothing is to be had')),
    nowMs: () => performance.now(),
    random: () => 1,
    ...more,
  });
  onTestFinished(async () => watch.stop());
  return {watch, told};
}

test.for([
  ['that answers 500', (_, response) => void response.writeHead(500).end(HEALTHY), 'answered 500'],
  ['whose port is that of another program', (_, response) => void response.end('<html>'), 'is not well'],
  ['that cuts the connection', request => void request.socket.destroy(), 'cannot be reached'],
] satisfies [string, RequestListener, string][])('[MP13] a proxy %s is not well', async ([, answer, why]) => {
  const {watch} = watchOf((await listen(answer)).port);
  await expect(watch.check()).rejects.toMatchObject({
    code: 'executor_unavailable',
    message: expect.stringContaining(why),
  });
});

test('[MP13] a proxy that hangs is not well after its time', {timeout: 120_000}, async () => {
  const {watch} = watchOf((await listen(() => undefined)).port);
  await expect(watch.check()).rejects.toMatchObject({message: expect.stringContaining('does not answer in time')});
  expect(limits.modelProxyAnswerMs).toBeLessThanOrEqual(10_000);
});

test('[MP13] one that dies and comes back is told once for each change, by the check before a start and by the rounds', async () => {
  const first = await listen(well, await keptPort());
  const {watch, told} = watchOf(first.port);
  await watch.check();
  expect([watch.trouble, told]).toEqual([null, []]);
  first.server.close().closeAllConnections();
  await expect(watch.check()).rejects.toMatchObject({code: 'executor_unavailable'});
  await expect(watch.check()).rejects.toMatchObject({code: 'executor_unavailable'});
  expect(told).toEqual([expect.stringContaining('cannot be reached')]);
  await listen(well, first.port);
  watch.start();
  await until('the rounds see that it is back', () => told.length === 2);
  expect([watch.trouble, told[1]]).toEqual([null, null]);
});

test('[MP17] a proxy that is not well is made anew at once, then after growing pauses, until it is well', async () => {
  let nowMs = 0;
  const healedMs: number[] = [];
  const first = await listen(well);
  let port = first.port;
  const {watch, told} = watchOf(0, {
    url: () => `http://127.0.0.1:${port}`,
    nowMs: () => nowMs,
    heal: async () => {
      healedMs.push(nowMs);
      if (healedMs.length === 4) ({port} = await listen(well));
      else throw new Error('no port is free');
    },
  });
  first.server.close().closeAllConnections();
  const isWell = async (): Promise<boolean> =>
    watch.check().then(
      () => true,
      () => false,
    );
  for (; !(await isWell()); nowMs += 250) expect(nowMs).toBeLessThan(10_000);
  expect(healedMs).toEqual([0, 500, 1_500, 3_500]);
  expect(told).toEqual([expect.stringContaining('cannot be reached'), null]);
});

test('[MP17] of checks at the same time one makes the proxy anew, and all of them go on', async () => {
  const first = await listen(well, await keptPort());
  let healed = 0;
  const {watch} = watchOf(first.port, {
    heal: async () => {
      healed += 1;
      await listen(well, first.port);
    },
  });
  first.server.close().closeAllConnections();
  await Promise.all([watch.check(), watch.check(), watch.check()]);
  expect(healed).toBe(1);
});
