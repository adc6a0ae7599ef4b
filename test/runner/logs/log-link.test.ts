import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, expect, test} from 'vitest';

import {LogLink, type LogLinkOutcome} from '../../../runner/src/logs/log-link.ts';
import {LogSpool} from '../../../runner/src/logs/log-spool.ts';
import {Secrets} from '../../../runner/src/logs/secrets.ts';
import {type Fault, TaskLogServer} from './task-log-server.ts';

let directory: string;
let server: TaskLogServer;
let spool: LogSpool;
let stop: AbortController;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-link-'));
  server = await TaskLogServer.start();
  spool = await LogSpool.open({directory, secrets: new Secrets()});
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await server.stop();
  await spool.close();
  await rm(directory, {recursive: true});
});

function startLink(headers = async () => ({})): {link: LogLink; outcome: Promise<LogLinkOutcome>} {
  const link = new LogLink({spool, url: server.url, headers, nowMs: () => performance.now(), random: () => 0});
  return {link, outcome: link.run(stop.signal)};
}

async function fill(bytes: number): Promise<void> {
  let line = 0;
  for (let written = 0; written < bytes;) {
    const text = Array.from({length: 200}, () => `line ${line++} ${Math.sin(line)} of the agent\n`).join('');
    expect(await spool.append('out', Buffer.from(text))).toBe('taken');
    written += text.length;
  }
}

async function seal(link: LogLink, outcome: Promise<LogLinkOutcome>): Promise<void> {
  const end = await spool.finish();
  if (end === undefined) throw new Error('the disk took nothing');
  link.end(end);
  expect(await outcome).toEqual({kind: 'sealed', len: end.length, receipt: `receipt-${end.length}`});
  expect(server.bytes.equals(await spool.read(0, spool.length))).toBe(true);
}

const scripts: readonly (readonly [string, readonly Fault[]])[] = [
  ['nothing', []],
  ['drops', ['drop', 'none', 'drop', 'drop', 'none', 'drop']],
  ['cuts', ['none', 'cutAfter', 'none', 'cutBefore', 'cutAfter', 'cutBefore']],
  ['repeats', ['duplicate', 'none', 'duplicate', 'duplicate']],
  ['delays', ['delay', 'delay', 'none', 'delay']],
  ['halves', ['partial', 'none', 'partial', 'partial']],
  [
    'everything',
    ['cutAfter', 'partial', 'duplicate', 'delay', 'cutBefore', 'partial', 'drop', 'cutAfter', 'delay', 'duplicate'],
  ],
];

test.for(scripts)('[LG16] the bytes and the hash arrive exactly, with %s', async ([, faults]) => {
  server.script(...faults);
  const {link, outcome} = startLink();
  await fill(1_500_000);
  await seal(link, outcome);
  expect(server.faultsLeft).toBe(0);
  expect(server.gzipFrames).toBeGreaterThan(0);
});

test('[LG16] an end that is lost, and an answer to it that is lost, are repeated', async () => {
  const {link, outcome} = startLink();
  await fill(10_000);
  await server.until(() => server.bytes.length === spool.length);
  server.script('cutBefore', 'cutAfter');
  await seal(link, outcome);
  expect(server.connections).toBe(3);
});

test('[LG16] small chunks go uncompressed, and a log that is empty is sealed too', async () => {
  const {link, outcome} = startLink();
  await spool.note('ready');
  await server.until(() => server.bytes.length === spool.length);
  expect([server.rawFrames, server.gzipFrames]).toEqual([1, 0]);
  await seal(link, outcome);
});

test('[LG18] refused upgrades and failing headers are tried again, with fresh headers', async () => {
  server.refusals.push(503, 401);
  let asked = 0;
  const {link, outcome} = startLink(async () => {
    if (++asked === 1) throw new Error('no token yet');
    return {authorization: `Bearer ${asked}`};
  });
  await spool.note('hello');
  await seal(link, outcome);
  expect(asked).toBe(4);
});

test('[LG18] a wrong greeting ends the connection, not the upload; an unknown message is ignored', async () => {
  const right = server.greeting;
  const wrong = ['nonsense', '{"t":"state","len":-1}'];
  server.greeting = () => wrong.pop() ?? right();
  const {link, outcome} = startLink();
  await spool.note('hello');
  await server.until(() => server.bytes.length > 0);
  expect(server.connections).toBe(3);
  await seal(link, outcome);
});

test.for([403, 410])('[LG18] status %i is final', async status => {
  server.refusals.push(status);
  expect(await startLink().outcome).toEqual({kind: 'gone', why: `refused with status ${status}`});
});

test.for([4403, 4409])('[LG18] close code %i is final', async code => {
  const {outcome} = startLink();
  await server.until(() => server.connections === 1);
  server.close(code);
  expect(await outcome).toEqual({kind: 'gone', why: `closed with code ${code}`});
});

test('[LG15] gone and a foreign log end the upload', async () => {
  const first = startLink();
  await spool.note('hello');
  await server.until(() => server.bytes.length > 0);
  server.say({t: 'gone', why: 'a newer attempt'});
  expect(await first.outcome).toEqual({kind: 'gone', why: 'a newer attempt'});
  server.bytes = Buffer.alloc(spool.length + 1);
  expect(await startLink().outcome).toMatchObject({kind: 'diverged'});
});

test('[LG2] an upload that was stopped is continued by the next link', async () => {
  const first = startLink();
  await fill(300_000);
  await server.until(() => server.bytes.length > 100_000);
  stop.abort();
  expect(await first.outcome).toEqual({kind: 'stopped'});
  stop = new AbortController();
  await fill(300_000);
  const second = startLink();
  await seal(second.link, second.outcome);
});
