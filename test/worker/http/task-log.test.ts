import {beforeAll, describe, expect, test} from 'vitest';
import {utf8} from '@switchyard/shared/crypto/bytes.ts';
import {LOG_VIEW_SUBPROTOCOL} from '@switchyard/shared/protocol/log-view.ts';
import {openInbox} from '../socket-inbox.ts';
import {follow} from '../tasklog/log-world.ts';
import {call, json, migrated, newPool, newTask, problem} from './api-world.ts';
import {bytesOf, readEvents} from './event-reader.ts';
import {enrolled, runAttempt, type EnrolledRunner, type RunningAttempt} from './runner-world.ts';

let token = '';
let machine: EnrolledRunner;

beforeAll(async () => {
  await migrated();
  ({token} = await newPool());
  machine = await enrolled(token);
});

/** A task whose first attempt is running. */
async function running(): Promise<RunningAttempt> {
  await newTask(token);
  return runAttempt(machine);
}

const stream = (id: string, headers: Record<string, string> = {}) =>
  call(`/v1/tasks/${id}/log`, {token, headers: {accept: 'text/event-stream', ...headers}});

describe('the log of a task over HTTP', () => {
  test('[HT14] the log is read as bytes from an offset, or as a page of JSON that ends between characters', async () => {
    const {task, write, succeed} = await running();
    await write(utf8('one two '));
    await write(utf8('\u20ac').subarray(0, 2));
    const read = (query: string, accept: string) => call(`/v1/tasks/${task}/log${query}`, {token, headers: {accept}});
    const bytes = await read('?from=4', 'application/octet-stream');
    expect(bytes.headers.get('content-type')).toBe('application/octet-stream');
    expect(bytes.headers.get('x-log-length')).toBe('10');
    expect(new Uint8Array(await bytes.arrayBuffer())).toEqual(Uint8Array.from([...utf8('two '), 0xe2, 0x82]));
    const page = {epoch: 1, from: 4, to: 8, length: 10, sealed: false, text: 'two '};
    expect(await json(await read('?from=4', 'application/json'), 200)).toEqual(page);
    await write(utf8('\u20ac').subarray(2));
    await succeed();
    const whole = {epoch: 1, from: 8, to: 11, length: 11, sealed: true, text: '\u20ac'};
    expect(await json(await read('?from=8&epoch=1', 'application/json'), 200)).toEqual(whole);
    const never = await newTask(token);
    const nothing = {epoch: 0, from: 0, to: 0, length: 0, sealed: false, text: ''};
    expect(
      await json(await call(`/v1/tasks/${never.id}/log`, {token, headers: {accept: 'application/json'}}), 200),
    ).toEqual(nothing);
    await call(`/v1/tasks/${never.id}/cancel`, {method: 'POST', token});
  });

  test('[HT15] a live stream shows every byte once, resumes by its id, and ends with the state', async () => {
    const {task: id, write, succeed: finish} = await running();
    await write(utf8('first line\n'));
    const first = await readEvents(await stream(id), ({id: at}) => at === '11');
    expect(first).toEqual([{event: 'log', id: '11', data: {from: 0, text: 'first line\n'}}]);
    await write(utf8('second line\n'));
    const opened = await stream(id, {'last-event-id': '6'});
    await write(utf8('third\n'));
    await finish();
    const rest = await readEvents(opened, ({event}) => event === 'end');
    expect(new TextDecoder().decode(bytesOf(rest))).toBe('line\nsecond line\nthird\n');
    expect(rest.at(-1)).toMatchObject({event: 'end', data: {state: 'succeeded', length: 29}});
    expect(rest.at(-2)?.id).toBe('29');
  });

  test('[HT16] characters are cut by no event, and what is not UTF-8 comes as base64, byte for byte', async () => {
    const {task: id, write, succeed: finish} = await running();
    const emoji = utf8('a\u{1f642}b');
    await write(emoji.subarray(0, 3));
    const opened = await stream(id);
    await write(emoji.subarray(3));
    await write(Uint8Array.from([0xff, 0xfe, 0x41]));
    await write(Uint8Array.from([0xe2, 0x82]));
    await finish();
    const events = await readEvents(opened, ({event}) => event === 'end');
    expect(bytesOf(events)).toEqual(Uint8Array.from([...emoji, 0xff, 0xfe, 0x41, 0xe2, 0x82]));
    for (const {data} of events) expect(data.text ?? '').not.toContain('\ufffd');
    const offsets = events.filter(({event}) => event === 'log').map(({data, id: at}) => [data.from, Number(at)]);
    expect(offsets.slice(1).map(([from]) => from)).toEqual(offsets.slice(0, -1).map(([, to]) => to));
  });

  test('[HT17] a page follows a log by WebSocket with its token as a subprotocol, and resumes by offset', async () => {
    const {task: id, write, succeed: finish} = await running();
    await write(utf8('hello '));
    const view = (from: number, protocols: string) =>
      call(`/v1/tasks/${id}/log/live?from=${from}`, {
        headers: {upgrade: 'websocket', 'sec-websocket-protocol': protocols},
      });
    const response = await view(0, `${LOG_VIEW_SUBPROTOCOL}, bearer.${token}`);
    expect(response.headers.get('sec-websocket-protocol')).toBe(LOG_VIEW_SUBPROTOCOL);
    const first = openInbox(response);
    await first.json();
    expect(await follow(first, 0, 6)).toEqual(utf8('hello '));
    first.socket.close();
    const second = openInbox(await view(2, `${LOG_VIEW_SUBPROTOCOL}, bearer.${token}`));
    await second.json();
    await write(utf8('world'));
    expect(await follow(second, 2, 11)).toEqual(utf8('llo world'));
    await finish();
    expect(await second.json()).toMatchObject({t: 'end', state: 'succeeded'});
    expect((await view(0, LOG_VIEW_SUBPROTOCOL)).status).toBe(401);
    expect((await call(`/v1/tasks/${id}/log/live?token=${token}`, {headers: {upgrade: 'websocket'}})).status).toBe(400);
  });

  test('[HT18] a log that is not there and an attempt that has not begun are refused', async () => {
    const {id} = await newTask(token);
    const missing = 'tsk_01k00000000000000000000000';
    for (const accept of ['application/json', 'text/event-stream', '*/*'])
      expect((await call(`/v1/tasks/${missing}/log`, {token, headers: {accept}})).status).toBe(404);
    expect(await problem(await call(`/v1/tasks/${id}/log?epoch=9`, {token}))).toMatchObject({status: 404});
    expect(await problem(await call(`/v1/tasks/${id}/log?from=-1`, {token}))).toMatchObject({status: 400});
  });
});
