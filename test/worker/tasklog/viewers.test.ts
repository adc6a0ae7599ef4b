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

  test.for([{message: 'hello'}, {message: '{"t":"ack","to":1}'}, {message: '{"t":"ack","to":-1}'}])(
    '[TL19] a viewer that acknowledges what it was not sent is let go: $message',
    async ({message}) => {
      const {view} = newLog();
      const viewer = await view();
      await viewer.json();
      viewer.socket.send(message);
      expect(await viewer.closed()).toMatchObject({closed: 4400});
    },
  );

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
});
