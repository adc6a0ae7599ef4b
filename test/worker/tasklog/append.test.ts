import {evictDurableObject, runInDurableObject} from 'cloudflare:test';
import {env} from 'cloudflare:workers';
import {describe, expect, test} from 'vitest';
import {attemptSeal} from '@switchyard/shared/crypto/attempt-seal.ts';
import {concat, fromBase64, utf8} from '@switchyard/shared/crypto/bytes.ts';
import {LogHash} from '../../../worker/src/tasklog/log-hash.ts';
import {logStore} from '../../../worker/src/tasklog/log-store.ts';
import {inTransaction} from '../../../worker/src/tasklog/log.ts';
import {takeRunnerMessages} from '../../../worker/src/tasklog/runner-sockets.ts';
import {frame, gzip, hashOf, newLog} from './log-world.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('the log of a task takes bytes', () => {
  test('[TL1] a runner is greeted with the stored length, and told to go on from there', async () => {
    const {connect} = newLog();
    const first = await connect(1);
    expect(await first.json()).toEqual({t: 'state', len: 0, watching: 0});
    first.socket.send(frame(0, utf8('hello ')));
    expect(await first.json()).toEqual({t: 'ack', len: 6});
    first.socket.close();
    const second = await connect(1);
    expect(await second.json()).toEqual({t: 'state', len: 6, watching: 0});
  });

  test.for([
    {name: 'a duplicate', offset: 0, bytes: 'hello ', answer: {t: 'ack', len: 6}, stored: 'hello '},
    {name: 'a part of what is known', offset: 2, bytes: 'llo', answer: {t: 'ack', len: 6}, stored: 'hello '},
    {name: 'an overlap', offset: 4, bytes: 'o world', answer: {t: 'ack', len: 11}, stored: 'hello world'},
    {name: 'a continuation', offset: 6, bytes: 'world', answer: {t: 'ack', len: 11}, stored: 'hello world'},
    {name: 'a gap', offset: 7, bytes: 'orld', answer: {t: 'nack', len: 6}, stored: 'hello '},
  ])('[TL2] $name is answered by the stored length, and no byte is doubled or lost', async row => {
    const {connect, stored} = newLog();
    const runner = await connect(1);
    await runner.json();
    runner.socket.send(frame(0, utf8('hello ')));
    expect(await runner.json()).toEqual({t: 'ack', len: 6});
    runner.socket.send(frame(row.offset, utf8(row.bytes)));
    expect(await runner.json()).toEqual(row.answer);
    expect(text(await stored())).toBe(row.stored);
  });

  test('[TL3] a compressed chunk counts its raw bytes, also where it overlaps', async () => {
    const {connect, stored, log} = newLog();
    const whole = utf8('0123456789'.repeat(500));
    const runner = await connect(1);
    await runner.json();
    runner.socket.send(frame(0, await gzip(whole), true));
    expect(await runner.json()).toEqual({t: 'ack', len: 5_000});
    runner.socket.send(frame(4_990, await gzip(utf8('0123456789abc')), true));
    expect(await runner.json()).toEqual({t: 'ack', len: 5_003});
    expect(text(await stored())).toBe(`${text(whole)}abc`);
    const sizes = await runInDurableObject(log, (_, {storage}) =>
      storage.sql.exec<{size: number}>('SELECT length(bytes) AS size FROM chunk ORDER BY start').toArray(),
    );
    expect(sizes[0]?.size).toBeLessThan(200);
  });

  test.for([
    {name: 'text that is no message', message: '{"t":"end"}'},
    {name: 'a frame without bytes', message: new Uint8Array(14)},
    {name: 'bytes that claim to be gzip', message: Uint8Array.from([1, 1, ...new Uint8Array(12), 1, 2, 3])},
  ])('[TL4] $name ends the socket and stores nothing', async ({message}) => {
    const {connect, stored} = newLog();
    const runner = await connect(1);
    await runner.json();
    runner.socket.send(message);
    expect(await runner.closed()).toMatchObject({closed: 1002});
    expect(await stored()).toHaveLength(0);
  });

  test.for([1, 63, 64, 65_535, 65_536])('[TL3] a compressed chunk of %i bytes is taken', async bytes => {
    const {connect, stored} = newLog();
    const runner = await connect(1);
    await runner.json();
    const whole = Uint8Array.from({length: bytes}, (_, at) => (at * at) % 251);
    runner.socket.send(frame(0, await gzip(whole), true));
    expect(await runner.json()).toEqual({t: 'ack', len: bytes});
    expect(await stored()).toEqual(whole);
  });

  test.for([-1_000, -1, 1, 64_000])('[TL4] a chunk of %i bytes more than it says ends the socket', async more => {
    const {connect, stored} = newLog();
    const runner = await connect(1);
    await runner.json();
    const packed = await gzip(new Uint8Array(1_000 + Math.max(0, more)));
    new DataView(packed.buffer).setUint32(packed.length - 4, 1_000 - Math.min(0, more), true);
    runner.socket.send(frame(0, packed, true));
    expect(await runner.closed()).toMatchObject({closed: 1002});
    expect(await stored()).toHaveLength(0);
  });

  test('[TL4] a compressed chunk that grows beyond the limit ends the socket', async () => {
    const {connect, stored} = newLog();
    const runner = await connect(1);
    await runner.json();
    runner.socket.send(frame(0, await gzip(new Uint8Array(65_537)), true));
    expect(await runner.closed()).toMatchObject({closed: 1002});
    expect(await stored()).toHaveLength(0);
  });

  test('[TL5] a higher epoch fences the lower one, whose bytes stay as they are', async () => {
    const {connect, stored} = newLog();
    const first = await connect(1);
    await first.json();
    first.socket.send(frame(0, utf8('one')));
    await first.json();
    const second = await connect(2);
    expect(await second.json()).toEqual({t: 'state', len: 0, watching: 0});
    expect(await first.json()).toMatchObject({t: 'gone'});
    expect(await first.closed()).toMatchObject({closed: 1000});
    second.socket.send(frame(0, utf8('two')));
    expect(await second.json()).toEqual({t: 'ack', len: 3});
    const late = await connect(1);
    expect(await late.json()).toMatchObject({t: 'gone'});
    expect(text(await stored())).toBe('onetwo');
  });

  test('[TL5] an attempt belongs to the runner that opened it', async () => {
    const {connect} = newLog();
    const other = newLog().runner;
    await (await connect(1)).json();
    expect(await (await connect(1, other)).json()).toMatchObject({t: 'gone'});
  });

  test('[TL26] a fenced attempt is let go, takes no more bytes and no end, and stays closed after an eviction', async () => {
    const {connect, stored, log} = newLog();
    const runner = await connect(2);
    await runner.json();
    runner.socket.send(frame(0, utf8('before')));
    await runner.json();
    await log.fence(2);
    runner.socket.send(frame(6, utf8(' after')));
    expect(await runner.json()).toMatchObject({t: 'gone'});
    expect(await runner.closed()).toMatchObject({closed: 1000});
    await evictDurableObject(log);
    await log.fence(1);
    expect(await (await connect(2)).json()).toMatchObject({t: 'gone'});
    expect(text(await stored())).toBe('before');
    expect(await (await connect(3)).json()).toMatchObject({t: 'state', len: 0});
  });

  test('[TL26] an attempt that is fenced before its log was opened never opens it', async () => {
    const {connect, log} = newLog();
    await log.fence(1);
    expect(await (await connect(1)).json()).toMatchObject({t: 'gone'});
    expect((await log.read({from: 0, bytesMax: 10})).epoch).toBe(0);
  });

  test('[TL27] an attempt that ended without a byte is sealed as empty, before and behind others, and takes none', async () => {
    const {connect, stored, log, runner: own} = newLog();
    const runner = await connect(2);
    await runner.json();
    runner.socket.send(frame(0, utf8('two')));
    await runner.json();
    await log.sealEmpty(1, own);
    await log.sealEmpty(3, own);
    await log.sealEmpty(3, own);
    expect(await runner.json()).toMatchObject({t: 'gone'});
    for (const epoch of [1, 3]) {
      const page = await log.read({from: 0, bytesMax: 10, epoch});
      expect(page).toMatchObject({epoch, length: 0, sealed: true});
      expect(await (await connect(epoch)).json()).toMatchObject({t: 'gone'});
    }
    expect(await log.read({from: 0, bytesMax: 10, epoch: 2})).toMatchObject({length: 3, sealed: false});
    const last = await connect(4);
    await last.json();
    last.socket.send(frame(0, utf8('four')));
    await last.json();
    expect(text(await stored())).toBe('twofour');
  });

  test('[TL27] bytes of an attempt that is said to have none stay, and get no seal', async () => {
    const {connect, stored, log, runner: own} = newLog();
    const runner = await connect(1);
    await runner.json();
    runner.socket.send(frame(0, utf8('there')));
    await runner.json();
    await log.sealEmpty(1, own);
    runner.socket.send(frame(5, utf8(' more')));
    expect(await runner.json()).toMatchObject({t: 'gone'});
    expect(await log.read({from: 0, bytesMax: 10, epoch: 1})).toMatchObject({length: 5, sealed: false});
    expect(text(await stored())).toBe('there');
  });

  test('[TL6] a newer connection of the same attempt replaces the older one', async () => {
    const {connect} = newLog();
    const older = await connect(1);
    await older.json();
    const newer = await connect(1);
    await newer.json();
    expect(await older.closed()).toMatchObject({closed: 4409});
    newer.socket.send(frame(0, utf8('x')));
    expect(await newer.json()).toEqual({t: 'ack', len: 1});
  });

  test('[TL7] what was acknowledged is there after the object was evicted, and the socket lives on', async () => {
    const {connect, stored, log} = newLog();
    const runner = await connect(1);
    await runner.json();
    runner.socket.send(frame(0, utf8('before ')));
    await runner.json();
    await evictDurableObject(log);
    runner.socket.send(frame(7, utf8('after')));
    expect(await runner.json()).toEqual({t: 'ack', len: 12});
    expect(text(await stored())).toBe('before after');
  });

  test('[TL8] frames that wait together are one transaction, acknowledged by its last length', async () => {
    const {connect, stored, log} = newLog();
    const runner = await connect(1);
    await runner.json();
    await runInDurableObject(log, async (_, ctx) => {
      const [socket] = ctx.getWebSockets('runner');
      if (socket === undefined) throw new Error('the object has no socket');
      const seal = (): never => {
        throw new Error('nothing is sealed here');
      };
      const parts = {ctx, store: logStore(ctx.storage.sql), hash: new LogHash(), seal};
      const arrivals = ['ab', 'cd', 'ef'].map((part, at) => ({socket, message: frame(at * 2, utf8(part)).buffer}));
      await takeRunnerMessages(parts, [...arrivals, {socket, message: frame(9, utf8('gap')).buffer}], Date.now());
    });
    expect(await runner.json()).toEqual({t: 'ack', len: 6});
    expect(await runner.json()).toEqual({t: 'nack', len: 6});
    // The object itself did not see these writes: it reads them anew.
    await evictDurableObject(log);
    expect(text(await stored())).toBe('abcdef');
  });

  test('[TL28] what a failed transaction wrote is neither stored nor remembered', async () => {
    const {connect, stored, log} = newLog();
    const runner = await connect(1);
    await runner.json();
    await runInDurableObject(log, (_, ctx) => {
      const store = logStore(ctx.storage.sql);
      const parts = {ctx, store, hash: new LogHash(), seal: () => expect.unreachable('nothing is sealed here')};
      const fail = (): void => {
        store.append({start: store.end(), rawBytes: 2, isGzip: false, bytes: utf8('ab'), atMs: 0});
        store.seal(1, 'of other bytes');
        throw new Error('the disk is full');
      };
      expect(() => inTransaction(parts, fail)).toThrow('the disk is full');
      expect([store.end(), store.newest()]).toMatchObject([0, {epoch: 1, length: 0, sha256: null}]);
    });
    runner.socket.send(frame(0, utf8('cd')));
    expect(await runner.json()).toEqual({t: 'ack', len: 2});
    expect(text(await stored())).toBe('cd');
  });

  test('[TL2] a flood of frames is kept whole and in order, and its acknowledgements never fall', async () => {
    const {connect, stored} = newLog();
    const runner = await connect(1);
    await runner.json();
    const parts = Array.from({length: 40}, (_, index) => utf8(`line ${index}\n`));
    let offset = 0;
    for (const part of parts) {
      runner.socket.send(frame(offset, part));
      offset += part.length;
    }
    const lengths: number[] = [];
    while (lengths.at(-1) !== offset) {
      const message = (await runner.json()) as {t: string; len: number};
      expect(message.t).toBe('ack');
      lengths.push(message.len);
    }
    expect(lengths).toEqual(lengths.toSorted((left, right) => left - right));
    expect(await stored()).toEqual(concat(...parts));
  });
});

