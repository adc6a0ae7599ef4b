import {once} from 'node:events';
import {connect, createServer, type Socket} from 'node:net';
import {expect, onTestFinished, test} from 'vitest';
import {faultPlan, smallDiskRunner, type Round} from '../../chaos/fault-plan.ts';
import {taskPlan} from '../../chaos/load-plan.ts';
import {parseOptions} from '../../chaos/options.ts';
import {cuttableProxy} from '../../fixtures/cuttable-proxy.ts';
import {until} from '../../fixtures/until.ts';

function firstRounds(seed: string, count: number): Round[] {
  const plan = faultPlan(seed);
  return Array.from({length: count}, () => plan.next().value);
}

test('[CH13] a seed always gives the same faults and the same load, and another seed gives others', () => {
  const rounds = (seed: string): unknown[] => firstRounds(seed, 20);
  const tasks = (seed: string): unknown[] => Array.from({length: 50}, (_, index) => taskPlan(seed, index));
  expect(rounds('a')).toEqual(rounds('a'));
  expect(tasks('a')).toEqual(tasks('a'));
  expect(rounds('a')).not.toEqual(rounds('b'));
  expect(tasks('a')).not.toEqual(tasks('b'));
});

test('[CH14] every kind of fault comes in every ten rounds, kills of runners and control planes most', () => {
  for (const seed of ['a', 'b', 'c']) {
    const rounds = firstRounds(seed, 10);
    const faults = rounds.flatMap(({plane, runners}) => [...plane, ...runners.flat()]);
    const counts: Record<string, number> = {};
    for (const {kind} of faults) counts[kind] = (counts[kind] ?? 0) + 1;
    expect(counts).toMatchObject({'kill-runner': 41, 'kill-plane': 13, 'stop-runner': 4, 'stop-plane': 2, cut: 7});
    expect(counts).toMatchObject({slow: 5, reset: 6, 'kill-shim': 7, 'kill-agent': 4, 'fill-disk': 2});
    const filled = rounds.filter(({runners}) => runners[smallDiskRunner]?.some(({kind}) => kind === 'fill-disk'));
    expect(filled.length).toBeGreaterThan(0);
  }
});

test('[CH15] rounds, minutes and seed are checked, and ten rounds are the default', () => {
  const random = (): string => 'chosen';
  expect(parseOptions([], random)).toEqual({rounds: 10, minutes: null, seed: 'chosen', isJson: false});
  expect(parseOptions(['--minutes', '5', '--seed', 's'], random)).toMatchObject({
    minutes: 5,
    rounds: 100_000,
    seed: 's',
  });
  expect(() => parseOptions(['--rounds', '0'], random)).toThrow('--rounds 0: expected a number above 0');
  expect(() => parseOptions(['--seed', 'a b'], random)).toThrow('--seed a b');
});

/** A server that keeps what comes, behind a proxy, and a connection to it. */
async function line() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const proxy = await cuttableProxy(() => (typeof address === 'object' && address !== null ? address.port : 0));
  const near = connect(proxy.port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  const heard = {near: '', far: '', closed: 0};
  near.on('data', chunk => (heard.near += String(chunk)));
  far.on('data', chunk => (heard.far += String(chunk)));
  for (const end of [near, far]) end.on('close', () => (heard.closed += 1)).on('error', () => undefined);
  onTestFinished(async () => {
    near.destroy();
    await proxy.close();
    server.close();
  });
  return {proxy, near, far, heard};
}

test('[CH16] a line that is cut one way passes the other, closes nothing, and is lost when it is mended', async () => {
  const {proxy, near, far, heard} = await line();
  near.write('a');
  await until('the way up', () => heard.far === 'a');
  proxy.cut('up');
  near.write('b');
  far.write('c');
  await until('the way down', () => heard.near === 'c');
  expect(heard).toMatchObject({far: 'a', closed: 0});
  proxy.mend();
  await until('both ends closed', () => heard.closed === 2);
  expect(heard.far).toBe('a');
});

test('[CH17] a slow line passes every byte, in order, no faster than its pace', async () => {
  const {proxy, near, heard} = await line();
  proxy.slow({bytesPerSecond: 10_000, latencyMs: 20});
  const begun = performance.now();
  const sent = Array.from({length: 200}, (_, index) => `${index} `).join('');
  near.write(sent);
  near.write(sent);
  await until('everything', () => heard.far.length === 2 * sent.length);
  expect(heard.far).toBe(sent + sent);
  expect(performance.now() - begun).toBeGreaterThan((2 * sent.length) / 10);
});
