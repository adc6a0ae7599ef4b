import {evictDurableObject} from 'cloudflare:test';
import {describe, expect, test} from 'vitest';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {logViewWindowBytes} from '@switchyard/shared/protocol/log-view.ts';
import {follow, frame, gzip, newLog} from './log-world.ts';
import type {Inbox} from '../socket-inbox.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Reads the runner's socket until the log is known to hold `length` bytes. */
async function acknowledged(runner: Inbox, length: number): Promise<void> {
  for (;;) {
    const message = (await runner.json()) as {t: string; len?: number};
    if (message.t === 'ack' && message.len === length) return;
  }
}

describe('people follow the log of a task', () => {
  test('[TL13] a viewer gets what is there and then what comes, byte for byte, compressed or not', async () => {
    const {connect, view} = newLog();
    const runner = await connect(1);
    runner.socket.send(frame(0, await gzip(utf8('x'.repeat(5_000))), true));
    await acknowledged(runner, 5_000);
    const viewer = await view();
    expect(await viewer.json()).toEqual({t: 'state', length: 5_000});
    runner.socket.send(frame(5_000, utf8('live')));
    expect(text(await follow(viewer, 0, 5_004))).toBe(`${'x'.repeat(5_000)}live`);
  });

  test('[TL14] a viewer that comes back with its offset misses nothing, also inside a compressed chunk', async () => {
    const {connect, view, log} = newLog();
    const runner = await connect(1);
    const whole = utf8(Array.from({length: 900}, (_, index) => `line ${index}\n`).join(''));
    runner.socket.send(frame(0, await gzip(whole.subarray(0, 4_000)), true));
    runner.socket.send(frame(4_000, await gzip(whole.subarray(4_000)), true));
    await acknowledged(runner, whole.length);
    const first = await view(1_234);
    await first.json();
    const seen = await follow(first, 1_234, 1_235);
    first.socket.close();
    await evictDurableObject(log);
    const second = await view(1_234 + seen.length);
    await second.json();
    const rest = await follow(second, 1_234 + seen.length, whole.length);
    expect(text(seen) + text(rest)).toBe(text(whole.slice(1_234)));
  });

  test('[TL15] a viewer before the first byte waits for it', async () => {
    const {connect, view} = newLog();
    const viewer = await view();
    expect(await viewer.json()).toEqual({t: 'state', length: 0});
    const runner = await connect(1);
    runner.socket.send(frame(0, utf8('first')));
    expect(text(await follow(viewer, 0, 5))).toBe('first');
  });

  test('[TL16] the runner is told how many look', async () => {
    const {connect, view} = newLog();
    const runner = await connect(1);
    expect(await runner.json()).toMatchObject({watching: 0});
    const viewer = await view();
    expect(await runner.json()).toEqual({t: 'watching', count: 1});
    viewer.socket.close();
    expect(await runner.json()).toEqual({t: 'watching', count: 0});
  });

  test('[TL17] when the task ends every viewer gets the rest, the state, and is let go', async () => {
    const {connect, view, log} = newLog();
    const runner = await connect(1);
    const viewer = await view();
    await viewer.json();
    runner.socket.send(frame(0, utf8('all')));
    await follow(viewer, 0, 3);
    await log.finish('succeeded');
    expect(await viewer.json()).toEqual({t: 'end', state: 'succeeded', length: 3});
    expect(await viewer.closed()).toMatchObject({closed: 1000});
    await log.finish('failed');
    const late = await view(1);
    await late.json();
    expect(text(await follow(late, 1, 3))).toBe('ll');
    expect(await late.json()).toEqual({t: 'end', state: 'succeeded', length: 3});
  });

  test('[TL17] a viewer of a task that had ended when it came is let go without a call of the Fleet', async () => {
    const {view} = newLog();
    const viewer = await view(0, 'cancelled');
    await viewer.json();
    expect(await viewer.json()).toEqual({t: 'end', state: 'cancelled', length: 0});
    expect(await viewer.closed()).toMatchObject({closed: 1000});
  });

  test('[TL18] a viewer that acknowledges nothing is sent a window and no more, and all of it once it does', async () => {
    const {connect, view} = newLog();
    const runner = await connect(1);
    const chunk = new Uint8Array(60_000).fill(65);
    const chunks = Math.ceil((logViewWindowBytes * 2) / chunk.length);
    for (let index = 0; index < chunks; index += 1) {
      runner.socket.send(frame(index * chunk.length, chunk));
      await acknowledged(runner, (index + 1) * chunk.length);
    }
    const viewer = await view();
    await viewer.json();
    const windowFrames = Math.ceil(logViewWindowBytes / chunk.length);
    let received = 0;
    for (let index = 0; index < windowFrames; index += 1) received += (await viewer.bytes()).length - 14;
    expect(received).toBeLessThan(logViewWindowBytes + chunk.length);
    // Nothing of the rest came: what the acknowledgement brings is the very next byte.
    viewer.socket.send(JSON.stringify({t: 'ack', to: received}));
    const rest = await follow(viewer, received, chunks * chunk.length);
    expect(rest).toHaveLength(chunks * chunk.length - received);
  });

  test.for([
    {name: 'text that is no JSON', message: 'hello', code: 'malformed', request: null},
    {name: 'JSON that is no object', message: '7', code: 'malformed', request: null},
    {name: 'bytes', message: new Uint8Array([1]), code: 'malformed', request: null},
    {name: 'a negative offset', message: '{"t":"ack","to":-1,"request":"r1"}', code: 'malformed', request: 'r1'},
    {name: 'a long message', message: `{"t":"ack","to":0,"x":"${'x'.repeat(400)}"}`, code: 'malformed', request: null},
    {name: 'an unsent offset', message: '{"t":"ack","to":4,"request":"r2"}', code: 'unsent_offset', request: 'r2'},
    {name: 'an unknown type', message: '{"t":"later","request":"r3"}', code: 'unknown_type', request: 'r3'},
  ])('[TL19] $name is answered by a typed error, and the connection goes on (E22)', async row => {
    const {connect, view} = newLog();
    const runner = await connect(1);
    runner.socket.send(frame(0, utf8('abc')));
    await acknowledged(runner, 3);
    const viewer = await view();
    await viewer.json();
    await viewer.bytes();
    viewer.socket.send(row.message);
    expect(await viewer.json()).toMatchObject({t: 'error', code: row.code, request: row.request});
    runner.socket.send(frame(3, utf8('def')));
    expect(text(await follow(viewer, 3, 6))).toBe('def');
  });

  test('[TL20] an offset of the stream, or of one attempt, answers a page', async () => {
    const {connect, log} = newLog();
    const first = await connect(1);
    first.socket.send(frame(0, utf8('first ')));
    await acknowledged(first, 6);
    const second = await connect(2);
    second.socket.send(frame(0, utf8('second')));
    await acknowledged(second, 6);
    const page = async (range: {from: number; bytesMax: number; epoch?: number}) => {
      const {bytes, ...rest} = await log.read(range);
      return {...rest, text: text(bytes)};
    };
    const open = {sealed: false};
    expect(await page({from: 4, bytesMax: 4})).toEqual({epoch: 1, from: 4, to: 8, length: 12, text: 't se', ...open});
    expect(await page({from: 1, bytesMax: 99, epoch: 2})).toEqual({
      epoch: 2,
      from: 1,
      to: 6,
      length: 6,
      text: 'econd',
      ...open,
    });
    expect(await page({from: 0, bytesMax: 99, epoch: 1})).toMatchObject({length: 6, text: 'first '});
    expect(await page({from: 99, bytesMax: 9})).toMatchObject({from: 99, to: 99, length: 12, text: ''});
    expect(await page({from: 0, bytesMax: 9, epoch: 7})).toMatchObject({length: 0, text: ''});
  });

  test('[TL21] a viewer of one attempt gets its bytes alone, from its own start, and goes when it has ended', async () => {
    const {connect, view, log} = newLog();
    const first = await connect(1);
    first.socket.send(frame(0, utf8('first')));
    await acknowledged(first, 5);
    const early = await view(1, '', 1);
    expect(await early.json()).toEqual({t: 'state', length: 5});
    expect(text(await follow(early, 1, 5))).toBe('irst');
    const second = await connect(2);
    second.socket.send(frame(0, await gzip(utf8('second ')), true));
    await acknowledged(second, 7);
    const late = await view(0, '', 2);
    expect(await late.json()).toEqual({t: 'state', length: 7});
    second.socket.send(frame(7, utf8('more')));
    expect(text(await follow(late, 0, 11))).toBe('second more');
    await log.finishAttempt(1, 'failed');
    expect(await early.json()).toEqual({t: 'end', state: 'failed', length: 5});
    expect(await early.closed()).toMatchObject({closed: 1000});
    await log.finishAttempt(1, 'succeeded');
    const again = await view(4, '', 1);
    await again.json();
    expect(text(await follow(again, 4, 5))).toBe('t');
    expect(await again.json()).toEqual({t: 'end', state: 'failed', length: 5});
    await evictDurableObject(log);
    second.socket.send(frame(11, utf8('!')));
    expect(text(await follow(late, 11, 12))).toBe('!');
    await log.finish('succeeded');
    await log.finishAttempt(2, 'succeeded');
    expect(await late.json()).toEqual({t: 'end', state: 'succeeded', length: 12});
  });

  test('[TL21] a viewer of an attempt that had ended when it came is let go without a call of the Fleet', async () => {
    const {connect, view} = newLog();
    const runner = await connect(1);
    runner.socket.send(frame(0, utf8('abc')));
    await acknowledged(runner, 3);
    const viewer = await view(0, 'interrupted', 1);
    await viewer.json();
    expect(text(await follow(viewer, 0, 3))).toBe('abc');
    expect(await viewer.json()).toEqual({t: 'end', state: 'interrupted', length: 3});
  });

  test('[TL22] a viewer of an attempt without a log waits for it, or until nothing can come any more', async () => {
    const {connect, view, log} = newLog();
    const waits = await view(0, '', 1);
    expect(await waits.json()).toEqual({t: 'state', length: 0});
    const overtaken = await view(0, '', 2);
    await overtaken.json();
    const runner = await connect(1);
    runner.socket.send(frame(0, utf8('here')));
    expect(text(await follow(waits, 0, 4))).toBe('here');
    const third = await connect(3);
    third.socket.send(frame(0, utf8('later')));
    expect(await overtaken.json()).toEqual({t: 'end', state: 'interrupted', length: 0});
    const never = await view(0, '', 4);
    await never.json();
    await log.finish('cancelled');
    expect(await never.json()).toEqual({t: 'end', state: 'cancelled', length: 0});
  });

  test('[TL23] the chunks of an attempt are read whole, with the time at which they were stored', async () => {
    const before = Date.now();
    const {connect, log} = newLog();
    const first = await connect(1);
    first.socket.send(frame(0, utf8('first')));
    await acknowledged(first, 5);
    const second = await connect(2);
    second.socket.send(frame(0, await gzip(utf8('second')), true));
    await acknowledged(second, 6);
    second.socket.send(frame(6, utf8('third')));
    await acknowledged(second, 11);
    const read = async (from: number, bytesMax: number) => {
      const {chunks, ...rest} = await log.readChunks({from, bytesMax, epoch: 2});
      for (const {atMs} of chunks) expect(atMs).toBeGreaterThanOrEqual(before);
      return {...rest, chunks: chunks.map(({to, bytes}) => [to, text(bytes)])};
    };
    expect(await read(0, 1)).toEqual({length: 11, sealed: false, chunks: [[6, 'second']]});
    const rest = [
      [6, 'cond'],
      [11, 'third'],
    ];
    expect(await read(2, 99)).toEqual({length: 11, sealed: false, chunks: rest});
    expect((await log.readChunks({from: 0, bytesMax: 9, epoch: 3})).chunks).toEqual([]);
  });
});