describe('the log of an attempt ends', () => {
  const seal = async () => attemptSeal(fromBase64(env.SWITCHYARD_SECRET) ?? new Uint8Array());

  test('[TL9] a whole log with the right hash gets a receipt that the Fleet can verify, as often as it is asked for', async () => {
    const {connect, task, log} = newLog();
    const bytes = utf8('everything');
    const sha256 = await hashOf(bytes);
    const end = JSON.stringify({t: 'end', len: bytes.length, sha256});
    const runner = await connect(3);
    await runner.json();
    runner.socket.send(frame(0, bytes));
    await runner.json();
    runner.socket.send(end);
    const sealed = (await runner.json()) as {t: string; len: number; receipt: string};
    expect(sealed).toMatchObject({t: 'sealed', len: bytes.length});
    const claims = {task, epoch: 3, length: bytes.length, sha256};
    expect(await (await seal()).verifyReceipt(sealed.receipt, claims)).toBe(true);
    expect(await (await seal()).verifyReceipt(sealed.receipt, {...claims, length: 9})).toBe(false);
    await evictDurableObject(log);
    runner.socket.send(end);
    expect(await runner.json()).toEqual(sealed);
    expect(await log.read({from: 0, bytesMax: 1, epoch: 3})).toMatchObject({sealed: true, length: bytes.length});
  });

  test('[TL9] the hash is made again from the rows when the object lost its memory', async () => {
    const {connect, log} = newLog();
    const parts = [utf8('a'.repeat(3_000)), utf8('b'.repeat(10)), utf8('c'.repeat(4_000))] as const;
    const whole = concat(...parts);
    const runner = await connect(1);
    await runner.json();
    runner.socket.send(frame(0, await gzip(parts[0]), true));
    await runner.json();
    await evictDurableObject(log);
    runner.socket.send(frame(3_000, parts[1]));
    await runner.json();
    runner.socket.send(frame(3_010, await gzip(parts[2]), true));
    await runner.json();
    runner.socket.send(JSON.stringify({t: 'end', len: whole.length, sha256: await hashOf(whole)}));
    expect(await runner.json()).toMatchObject({t: 'sealed', len: whole.length});
  });

  test('[TL9] an empty log is sealed too', async () => {
    const {connect} = newLog();
    const runner = await connect(1);
    await runner.json();
    runner.socket.send(JSON.stringify({t: 'end', len: 0, sha256: await hashOf(new Uint8Array())}));
    expect(await runner.json()).toMatchObject({t: 'sealed', len: 0});
  });

  test('[TL10] an end before the last byte is answered by the length that is there', async () => {
    const {connect} = newLog();
    const runner = await connect(1);
    await runner.json();
    runner.socket.send(frame(0, utf8('abc')));
    await runner.json();
    runner.socket.send(JSON.stringify({t: 'end', len: 4, sha256: await hashOf(utf8('abcd'))}));
    expect(await runner.json()).toEqual({t: 'nack', len: 3});
    runner.socket.send(frame(3, utf8('d')));
    await runner.json();
    runner.socket.send(JSON.stringify({t: 'end', len: 4, sha256: await hashOf(utf8('abcd'))}));
    expect(await runner.json()).toMatchObject({t: 'sealed'});
  });

  test.for([
    {name: 'another hash', len: 3, of: 'abd'},
    {name: 'fewer bytes', len: 2, of: 'ab'},
  ])('[TL11] an end with $name gets no receipt, and the bytes that people have read stay', async ({len, of}) => {
    const {connect, stored} = newLog();
    const runner = await connect(1);
    await runner.json();
    runner.socket.send(frame(0, utf8('abc')));
    await runner.json();
    runner.socket.send(JSON.stringify({t: 'end', len, sha256: await hashOf(utf8(of))}));
    expect(await runner.json()).toMatchObject({t: 'gone'});
    expect(await runner.closed()).toMatchObject({closed: 1000});
    expect(text(await stored())).toBe('abc');
  });

  test('[TL12] a sealed log takes no more bytes', async () => {
    const {connect, stored} = newLog();
    const runner = await connect(1);
    await runner.json();
    runner.socket.send(frame(0, utf8('abc')));
    await runner.json();
    runner.socket.send(JSON.stringify({t: 'end', len: 3, sha256: await hashOf(utf8('abc'))}));
    await runner.json();
    runner.socket.send(frame(3, utf8('d')));
    expect(await runner.json()).toMatchObject({t: 'gone'});
    expect(text(await stored())).toBe('abc');
  });
});
